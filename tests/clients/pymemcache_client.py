"""pymemcache: text, its own defaults (noreply) and without them."""

import time

from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from values import BINARY, GUARDED_PORT, HOST, LARGE, PORT, UNICODE, same


def run(client):
    same(client.set("k", b"1"), True, "set")
    same(client.get("k"), b"1", "get")
    for name, value in [("large", LARGE), ("binary", BINARY), ("unicode", UNICODE.encode())]:
        client.set(name, value)
        same(client.get(name), value, name)
    client.set_many({f"m{i}": str(i) for i in range(100)})
    same(len(client.get_many([f"m{i}" for i in range(150)])), 100, "get_many")
    client.set("n", b"10")
    same(client.incr("n", 5), 15, "incr")
    same(client.decr("n", 20), 0, "decr")
    same(client.incr("none", 1), None, "incr of nothing")
    value, token = client.gets("k")
    same(value, b"1", "gets")
    same(client.cas("k", b"2", token, noreply=False), True, "cas")
    same(client.cas("k", b"3", token, noreply=False), False, "cas of another")
    same(client.cas("none", b"3", token, noreply=False), None, "cas of nothing")
    same(client.add("k", b"x", noreply=False), False, "add")
    same(client.replace("none", b"x", noreply=False), False, "replace")
    client.append("k", b"34")
    client.prepend("k", b"01")
    same(client.get("k"), b"01234", "append and prepend")
    same(client.touch("k", 100, noreply=False), True, "touch")
    client.set("short", b"1", expire=1)
    same(client.get("short"), b"1", "before its end")
    client.delete("k")
    same(client.get("k", "gone"), "gone", "delete")
    same(client.delete("k", noreply=False), False, "delete of nothing")


def expires(client):
    deadline = time.monotonic() + 10
    while client.get("short") is not None:
        assert time.monotonic() < deadline, "it does not expire"
        time.sleep(0.1)


def main():
    for noreply in (True, False):
        client = Client((HOST, PORT), default_noreply=noreply)
        run(client)
        expires(client)
        assert client.version().startswith(b"1.6."), client.version()
        stats = client.stats()
        assert stats[b"cmd_get"] > 100, stats
        assert client.stats("settings")[b"maxconns"] > 0
        client.close()
    run(PooledClient((HOST, PORT), max_pool_size=4))
    run(HashClient([(HOST, PORT)]))
    guarded = Client((HOST, GUARDED_PORT))
    same(guarded.set("auth", b"user secret", noreply=False), True, "who it is")
    same(guarded.get("none"), None, "get after that")
    print("text, noreply, pooled, hashed, stats, auth")


main()
