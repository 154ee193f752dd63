// ioredis behind the few verbs of redis-checks.js.
'use strict';

const Redis = require('ioredis');

module.exports = async function open(port, version) {
  const redis = new Redis({ port, host: '127.0.0.1', protocol: version, maxRetriesPerRequest: 0, retryStrategy: null, lazyConnect: true });
  const messages = new Map();
  redis.on('message', (channel, message) => messages.get(channel)?.(message));
  redis.on('pmessage', (pattern, channel, message) => messages.get(pattern)?.(message));
  await redis.connect();
  const values = (results) => results.map(([error, value]) => {
    if (error) {
      throw error;
    }

    return value;
  });
  return {
    send: (name, ...words) => redis.call(name, ...words),
    map: (name, ...words) => redis[name.toLowerCase()](...words),
    pipeline: async (commands) => values(await redis.pipeline(commands.map(([name, ...words]) => ['call', name, ...words])).exec()),
    transaction: async (commands) => values(await commands.reduce((multi, [name, ...words]) => multi.call(name, ...words), redis.multi()).exec()),
    async watched(key, meanwhile, commands) {
      await redis.watch(key);
      await meanwhile();
      const results = await commands.reduce((multi, [name, ...words]) => multi.call(name, ...words), redis.multi()).exec();
      return results && values(results);
    },
    async subscribe(channel, listener) {
      messages.set(channel, listener);
      await redis.subscribe(channel);
      return () => redis.unsubscribe(channel);
    },
    async psubscribe(pattern, listener) {
      messages.set(pattern, listener);
      await redis.psubscribe(pattern);
      return () => redis.punsubscribe(pattern);
    },
    close: () => redis.quit(),
  };
};
