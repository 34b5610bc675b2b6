"""python-memcached: text, with pickles and flags."""

import memcache
from values import HOST, LARGE, PORT, UNICODE, same


def main():
    client = memcache.Client([f"{HOST}:{PORT}"], cache_cas=True)
    for name, value in [("p1", "text"), ("p2", 17), ("p3", UNICODE), ("p4", {"a": [1]}), ("p5", LARGE)]:
        assert client.set(name, value), name
        same(client.get(name), value, name)
    same(client.set_multi({f"q{i}": i for i in range(100)}), [], "set_multi")
    same(client.get_multi([f"q{i}" for i in range(150)]), {f"q{i}": i for i in range(100)}, "get_multi")
    same(client.incr("p2", 3), 20, "incr")
    same(client.decr("p2"), 19, "decr")
    same(client.gets("p1"), "text", "gets")
    assert client.cas("p1", "new"), "cas"
    assert client.append("p1", "er"), "append"
    assert client.prepend("p1", "a "), "prepend"
    same(client.get("p1"), "a newer", "append and prepend")
    assert client.touch("p1", 100), "touch"
    assert not client.add("p1", "x"), "add"
    assert client.replace("p1", "y"), "replace"
    assert client.set("p6", "z", min_compress_len=1), "compressed"
    assert client.delete("p1"), "delete"
    same(client.get("p1"), None, "after delete")
    same(client.delete_multi(["p2", "p3"]), 1, "delete_multi")
    assert client.get_stats()[0][1]["version"].startswith("1.6."), "stats"
    assert client.get_slab_stats() is not None, "slabs"
    print("text, pickles, multi, cas, stats")


main()
