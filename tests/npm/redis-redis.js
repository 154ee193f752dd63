// node-redis behind the few verbs of redis-checks.js.
'use strict';

const { createClient } = require('redis');

module.exports = async function open(port, version, tracking) {
  const client = createClient({ socket: { port, host: '127.0.0.1', reconnectStrategy: false }, RESP: version, emitInvalidate: tracking });
  client.on('error', (error) => console.error('client error', error.message));
  await client.connect();
  return {
    send: (...words) => client.sendCommand(words),
    map: async (name, key) => ({ ...(await client.hGetAll(key)) }),
    pipeline: (commands) => Promise.all(commands.map((words) => client.sendCommand(words))),
    transaction: (commands) => commands.reduce((multi, words) => multi.addCommand(words), client.multi()).exec(),
    async watched(key, meanwhile, commands) {
      await client.watch(key);
      await meanwhile();
      try {
        return await commands.reduce((multi, words) => multi.addCommand(words), client.multi()).exec();
      } catch (error) {
        if (error.constructor.name === 'WatchError') {
          return null;
        }

        throw error;
      }
    },
    async subscribe(channel, listener) {
      await client.subscribe(channel, listener);
      return () => client.unsubscribe(channel);
    },
    async psubscribe(pattern, listener) {
      await client.pSubscribe(pattern, listener);
      return () => client.pUnsubscribe(pattern);
    },
    onInvalidate: (listener) => client.on('invalidate', (key) => listener(`${key}`)),
    close: () => client.close(),
  };
};
