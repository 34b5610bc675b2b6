"""pylibmc, which is libmemcached: text and binary, pipelined, with SASL."""

import pylibmc
from values import BINARY, GUARDED_PORT, HOST, LARGE, PORT, UNICODE, same


def run(client, binary):
    for name, value in [("l1", "text"), ("l2", 17), ("l3", UNICODE), ("l4", LARGE), ("l5", BINARY)]:
        assert client.set(name, value), name
        same(client.get(name), value, name)
    same(client.set_multi({f"n{i}": i for i in range(100)}), [], "set_multi")
    same(len(client.get_multi([f"n{i}" for i in range(150)])), 100, "get_multi")
    client.set("c", 10)
    same(client.incr("c", 5), 15, "incr")
    same(client.decr("c", 3), 12, "decr")
    assert client.append("l1", "s"), "append"
    assert client.prepend("l1", "a "), "prepend"
    same(client.get("l1"), "a texts", "append and prepend")
    assert not client.add("l1", "x"), "add"
    assert client.replace("l1", "y"), "replace"
    # By text libmemcached 1.1 waits for more than TOUCHED, of memcached too.
    if binary:
        assert client.touch("l1", 100), "touch"
    assert client.delete("l1"), "delete"
    same(client.get("l1"), None, "after delete")
    assert not client.delete("l1"), "delete of nothing"
    assert client.get_stats()[0][1], "stats"


def compares(client):
    client.set("t", "1")
    value, token = client.gets("t")
    same(value, "1", "gets")
    assert client.cas("t", "2", token), "cas"
    assert not client.cas("t", "3", token), "cas of another"


def main():
    done = []
    for binary in (False, True):
        for behaviors in ({}, {"tcp_nodelay": True}):
            behaviors = dict(behaviors, cas=True)
            client = pylibmc.Client([f"{HOST}:{PORT}"], binary=binary, behaviors=behaviors)
            run(client, binary)
            compares(client)
        done.append("binary" if binary else "text")
    done.append(signs_in())
    print(", ".join(done))


def guarded(password):
    return pylibmc.Client(
        [f"{HOST}:{GUARDED_PORT}"], binary=True, username="user", password=password
    )


def signs_in():
    if not pylibmc.support_sasl:
        return "no SASL in this build"
    try:
        guarded("secret").set("k", "1")
    except pylibmc.Error as error:
        # The packaged library finds no plugin for any mechanism, and gives up
        # before it sends a name.
        if "FAILED TO SEND AUTHENTICATION" not in str(error):
            raise
        return "no SASL plugin"
    run(guarded("secret"), True)
    try:
        guarded("wrong").set("k", "1")
    except pylibmc.Error:
        return "SASL"
    raise AssertionError("a wrong password is let in")


main()
