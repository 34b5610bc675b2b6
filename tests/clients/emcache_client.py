"""emcache: text, batched, with a name and password."""

import asyncio

import emcache
from values import BINARY, GUARDED_PORT, HOST, LARGE, PORT, UNICODE, same


async def run(client):
    for name, value in [(b"e1", b"1"), (b"e2", LARGE), (b"e3", BINARY), (b"e4", UNICODE.encode())]:
        await client.set(name, value)
        same((await client.get(name)).value, value, name)
    await asyncio.gather(*(client.set(b"f%d" % i, b"%d" % i) for i in range(100)))
    same(len(await client.get_many([b"f%d" % i for i in range(150)])), 100, "get_many")
    await client.set(b"n", b"1")
    same(await client.increment(b"n", 4), 5, "increment")
    same(await client.decrement(b"n", 9), 0, "decrement")
    item = await client.gets(b"e1")
    await client.cas(b"e1", b"2", item.cas)
    await client.append(b"e1", b"3")
    await client.prepend(b"e1", b"1")
    same((await client.get(b"e1")).value, b"123", "append and prepend")
    try:
        await client.add(b"e1", b"x")
        raise AssertionError("added what is there")
    except emcache.NotStoredStorageCommandError:
        pass
    await client.touch(b"e1", 100)
    same((await client.gat(100, b"e1")).value, b"123", "gat")
    await client.delete(b"e1")
    same(await client.get(b"e1"), None, "after delete")


async def main():
    for batching in (False, True):
        client = await emcache.create_client(
            [emcache.MemcachedHostAddress(HOST, PORT)], autobatching=batching, timeout=10.0
        )
        await run(client)
        await client.close()
    guarded = await emcache.create_client(
        [emcache.MemcachedHostAddress(HOST, GUARDED_PORT)],
        username="user",
        password="secret",
        timeout=10.0,
    )
    await run(guarded)
    await guarded.close()
    print("text, batched, auth")


asyncio.run(main())
