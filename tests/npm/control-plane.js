'use strict';
// A control plane for tests, of foreign make: the gRPC server and the protos are those of npm @grpc/grpc-js and @grpc/grpc-js-xds.
// It is told what to do by JSON lines on standard input and tells what it met by JSON lines on standard output:
//   {"do":"listen","address":"127.0.0.1:0"}             -> {"event":"listening","port":N}
//   {"do":"set","version":"1","resources":[{"@type":..}]} the world of all types; pushed to every stream, changes only on delta
//   {"do":"change","version":"2","resources":[..],"removed":[[type,name],..]} the same for what differs from the world so far; "canonical":
//      true with either says that resources are protobuf's own JSON
//   {"do":"istiod","debounce":ms}                         pushes as istiod does: late and together, endpoints again after clusters were
//      asked for, and everything to a stream that comes back
//   {"do":"raw","type":T,"any":[{"type_url":..,"value":base64}],"nonce":"..","version":".."}  one response as given, whatever it is
//   {"do":"bytes","data":base64}                          bytes of one message as given, garbage too
//   {"do":"heartbeat","type":T,"name":N,"ttl":ms}         a resource without a body, which only renews its time to live
//   {"do":"end"} ends every stream in good order           {"do":"fail","code":14,"details":".."} with a status
//   {"do":"refuse","code":16,"details":".."}               ends each new stream at once; {"do":"refuse"} no longer
// Events: open, request, closed.
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const grpc = require('@grpc/grpc-js');
const protobuf = require('protobufjs');
const canonical = require('./canonical');

const deps = path.join(__dirname, 'node_modules/@grpc/grpc-js-xds/deps');
const roots = [...fs.readdirSync(deps).map((name) => path.join(deps, name)), path.join(__dirname, 'node_modules/protobufjs')];
const root = new protobuf.Root();
root.resolvePath = (origin, target) => {
  const found = roots.map((one) => path.join(one, target)).find((one) => fs.existsSync(one));
  return found || protobuf.util.path.resolve(origin, target);
};
root.loadSync([
  'envoy/service/discovery/v3/discovery.proto', 'envoy/config/listener/v3/listener.proto', 'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto', 'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto', 'envoy/config/route/v3/route.proto',
  'envoy/extensions/filters/http/router/v3/router.proto', 'envoy/config/core/v3/extension.proto',
  'envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.proto', 'envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.proto',
  'envoy/extensions/filters/network/rbac/v3/rbac.proto', 'envoy/extensions/filters/network/connection_limit/v3/connection_limit.proto',
  'envoy/extensions/transport_sockets/tls/v3/secret.proto', 'udpa/type/v1/typed_struct.proto', 'xds/type/v3/typed_struct.proto',
  'envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto', 'envoy/extensions/transport_sockets/tls/v3/tls.proto',
], { keepCase: true });

// Istio's own type, published in no package: written down from its definition.
protobuf.parse(`syntax = "proto3"; package istio.networking.nds.v1;
  message NameTable {
    message NameInfo { repeated string ips = 1; string registry = 2; string shortname = 3; string namespace = 4; }
    map<string, NameInfo> table = 1;
  }`, root, { keepCase: true });

const type = (name) => root.lookupType('envoy.service.discovery.v3.' + name);
const shapes = { keepCase: true, longs: Number, enums: String, bytes: String, defaults: false };
const prefix = 'type.googleapis.com/';
const LISTENER = prefix + 'envoy.config.listener.v3.Listener';
const CLUSTER = prefix + 'envoy.config.cluster.v3.Cluster';
const EDS = prefix + 'envoy.config.endpoint.v3.ClusterLoadAssignment';
const isNamed = (url) => url !== LISTENER && url !== CLUSTER && !url.endsWith('.NameTable'); // only these are ever asked for as a whole

let world = { version: '', types: {} }; // type url -> Map(name -> {any, version, ttl})
const streams = new Set();
let refusal = null;
let nonces = 0;
let number = 0;

const span = (ms) => ({ seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 });
const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const nameOf = (resource) => resource.name || resource.cluster_name || '';
const any = (resource) => {
  const message = root.lookupType('google.protobuf.Any').fromObject(resource);
  return { type_url: message.type_url, value: Buffer.from(message.value) };
};

function setWorld(command) {
  world = { version: command.version, types: {}, order: command.order };
  takeIn(command);
  pushSoon();
}

// Only what changed is looked at: a world of ten thousand is not compared with what a stream has a hundred times a second.
function changeWorld(command) {
  const changed = takeIn(command);
  if (istiod) pushSoon();
  else for (const stream of streams) push(stream, changed);
}

