// What both Redis clients are asked to do. usage: node redis-checks.js ioredis|redis PORT VERSION [CHECK LEFT OUT...]
// Prints "ok NAME" for each check and ends with 0 when all hold.
'use strict';

const assert = require('node:assert/strict');

const [library, port, version, ...without] = process.argv.slice(2);
const open = require(`./redis-${library}.js`);

const checks = {
  async pipeline(client) {
    const keys = Array.from({ length: 500 }, (_, i) => `pipe:${i}`);
    await client.pipeline(keys.map((key, i) => ['SET', key, `${i}`]));
    assert.deepEqual(await client.pipeline(keys.map((key) => ['GET', key])), keys.map((_, i) => `${i}`));
    assert.deepEqual(await client.send('MGET', ...keys), keys.map((_, i) => `${i}`));
    assert.equal(await client.send('DEL', ...keys), 500);
  },

  async concurrent(client) {
    await Promise.all(Array.from({ length: 200 }, () => client.send('INCR', 'counter')));
    assert.equal(await client.send('GET', 'counter'), '200');
  },

  async binary(client) {
    const value = '\r\n*3\r\n$-1\r\n'.repeat(20000);
    await client.send('SET', 'binary', value);
    assert.equal(await client.send('GET', 'binary'), value);
  },

  async errors(client) {
    await client.send('SET', 'text', 'x');
    await assert.rejects(client.send('INCR', 'text'), /ERR value is not an integer/);
    await assert.rejects(client.send('NOSUCH', 'x'), /ERR unknown command/);
    await assert.rejects(client.send('LPUSH', 'text', '1'), /WRONGTYPE/);
    assert.equal(await client.send('GET', 'text'), 'x');
  },

  async transaction(client) {
    const results = await client.transaction([['SET', 't{1}', '1'], ['INCR', 't{1}'], ['GET', 't{1}']]);
    assert.deepEqual(results, ['OK', 2, '2']);
  },

  async watch(client, other) {
    await client.send('SET', 'w', '1');
    const alone = await client.watched('w', () => {}, [['SET', 'w', '2']]);
    assert.deepEqual(alone, ['OK']);
    const beaten = await client.watched('w', () => other.send('SET', 'w', '9'), [['SET', 'w', '3']]);
    assert.equal(beaten, null);
    assert.equal(await client.send('GET', 'w'), '9');
  },

  async subscribe(client, other) {
    const seen = [];
    const stop = await other.subscribe('news', (message) => seen.push(message));
    const stopPattern = await other.psubscribe('n?ws', (message) => seen.push(`p:${message}`));
    assert.equal(await client.send('PUBLISH', 'news', 'hello'), 2);
    await until(() => seen.length === 2);
    assert.deepEqual(seen.sort(), ['hello', 'p:hello']);
    await stop();
    assert.equal(await client.send('PUBLISH', 'news', 'again'), 1);
    await until(() => seen.length === 3);
    await stopPattern();
    assert.equal(await client.send('PUBLISH', 'news', 'nobody'), 0);
    await other.send('SET', 'after', '1');
    assert.equal(`${await other.send('GET', 'after')}`, '1');
  },

  async blocking(client, other) {
    const waiting = other.send('BLPOP', 'queue', '0');
    await blocked(client);
    await client.send('RPUSH', 'queue', 'job');
    assert.deepEqual(await waiting, ['queue', 'job']);
    for (const [wait, push, answer] of [
      [['BRPOP', 'queue', '0'], ['LPUSH', 'queue', 'last'], '["queue","last"]'],
      [['BZPOPMIN', 'scores', '0'], ['ZADD', 'scores', '1', 'least'], '["scores","least","1"]'],
    ]) {
      const popped = other.send(...wait);
      await blocked(client);
      await client.send(...push);
      assert.equal(JSON.stringify((await popped).map(String)), answer);
    }

    assert.equal(await other.send('BLPOP', 'queue', '0.05'), null);
    assert.equal(await other.send('PING'), 'PONG');
  },

  async scripts(client) {
    const source = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";
    assert.deepEqual(await client.send('EVAL', source, '1', 'script', 'a'), ['script', 'a', 1]);
    const digest = await client.send('SCRIPT', 'LOAD', source);
    assert.deepEqual(await client.send('EVALSHA', digest, '1', 'script', 'b'), ['script', 'b', 2]);
    assert.deepEqual(await client.send('SCRIPT', 'EXISTS', digest, '0'.repeat(40)), [1, 0]);
    await assert.rejects(client.send('EVALSHA', '0'.repeat(40), '0'), /NOSCRIPT/);
  },

  async streams(client, other) {
    const waiting = other.send('XREAD', 'BLOCK', '0', 'STREAMS', 'stream', '0');
    await blocked(client);
    const id = await client.send('XADD', 'stream', '*', 'field', 'value');
    assert.match(JSON.stringify(await waiting), new RegExp(`"stream".*"${id}".*"field".*"value"`));
    await client.send('XGROUP', 'CREATE', 'stream', 'group', '0');
    const read = await client.send('XREADGROUP', 'GROUP', 'group', 'me', 'COUNT', '1', 'STREAMS', 'stream', '>');
    assert.match(JSON.stringify(read), new RegExp(id));
    assert.equal(await client.send('XACK', 'stream', 'group', id), 1);
  },

  async databases(client, other) {
    await client.send('SELECT', '3');
    await client.send('SET', 'only', 'three');
    assert.equal(await other.send('GET', 'only'), null);
    await client.send('SELECT', '0');
    assert.equal(await client.send('GET', 'only'), null);
    await assert.rejects(client.send('SELECT', '99'), /DB index is out of range/);
  },

  async scanning(client) {
    await client.pipeline(Array.from({ length: 300 }, (_, i) => ['SET', `scan:${i}`, '1']));
    const seen = new Set();
    let cursor = '0';
    do {
      const [next, keys] = await client.send('SCAN', cursor, 'MATCH', 'scan:*', 'COUNT', '40');
      keys.forEach((key) => seen.add(key));
      cursor = `${next}`;
    } while (cursor !== '0');
    assert.equal(seen.size, 300);
  },
};

