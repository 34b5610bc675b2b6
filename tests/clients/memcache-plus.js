// memcache-plus: text, with promises.
'use strict';
const MemcachePlus = require('memcache-plus');
const { address, unicode, run, same } = require('./values.js');

run(async () => {
    const client = new MemcachePlus({ hosts: [address] });
    for (const [key, value] of [['u1', 'text'], ['u2', unicode], ['u3', { a: [1] }], ['u4', 17]]) {
        await client.set(key, value);
        same(await client.get(key), value, key);
    }
    const found = await client.getMulti(['u1', 'u4', 'none']);
    same([found.u1, found.u4, found.none], ['text', 17, null], 'getMulti');
    same(await client.incr('u4', 3), 20, 'incr');
    same(await client.decr('u4', 5), 15, 'decr');
    await client.set('u1', 'z'.repeat(200000), { compressed: true, ttl: 100 });
    same(await client.get('u1', { compressed: true }), 'z'.repeat(200000), 'compressed');
    const [value, cas] = await client.gets('u2');
    same(value, unicode, 'gets');
    same(await client.cas('u2', 'new', cas), true, 'cas');
    await client.append('u2', 's');
    await client.prepend('u2', 'a ');
    same(await client.get('u2'), 'a news', 'append and prepend');
    await client.delete('u2');
    same(await client.get('u2'), null, 'after delete');
    await client.version();
    return 'text, compressed, cas';
});