function takeIn(command) {
  const changed = new Map();
  const note = (url, name) => (changed.get(url) || changed.set(url, new Set()).get(url)).add(name);
  if (command.canonical && !canonicalLoaded) canonical.load(root);
  canonicalLoaded ||= command.canonical;
  for (const resource of command.resources) {
    const url = resource['@type'].startsWith(prefix) ? resource['@type'] : prefix + resource['@type'];
    const { $ttl: ttl, ...body } = resource;
    const encoded = command.canonical ? canonical.any(root, { ...body, '@type': url }) : any({ ...body, '@type': url });
    const hash = require('crypto').createHash('sha256').update(encoded.value).digest('hex').slice(0, 12);
    (world.types[url] ||= new Map()).set(nameOf(resource), { any: encoded, version: hash, ttl });
    note(url, nameOf(resource));
  }
  for (const [url, name] of command.removed || []) {
    world.types[prefix + url].delete(name);
    note(prefix + url, name);
  }
  world.version = command.version;
  return changed;
}

let canonicalLoaded = false;
let istiod = null;
let waiting = null;
let since = 0;

// istiod waits until nothing has changed for a while, though not for ever.
function pushSoon() {
  if (!istiod) return pushAll();
  if (waiting) clearTimeout(waiting);
  else since = Date.now();
  waiting = setTimeout(pushAll, Math.max(0, Math.min(istiod.debounce, since + 10 * istiod.debounce - Date.now())));
}

function pushAll() {
  waiting = null;
  for (const stream of streams) push(stream);
}

// Make before break: clusters, endpoints, listeners, what listeners name. "order" of "set" says otherwise, by parts of type urls.
const usual = ['.cluster.', '.endpoint.', '.listener.'];
const order = (url) => { const at = (world.order || usual).findIndex((part) => url.includes(part)); return at < 0 ? 99 : at; };

function push(stream, changed) {
  const urls = [...stream.types.keys()].filter((url) => !changed || changed.has(url)).sort((a, b) => order(a) - order(b));
  for (const url of urls) pushType(stream, url, false, changed && stream.delta ? changed.get(url) : undefined);
}

function pushType(stream, url, always, changed) {
  const state = stream.types.get(url);
  const have = world.types[url] || new Map();
  const some = changed ? [...changed].filter((name) => have.has(name)).map((name) => [name, have.get(name)]) : [...have];
  const wanted = some.filter(([name]) => state.all || state.names.has(name));
  if (world.version === '') return;
  if (stream.delta) return pushDelta(stream, url, state, new Map(wanted), always, changed);
  const content = JSON.stringify(wanted.map(([name, one]) => [name, one.version]));
  if (!always && content === state.content) return;
  if (isNamed(url) && wanted.length === 0) return;
  state.content = content;
  const resources = wanted.map(([name, one]) => one.ttl ? any({ '@type': prefix + 'envoy.service.discovery.v3.Resource', name, ttl: span(one.ttl), resource: one.any }) : one.any);
  send(stream, { version_info: world.version, type_url: url, nonce: String(++nonces), resources });
}

function pushDelta(stream, url, state, wanted, always, changed) {
  const resources = [];
  for (const [name, one] of wanted) {
    if (state.held.get(name) !== one.version) {
      resources.push({ name, version: one.version, resource: one.any, ...(one.ttl ? { ttl: span(one.ttl) } : {}) });
      state.held.set(name, one.version);
    }
  }
  const removed = [...(changed || state.held.keys())].filter((name) => state.held.has(name) && !wanted.has(name));
  removed.forEach((name) => state.held.delete(name));
  if (!always && resources.length + removed.length === 0) return;
  if (isNamed(url) && resources.length + removed.length === 0) return;
  send(stream, { system_version_info: world.version, type_url: url, nonce: String(++nonces), resources, removed_resources: removed });
}

function heartbeat(stream, command) {
  const ttl = span(command.ttl);
  const nonce = String(++nonces);
  send(stream, stream.delta
    ? { system_version_info: world.version, type_url: command.type, nonce, resources: [{ name: command.name, ttl }] }
    : { version_info: world.version, type_url: command.type, nonce, resources: [any({ '@type': prefix + 'envoy.service.discovery.v3.Resource', name: command.name, ttl })] });
}

function send(stream, response) {
  stream.call.write({ message: { control_plane: { identifier: 'grpc-js-test' }, ...response } });
}

