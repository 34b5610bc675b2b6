// Keys that clients share: shared.js CLIENT write|read SERVERS [WRITER...], as shared.py.
'use strict';
const assert = require('assert');
const { call } = require('./values.js');

const KEYS = 60;
const expected = (writer, number) => `${writer} wrote ${number}`;

const clients = {
    memjs: (servers) => {
        const client = require('memjs').Client.create(servers.join(','));
        const text = ({ value }) => (value === null ? undefined : value.toString());
        return {
            store: (key, value) => client.set(key, value, {}),
            fetch: async (key) => text(await client.get(key)),
        };
    },
    memcached: (servers) => {
        const client = new (require('memcached'))(servers);
        return {
            store: (key, value) => call(client, 'set', key, value, 0),
            fetch: (key) => call(client, 'get', key),
        };
    },
    'memcache-plus': (servers) => {
        const client = new (require('memcache-plus'))({ hosts: servers });
        return {
            store: (key, value) => client.set(key, value).then(() => true),
            fetch: (key) => client.get(key),
        };
    },
};

const found = async (fetch, writer) => {
    let count = 0;
    for (let number = 0; number < KEYS; number++) {
        const value = await fetch(`shared-${writer}-${number}`);
        if (value !== undefined && value !== null) {
            assert.strictEqual(value.toString(), expected(writer, number), `${writer}, ${number}`);
            count++;
        }
    }
    return count;
};

const main = async () => {
    const [me, what, servers, ...writers] = process.argv.slice(2);
    const { store, fetch } = clients[me](servers.split(','));
    if (what === 'write') {
        for (let number = 0; number < KEYS; number++) {
            assert.strictEqual(await store(`shared-${me}-${number}`, expected(me, number)), true);
        }
    }
    for (const writer of writers) {
        console.log(me, writer, await found(fetch, writer), KEYS);
    }
};

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
