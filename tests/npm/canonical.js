'use strict';
// Turns protobuf's own JSON (durations as "1s", wrappers as bare values, an Any as a mapping with "@type", a Struct as what it holds) into
// what protobufjs takes, and knows the types that istiod sends besides those of Envoy. Comments of the well-known types: protobuf's
// language guide, "JSON mapping".
const protobuf = require('protobufjs');

const istio = `syntax = "proto3"; package PACKAGE;`;
const own = {
  stats: 'message PluginConfig {}',
  'envoy.tcp.metadataexchange.config': 'message MetadataExchange { string protocol = 1; }',
  'istio.envoy.config.filter.http.alpn.v2alpha1':
    'message FilterConfig { message AlpnOverride { int32 upstream_protocol = 1; repeated string alpn_override = 2; } repeated AlpnOverride alpn_override = 1; }',
};

/** Loads what istiod's listeners and clusters hold. */
function load(root) {
  root.loadSync([
    'listener/original_dst/v3/original_dst', 'listener/tls_inspector/v3/tls_inspector', 'listener/http_inspector/v3/http_inspector',
    'network/mongo_proxy/v3/mongo_proxy', 'network/rbac/v3/rbac', 'http/cors/v3/cors', 'http/fault/v3/fault',
  ].map((name) => `envoy/extensions/filters/${name}.proto`), { keepCase: true });
  root.loadSync([
    'access_loggers/file/v3/file', 'request_id/uuid/v3/uuid', 'upstreams/http/v3/http_protocol_options',
  ].map((name) => `envoy/extensions/${name}.proto`), { keepCase: true });
  for (const [name, messages] of Object.entries(own)) protobuf.parse(istio.replace('PACKAGE', name) + messages, root, { keepCase: true });
}

const bare = (value) => value === null || typeof value !== 'object';
const nameOf = (url) => url.slice(url.lastIndexOf('/') + 1);

function duration(text) {
  const [whole, fraction = ''] = text.slice(0, -1).split('.');
  return { seconds: Number(whole), nanos: Number(fraction.padEnd(9, '0')) };
}

function structValue(value) {
  if (value === null) return { nullValue: 0 };
  if (Array.isArray(value)) return { listValue: { values: value.map(structValue) } };
  if (typeof value === 'object') return { structValue: struct(value) };
  return { number: { numberValue: value }, string: { stringValue: value }, boolean: { boolValue: value } }[typeof value];
}

const struct = (value) => ({ fields: Object.fromEntries(Object.entries(value).map(([key, one]) => [key, structValue(one)])) });

function any(root, value) {
  if (!value['@type']) return value;
  const { '@type': url, ...body } = value;
  const type = root.lookupType(nameOf(url));
  return { type_url: url, value: type.encode(type.fromObject(shape(root, type, body))).finish() };
}

/** What protobufjs takes for a value of a type. */
function shape(root, type, value) {
  const name = type.fullName.slice(1);
  if (name === 'google.protobuf.Any') return any(root, value);
  if (name === 'google.protobuf.Duration') return bare(value) ? duration(value) : value;
  if (name === 'google.protobuf.Struct') return struct(value);
  if (name.startsWith('google.protobuf.') && name.endsWith('Value')) return bare(value) ? { value } : value;
  if (bare(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => {
    const field = type.fields[key];
    if (!field) throw new Error(`${key} is no field of ${name}`);
    const inner = field.resolve().resolvedType;
    if (!(inner instanceof protobuf.Type)) return [key, one];
    const shaped = (item) => shape(root, inner, item);
    return [key, field.map ? Object.fromEntries(Object.entries(one).map(([entry, item]) => [entry, shaped(item)])) : field.repeated ? one.map(shaped) : shaped(one)];
  }));
}

module.exports = { load, any };
