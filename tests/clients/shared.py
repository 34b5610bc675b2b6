"""Keys that clients share: shared.py CLIENT write|read SERVERS [WRITER...]

`write` stores the keys of this client, each client its own. `read` says of each writer
how many of its keys are found, and fails where a value is another one. SERVERS are
HOST:PORT, with commas between them; where there are several, the client places the
keys as it does by itself.
"""

import asyncio
import os
import sys

KEYS = 60


def expected(writer, number):
    return f"{writer} wrote {number}".encode()


def servers_of(text):
    return [(host, int(port)) for host, port in (one.rsplit(":", 1) for one in text.split(","))]


def pymemcache(servers):
    from pymemcache.client.hash import HashClient

    client = HashClient(servers)
    return lambda key, value: client.set(key, value, noreply=False), client.get


def python_memcached(servers):
    import memcache

    client = memcache.Client([f"{host}:{port}" for host, port in servers])
    return client.set, client.get


def pylibmc(servers):
    import pylibmc

    client = pylibmc.Client([f"{host}:{port}" for host, port in servers])
    return client.set, client.get


def awaited(loop, function):
    return lambda *args: loop.run_until_complete(function(*args))


def aiomcache(servers):
    import aiomcache

    loop = asyncio.new_event_loop()
    ((host, port),) = servers  # It knows one server and no more.
    client = aiomcache.Client(host, port)
    store = awaited(loop, client.set)
    fetch = awaited(loop, client.get)
    return lambda key, value: store(key.encode(), value), lambda key: fetch(key.encode())


def emcache(servers):
    import emcache

    loop = asyncio.new_event_loop()
    addresses = [emcache.MemcachedHostAddress(host, port) for host, port in servers]
    client = loop.run_until_complete(emcache.create_client(addresses, timeout=10.0))

    async def store(key, value):
        await client.set(key.encode(), value)
        return True

    async def fetch(key):
        item = await client.get(key.encode())
        return item and item.value

    return awaited(loop, store), awaited(loop, fetch)


def found(fetch, writer):
    count = 0
    for number in range(KEYS):
        value = fetch(f"shared-{writer}-{number}")
        value = value.encode() if isinstance(value, str) else value
        if value is not None:
            assert value == expected(writer, number), f"{writer}, {number}: {value!r}"
            count += 1
    return count


def main():
    me, what, servers, *writers = sys.argv[1:]
    store, fetch = globals()[me.replace("-", "_")](servers_of(servers))
    if what == "write":
        for number in range(KEYS):
            assert store(f"shared-{me}-{number}", expected(me, number)), f"set {number}"
    for writer in writers:
        print(me, writer, found(fetch, writer), KEYS)


main()
# At once: clients that are left with their loops complain of it.
sys.stdout.flush()
os._exit(0)
