"""aiomcache: text, many at once."""

import asyncio

import aiomcache
from values import BINARY, HOST, LARGE, PORT, UNICODE, same


async def main():
    client = aiomcache.Client(HOST, PORT, pool_size=4)
    for name, value in [(b"a1", b"1"), (b"a2", LARGE), (b"a3", BINARY), (b"a4", UNICODE.encode())]:
        assert await client.set(name, value), name
        same(await client.get(name), value, name)
    await asyncio.gather(*(client.set(b"g%d" % i, b"%d" % i) for i in range(100)))
    found = await client.multi_get(*(b"g%d" % i for i in range(100)))
    same(found, tuple(b"%d" % i for i in range(100)), "multi_get")
    await client.set(b"n", b"1")
    same(await client.incr(b"n", 4), 5, "incr")
    same(await client.decr(b"n", 9), 0, "decr")
    value, token = await client.gets(b"a1")
    same(value, b"1", "gets")
    assert await client.cas(b"a1", b"2", token), "cas"
    assert await client.append(b"a1", b"3"), "append"
    assert await client.prepend(b"a1", b"1"), "prepend"
    same(await client.get(b"a1"), b"123", "append and prepend")
    assert not await client.add(b"a1", b"x"), "add"
    assert await client.replace(b"a1", b"y"), "replace"
    assert await client.touch(b"a1", 100), "touch"
    assert await client.delete(b"a1"), "delete"
    same(await client.get(b"a1"), None, "after delete")
    assert (await client.version()).startswith(b"1.6."), "version"
    assert await client.stats(), "stats"
    await client.close()
    print("text, concurrent, stats")


asyncio.run(main())
