'use strict';
// A gRPC client that takes its configuration from a control plane, with npm @grpc/grpc-js-xds; GRPC_XDS_BOOTSTRAP names its bootstrap.
//   {"do":"call","target":"xds:///service","text":"x"} -> {"event":"answer","text":".."} or {"event":"failed","code":14,"details":".."}
const readline = require('readline');
const grpc = require('@grpc/grpc-js');
require('@grpc/grpc-js-xds').register();

const same = (bytes) => bytes;
const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const clients = new Map();
const clientOf = (target) => {
  if (!clients.has(target)) clients.set(target, new grpc.Client(target, grpc.credentials.createInsecure()));
  return clients.get(target);
};

function call({ target, text }) {
  const deadline = new Date(Date.now() + 15000);
  clientOf(target).makeUnaryRequest('/meshl4.test.Echo/Say', same, same, Buffer.from(text), new grpc.Metadata(), { deadline }, (error, answer) => {
    tell(error ? { event: 'failed', code: error.code, details: error.details } : { event: 'answer', text: answer.toString() });
  });
}

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => call(JSON.parse(line)));
lines.on('close', () => process.exit(0));
