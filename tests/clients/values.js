// What the programs for Node share.
'use strict';
const assert = require('assert');

exports.address = `127.0.0.1:${process.env.PORT}`;
exports.guarded = `127.0.0.1:${process.env.GUARDED_PORT}`;
exports.large = '0123456789abcdef'.repeat(60000);
exports.unicode = 'größer, 大きい, 🦀';

// A function with a callback as last argument, called with these.
exports.call = (owner, name, ...args) =>
    new Promise((resolve, reject) =>
        owner[name](...args, (error, value) => (error ? reject(error) : resolve(value))));

exports.run = (main) =>
    main().then(
        (said) => { console.log(said); process.exit(0); },
        (error) => { console.error(error); process.exit(1); });

exports.same = (found, expected, what) => assert.deepStrictEqual(found, expected, what);