// Version 3 only.
const version3 = {
  // Messages come between the answers of the connection that is subscribed.
  async push(client, other) {
    const seen = [];
    const stop = await other.subscribe('pushed', (message) => seen.push(message));
    for (let i = 0; i < 20; i++) {
      assert.equal(await client.send('PUBLISH', 'pushed', `${i}`), 1);
      await other.send('SET', 'between', `${i}`);
      assert.equal(await other.send('GET', 'between'), `${i}`);
    }

    await until(() => seen.length === 20);
    assert.deepEqual(seen, Array.from({ length: 20 }, (_, i) => `${i}`));
    await stop();
    assert.equal(await client.send('PUBLISH', 'pushed', 'nobody'), 0);
    assert.equal(await other.send('GET', 'between'), '19');
  },

  async tracking(client, other) {
    if (!other.onInvalidate) {
      // ioredis takes invalidations off the wire and tells nobody: that they do not disturb it is what is seen.
      await other.send('CLIENT', 'TRACKING', 'ON');
      await other.send('GET', 'tracked');
      await client.send('SET', 'tracked', '1');
      assert.equal(await other.send('GET', 'tracked'), '1');
      return;
    }

    const seen = [];
    other.onInvalidate((key) => seen.push(key));
    await other.send('CLIENT', 'TRACKING', 'ON');
    await other.send('GET', 'tracked');
    await client.send('SET', 'tracked', '1');
    await until(() => seen.includes('tracked'));
    assert.equal(await other.send('GET', 'tracked'), '1');
  },

  async types(client) {
    await client.send('HSET', 'hash', 'a', '1');
    assert.deepEqual(await client.map('HGETALL', 'hash'), { a: '1' });
    await client.send('ZADD', 'zset', '1.5', 'm');
    assert.equal(Number(await client.send('ZSCORE', 'zset', 'm')), 1.5);
  },
};

// Until a client is seen waiting, or for a moment: behind several servers the one that tells may not be the one that waits.
async function blocked(client) {
  for (let i = 0; i < 50 && !/blocked_clients:[1-9]/.test(await client.send('INFO', 'clients')); i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function until(holds) {
  for (let i = 0; i < 2000; i++) {
    if (await holds()) {
      return;
    }

    await new Promise((resolve) => setTimeout(resolve, 5));
  }

  assert.fail('did not happen');
}

async function main() {
  const client = await open(Number(port), Number(version));
  await client.send('FLUSHALL');
  const all = version === '3' ? { ...checks, ...version3 } : checks;
  for (const [name, check] of Object.entries(all).filter(([name]) => !without.includes(name))) {
    const other = await open(Number(port), Number(version), name === 'tracking');
    await check(client, other);
    await other.close();
    console.log(`ok ${name}`);
  }

  await client.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
