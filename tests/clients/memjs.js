// memjs: binary, with SASL.
'use strict';
const memjs = require('memjs');
const { address, guarded, large, unicode, run, same } = require('./values.js');

const text = async (client, key) => {
    const { value } = await client.get(key);
    return value === null ? null : value.toString();
};

const exercise = async (client) => {
    for (const [key, value] of [['j1', '1'], ['j2', large], ['j3', unicode]]) {
        same(await client.set(key, value, { expires: 100 }), true, key);
        same(await text(client, key), value, key);
    }
    same(await client.add('j1', 'x', {}), false, 'add');
    same(await client.replace('j1', '2', {}), true, 'replace');
    same(await client.replace('none', '2', {}), false, 'replace of nothing');
    // Its prepend sends the opcode of append.
    await client.append('j1', '3');
    same(await text(client, 'j1'), '23', 'append');
    await client.delete('j4');
    same((await client.increment('j4', 5, { initial: 10 })).value, 10, 'a new count');
    same((await client.increment('j4', 5, { initial: 10 })).value, 15, 'increment');
    same((await client.decrement('j4', 7, { initial: 10 })).value, 8, 'decrement');
    same(await client.touch('j1', 100), true, 'touch');
    same(await client.delete('j1'), true, 'delete');
    same(await text(client, 'j1'), null, 'after delete');
    await Promise.all([...Array(100).keys()].map((i) => client.set(`k${i}`, `${i}`, {})));
};

run(async () => {
    await exercise(memjs.Client.create(address));
    await exercise(memjs.Client.create(guarded, { username: 'user', password: 'secret' }));
    return 'binary, SASL';
});
