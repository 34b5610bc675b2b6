// memcached, the client: text.
'use strict';
const Memcached = require('memcached');
const { address, large, unicode, call, run, same } = require('./values.js');

run(async () => {
    const client = new Memcached(address);
    const does = (name, ...args) => call(client, name, ...args);
    for (const [key, value] of [['s1', '1'], ['s2', large], ['s3', unicode], ['s4', { a: [1] }]]) {
        same(await does('set', key, value, 100), true, key);
        same(await does('get', key), value, key);
    }
    await Promise.all([...Array(100).keys()].map((i) => does('set', `t${i}`, `${i}`, 0)));
    const found = await does('getMulti', [...Array(150).keys()].map((i) => `t${i}`));
    same(Object.keys(found).length, 100, 'getMulti');
    same(await does('incr', 's1', 4), 5, 'incr');
    same(await does('decr', 's1', 9), 0, 'decr');
    const { cas } = await does('gets', 's3');
    same(await does('cas', 's3', 'new', cas, 0), true, 'cas');
    same(await does('cas', 's3', 'newer', cas, 0), false, 'cas of another');
    same(await does('append', 's3', 's'), true, 'append');
    same(await does('prepend', 's3', 'a '), true, 'prepend');
    same(await does('get', 's3'), 'a news', 'append and prepend');
    same(await does('touch', 's3', 100), true, 'touch');
    same(await does('del', 's3'), true, 'del');
    same(await does('get', 's3'), undefined, 'after del');
    same((await does('version'))[0].version.startsWith('1.6.'), true, 'version');
    same((await does('stats')).length, 1, 'stats');
    same((await does('settings')).length, 1, 'settings');
    same((await does('items')).length, 1, 'items');
    same((await does('slabs')).length, 1, 'slabs');
    return 'text, multi, cas, stats';
});