function take(stream, request) {
  const url = request.type_url;
  tell({ event: 'request', stream: stream.number, delta: stream.delta, ...request });
  let state = stream.types.get(url);
  const first = !state;
  if (first) {
    state = { all: false, names: new Set(), held: new Map(istiod ? [] : Object.entries(request.initial_resource_versions || {})), content: null };
    stream.types.set(url, state);
  }
  if (stream.delta) {
    const subscribe = request.resource_names_subscribe || [];
    const unsubscribe = request.resource_names_unsubscribe || [];
    state.all ||= first && subscribe.length === 0 && !isNamed(url);
    subscribe.forEach((name) => { state.names.add(name); });
    unsubscribe.forEach((name) => { state.names.delete(name); state.held.delete(name); });
    if (first || subscribe.length) pushType(stream, url, first);
    if (first && istiod && order(url) === 0 && stream.types.has(EDS)) {
      stream.types.get(EDS).held.clear();
      pushType(stream, EDS, false);
    }
    return;
  }
  const before = [...state.names].sort().join();
  state.names = new Set(request.resource_names || []);
  state.all = state.names.size === 0 && !isNamed(url) && (first || state.all);
  if (first || before !== [...state.names].sort().join()) pushType(stream, url, true);
}

function serve(delta, only) {
  return (call) => {
    const stream = { call, delta, number: ++number, types: new Map() };
    tell({ event: 'open', stream: stream.number, delta, method: only, metadata: call.metadata.getMap() });
    if (refusal) {
      call.emit('error', { code: refusal.code, details: refusal.details });
      tell({ event: 'closed', stream: stream.number });
      return;
    }
    streams.add(stream);
    call.on('data', (request) => take(stream, request));
    call.on('end', () => { streams.delete(stream); call.end(); tell({ event: 'closed', stream: stream.number }); });
    call.on('error', () => {});
    call.on('cancelled', () => { streams.delete(stream); tell({ event: 'closed', stream: stream.number }); });
  };
}

function service(name, methods) {
  const definition = {};
  const implementation = {};
  for (const [method, delta] of methods) {
    const request = type(delta ? 'DeltaDiscoveryRequest' : 'DiscoveryRequest');
    const response = type(delta ? 'DeltaDiscoveryResponse' : 'DiscoveryResponse');
    definition[method] = {
      path: `/${name}/${method}`, requestStream: true, responseStream: true,
      requestSerialize: (value) => value, requestDeserialize: (bytes) => request.toObject(request.decode(bytes), shapes),
      responseSerialize: (value) => value.bytes || Buffer.from(response.encode(response.fromObject(value.message)).finish()), responseDeserialize: (bytes) => bytes,
    };
    implementation[method] = serve(delta, method);
  }
  return [definition, implementation];
}

const services = [
  ['discovery.v3.AggregatedDiscoveryService', 'AggregatedResources'], ['listener.v3.ListenerDiscoveryService', 'Listeners'],
  ['cluster.v3.ClusterDiscoveryService', 'Clusters'], ['endpoint.v3.EndpointDiscoveryService', 'Endpoints'],
  ['route.v3.RouteDiscoveryService', 'Routes'], ['secret.v3.SecretDiscoveryService', 'Secrets'],
  ['extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs'],
];

const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
for (const [name, methods] of services) server.addService(...service(`envoy.service.${name}`, [[`Stream${methods}`, false], [`Delta${methods}`, true]]));

const read = (file) => (file ? fs.readFileSync(file) : null);
const credentials = (command) => (command.key
  ? grpc.ServerCredentials.createSsl(read(command.ca), [{ private_key: read(command.key), cert_chain: read(command.cert) }], Boolean(command.ca))
  : grpc.ServerCredentials.createInsecure());

const actions = {
  listen: (command) => server.bindAsync(command.address, credentials(command), (error, port) => tell(error ? { event: 'error', message: String(error) } : { event: 'listening', port })),
  set: setWorld,
  change: changeWorld,
  istiod: (command) => { istiod = command; },
  raw: (command) => streams.forEach((stream) => send(stream, {
    [stream.delta ? 'system_version_info' : 'version_info']: command.version, type_url: command.type, nonce: command.nonce,
    resources: stream.delta
      ? command.any.map((one) => ({ name: one.name, version: one.version || 'raw', resource: { type_url: one.type_url, value: Buffer.from(one.value, 'base64') } }))
      : command.any.map((one) => ({ type_url: one.type_url, value: Buffer.from(one.value, 'base64') })),
  })),
  bytes: (command) => streams.forEach((stream) => stream.call.write({ bytes: Buffer.from(command.data, 'base64') })),
  heartbeat: (command) => streams.forEach((stream) => heartbeat(stream, command)),
  end: () => streams.forEach((stream) => stream.call.end()),
  fail: (command) => streams.forEach((stream) => stream.call.emit('error', { code: command.code, details: command.details })),
  refuse: (command) => { refusal = command.code ? command : null; },
};

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  try {
    const command = JSON.parse(line);
    actions[command.do](command);
  } catch (error) {
    tell({ event: 'error', message: String(error.stack) });
  }
});
lines.on('close', () => process.exit(0));
