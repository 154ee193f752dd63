'use strict';
// A gRPC server that answers a call of /meshl4.test.Echo/Say with its name and what it was sent. Its name is the first argument; it says
// {"event":"listening","port":N} on standard output and ends with its standard input.
const grpc = require('@grpc/grpc-js');

const same = (bytes) => bytes;
const server = new grpc.Server();
server.addService(
  { Say: { path: '/meshl4.test.Echo/Say', requestStream: false, responseStream: false, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same } },
  { Say: (call, answer) => answer(null, Buffer.concat([Buffer.from(process.argv[2] + ' '), call.request])) });
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  process.stdout.write(JSON.stringify(error ? { event: 'error', message: String(error) } : { event: 'listening', port }) + '\n');
});
process.stdin.on('data', () => {}).on('end', () => process.exit(0));
