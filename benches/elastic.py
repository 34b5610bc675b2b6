#!/usr/bin/env python3
"""What clients meet while a cluster of real ringcached processes grows, shrinks and
loses nodes.

    cargo build --release
    benches/elastic.py                   # about ten minutes
    benches/elastic.py --quick           # few items, for CI; times mean little
    benches/elastic.py --only join,drain # some of it

Each case has a cluster of its own on this machine. Clients ask all nodes at a
modest, even rate, each for its next key when the last one is answered, 90 % reads,
for keys that were stored before and are never deleted: a miss is a fault. Each
write of a key has a number, and an answer older than what was acknowledged is a
lost write. Latencies are from sending; beside them those from when a request was
due, in which all count that a slow answer held up. The quiet ones are of the same
clients just before. One more client reads 100 keys at a time, again and again, to
meet what few reads would not; it is not in the latencies. Markdown goes to stdout,
each step as a line of JSON to --out. What could not be measured is named. Linux
only: memory is read from /proc.

join      3 nodes become 4, then 5.
drain     5 nodes become 4, then 3, by SIGTERM.
restart   Each node in turn is stopped at once and started again with the same
          arguments, before it has lost its slots: killed; and told to stop by
          SIGINT, with a warm file.
kill      One of 5 is killed and loses its slots; when all copies are there again,
          another. Every key is read after each.
counters  8 clients count while nodes join, drain and restart.
deletes   Keys are deleted, then all are flushed, while a node stands still: for
          less than --grace, and for longer. Then each node is asked for them.
bulk      A node full of 1 KiB items is joined by a second one, with nothing to hold back
          what is moved and no clients: how fast that goes, from a tenth to nine
          tenths of it, beside a bare QUIC stream between two processes
          (benches/stream.rs) just before and just after.

moved     What nodes brought to others, by their own count, over the least that the
          change needs: the fair share of the node that comes or goes. For bytes,
          those of keys and values.
memory    The most a node had during a change over what it had just before; for the
          node that comes, over what it has once it is settled.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import clients
import measure
import nodes
from clients import Load
from measure import Failed, note, table
from nodes import Cluster

MIB = 1 << 20
COUNTERS, COUNTING, COUNTING_RATE = 100, 8, 400
# Longer than a death goes unnoticed with any profile but wan.
STANDS_S, KILL_GRACE_S = 4, 5
LONG_S = 10
# What is moved in bulk; how often it is looked at; and how far behind others a node has it stand.
BULK_BYTES, BULK_LOOK_S, BULK_NICE = 1024, 0.02, 10

# Of each case, what is to be reached: at most.
MISSES, OLDER, ERRORS = "reads that miss", "answers older than acknowledged", "errors"
LATENCY, ITEMS, BYTES = "p99 from due over quiet", "items moved over the least", "bytes moved over the least"
MEMORY, EXIT = "MiB more memory in a node", "exit code"
SLOTS, LOST = "slots that changed owner", "acknowledged writes lost"
CHANGE = {MISSES: 0, OLDER: 0, ERRORS: 0, LATENCY: 2, ITEMS: 1.1, BYTES: 1.1, MEMORY: 64}
COUNTS_LOST, COUNTS_MORE = "acknowledged increments lost", "increments that nobody asked for"
BACK, GONE = "deleted or flushed items that came back", "other items that are gone"
BULK = "speed of a bare QUIC stream over it, median"
GOALS = {
    "join": CHANGE,
    "drain": {**CHANGE, EXIT: 0},
    "restart": {MISSES: 0, OLDER: 0, SLOTS: 0},
    "kill": {LOST: 0, OLDER: 0},
    "counters": {COUNTS_LOST: 0, COUNTS_MORE: 0, MISSES: 0},
    "deletes": {BACK: 0, GONE: 0},
    # 0.7 of that speed.
    "bulk": {BULK: 1 / 0.7, MEMORY: 64},
}
# Those that few items and a short look say nothing of.
SLOW = (LATENCY, MEMORY, ITEMS, BYTES, BULK)


class Report:
    """What came of it, and beside what was to be reached."""

    def __init__(self, options):
        self.options, self.reached, self.why, self.gave_up = options, {}, {}, False
        self.out = open(options.out, "a", encoding="utf-8")

    def keep(self, case, step, record):
        print(json.dumps({"case": case, "step": step, **record}), file=self.out, flush=True)

    def reach(self, case, goal, value, why=""):
        """The worst of all steps counts; nothing is worse than any."""
        if value is None:
            self.why[case, goal] = why
        elif value > self.reached.get((case, goal), -1):
            self.reached[case, goal] = value

    def give_up(self, case, error):
        self.gave_up = True
        # What a server said may be long.
        why = f"gave up: {(str(error) or repr(error)).splitlines()[0].replace('|', '/')}"
        self.keep(case, "gave up", {"why": str(error)})
        for goal in GOALS[case]:
            self.why.setdefault((case, goal), why)

    def rows(self, cases):
        for case in cases:
            for goal, most in GOALS[case].items():
                value, why = self.reached.get((case, goal)), self.why.get((case, goal))
                yield [case, goal, short(most), short(value) or "not measured", self.verdict(goal, most, value, why)]

    def verdict(self, goal, most, value, why):
        if value is not None and most is not None and value > most and not self.is_moot(goal):
            return f"missed; in part not measured: {why}" if why else "missed"
        if why or value is None:
            return f"not measured: {why}"
        if self.is_moot(goal):
            return "not judged: --quick"
        return "met"

    def is_moot(self, goal):
        return self.options.quick and goal in SLOW

    def goals(self, cases):
        rows = list(self.rows(cases))
        table("What was to be reached", ["case", "figure", "at most", "worst", ""], rows)
        self.keep("goals", "all", {"goals": [dict(zip(["case", "figure", "most", "worst", "verdict"], row)) for row in rows]})
        return not self.gave_up and not any(row[-1].startswith("missed") for row in rows)


@contextmanager
def tabled(title, columns):
    """What there is of it is told, whatever happens."""
    rows = []
    try:
        yield rows
    finally:
        if rows:
            table(title, columns, rows)


def short(value):
    if isinstance(value, float):
        return f"{value:.2f}"
    return "" if value is None else str(value)


def ms(seconds):
    return "" if seconds is None else f"{seconds * 1000:.2f}"


def percentile(values, share):
    """Nothing of nothing."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else None


def met(figures, until=None):
    """The figures of some time, in which what was answered after `until` is not in
    the latencies."""

    def upto(done_at, took):
        return [seconds for at, seconds in zip(done_at, took) if until is None or at <= until]

    took, due = upto(figures["done_at"], figures["took"]), upto(figures["due_done_at"], figures["due_took"])
    counts, errors = figures["counts"], figures["errors"]
    return {
        "seconds": figures["seconds"], "answers": len(took), "client_cpu_s": figures["cpu_s"],
        "p50_s": percentile(took, 0.5), "p99_s": percentile(took, 0.99), "max_s": max(took, default=None),
        "due_p99_s": percentile(due, 0.99),
        "reads": counts["reads"], "writes": counts["writes"], "increments": counts["increments"],
        "misses": counts["misses"], "stale": counts["stale"], "told_twice": counts["told_twice"],
        "cut": counts["cut"], "errors": sum(errors.values()) + counts["cut"],
        "errors_said": dict(errors.most_common(10)), "examples": figures["examples"],
    }


def grace(seconds):
    return f"--grace {seconds}s"


@contextmanager
def loaded(options, report, case, count, grace_s=None, warm=False):
    """A cluster with all items in it, and clients that ask it."""
    note(f"{case}: {count} nodes, {options.items} items")
    with Cluster(options, count, grace(grace_s or options.grace_s), warm) as cluster:
        with Load("items", (options.items, 0.9), cluster.clients(), options.rate) as load:
            load.ask("fill")
            if cluster.await_settled(options.settles_s) is None:
                raise Failed(f"the filled cluster does not settle: {cluster.unrest()}")
            note(f"{case}: filled, {cluster.items()} copies")
            load.ask("run")
            time.sleep(options.warm_s)
            yield cluster, load
            if cluster.evictions():
                note(f"{case}: {cluster.evictions()} items were evicted: a miss may be one of them")
                report.keep(case, "evictions", {"evictions": cluster.evictions()})


def step(options, report, case, name, cluster, load, act):
    """Looks while it is quiet, acts, and looks until all is settled."""
    note(f"{case}: {name}")
    quiet_at = time.monotonic()
    load.ask("look")
    time.sleep(options.quiet_s)
    quiet = met(load.ask("look"))
    there, steady = cluster.nodes(), {}
    for node in there:
        steady[node.name] = node.rss_max(quiet_at)
        node.begin_peak()
    moved, upsets = cluster.moved(), Counter(cluster.upsets())
    load.ask("look")
    began = time.monotonic()
    record = act(cluster, load)
    settled_at = cluster.await_settled(options.settles_s)
    peaks = {node.name: node.peak(began) for node in [*there, *cluster.nodes()]}
    during = met(load.ask("look"), settled_at)
    for node in cluster.nodes():
        # The memory of the one that came is held to what it keeps in the end.
        steady.setdefault(node.name, node.rss_max(time.monotonic() - nodes.CALM_S))
    record = {
        "quiet": quiet, "during": during, **record, "settled_s": settled_at and settled_at - began,
        "last_unrest": cluster.last_unrest, "upsets": list((Counter(cluster.upsets()) - upsets).elements()),
        "moved_items": cluster.moved()[0] - moved[0], "moved_bytes": cluster.moved()[1] - moved[1],
        "copies": cluster.items(), "memory": {name: [steady[name], peaks[name]] for name in peaks},
    }
    report.keep(case, name, record)
    for example in during["examples"]:
        note(f"{case}: {example}")
    if record["upsets"]:
        note(f"{case}: joined once more by themselves: {', '.join(record['upsets'])}")
    return record


def join(options, report):
    def act(cluster, load):
        node = cluster.start(len(cluster.live))
        ready_s = node.await_serving()
        load.ask("turn_to", cluster.clients())
        return {"ready_s": ready_s}

    with changes(options, report, "join") as steps, loaded(options, report, "join", 3) as (cluster, load):
        for count in (4, 5):
            record = step(options, report, "join", f"{count - 1} to {count}", cluster, load, act)
            steps.append((f"{count - 1} to {count}", record, count))


def drain(options, report):
    def act(cluster, load):
        seconds, code, age = cluster.drain(cluster.nodes()[-1])
        load.ask("turn_to", cluster.clients())
        return {"ready_s": seconds, "exit": code, "last_said_s": age}

    with changes(options, report, "drain") as steps, loaded(options, report, "drain", 5) as (cluster, load):
        for count in (5, 4):
            record = step(options, report, "drain", f"{count} to {count - 1}", cluster, load, act)
            why = f"it had to be killed after {options.ends_s} s"
            report.reach("drain", EXIT, None if record["exit"] is None else abs(record["exit"]), why)
            steps.append((f"{count} to {count - 1}", record, count))


@contextmanager
def changes(options, report, case):
    """What there is of them is told, whatever happens."""
    steps = []
    try:
        yield steps
    finally:
        if steps:
            changed(options, report, case, steps)


def changed(options, report, case, steps):
    """The table and the goals of nodes that come or go."""
    rows, memory = [], []
    for name, record, sharers in steps:
        quiet, during = record["quiet"], record["during"]
        least = options.items * options.copies / sharers
        items, sent = record["moved_items"] / least, record["moved_bytes"] / (least * (clients.KEY_BYTES + clients.VALUE_BYTES))
        ratio, due = over(during["p99_s"], quiet["p99_s"]), over(during["due_p99_s"], quiet["due_p99_s"])
        told = f"{record['ready_s']:.1f}" + (f" (exit {record['exit']})" if "exit" in record else "")
        rows.append([
            name, during["reads"], during["misses"], during["stale"], f"{during['errors']} ({during['cut']})",
            f"{ms(quiet['p99_s'])} / {ms(during['p99_s'])}", short(ratio),
            f"{ms(quiet['due_p99_s'])} / {ms(during['due_p99_s'])}", short(due), ms(during["max_s"]),
            f"{record['moved_items']} ({items:.2f})", f"{record['moved_bytes'] / MIB:.1f} ({sent:.2f})",
            told, settled_after(record),
        ])
        reach_faults(report, case, during)
        # The stricter one: a request that nobody could send is late too.
        report.reach(case, LATENCY, due, "no answers came")
        reach_moved(report, case, record, items, sent)
        for node, (steady, most) in sorted(record["memory"].items()):
            more = None if steady is None or most is None else (most - steady) / MIB
            seen = (f"{value / MIB:.1f}" if value else "not measured" for value in (steady, most))
            memory.append([name, node, *seen, short(more)])
            report.reach(case, MEMORY, more, f"{node} was not seen")
    columns = ["nodes", "reads", "misses", "older", "errors (cut)", "p99 ms quiet / during", "ratio",
               "p99 from due", "ratio", "slowest ms", "items moved (over least)", "MiB moved (over least)",
               "serves after s" if case == "join" else "ended after s", "settled after s"]
    items = f"{options.items} items of {clients.VALUE_BYTES} bytes, {options.copies} copies"
    table(f"Clients during a {case}, {items}", columns, rows)
    if case == "drain":
        ages = ", ".join(f"{record['last_said_s']:.2f}" for _, record, _ in steps)
        print(f"\nWhat the node that leaves has moved is as it last said, {ages} s before its end.")
    table(f"Memory during a {case}, MiB", ["nodes", "node", "steady", "most", "more"], memory)


def reach_moved(report, case, record, items, sent):
    """What it brought to others after it was last asked is not in its count."""
    report.reach(case, ITEMS, items)
    report.reach(case, BYTES, sent)
    if (age_s := record.get("last_said_s", 0)) > nodes.LOOK_S:
        for goal in (ITEMS, BYTES):
            report.reach(case, goal, None, f"what it brought in its last {age_s:.1f} s")


def over(value, base):
    return None if value is None or not base else value / base


def reach_faults(report, case, during):
    for goal, figure in ((MISSES, "misses"), (OLDER, "stale"), (ERRORS, "errors")):
        if goal in GOALS[case]:
            report.reach(case, goal, during[figure])


def restart(options, report):
    columns = ["node", "reads", "misses", "older", "errors (cut)", "slowest ms", "slots that changed owner",
               "same view in the end", "serves after s", "settled after s", "items brought"]
    for how in ("killed", "stopped, warm file"):
        title = f"Clients during a rolling restart of 3 nodes, {how}, {options.items} items"
        warm = how != "killed"
        with tabled(title, columns) as rows, loaded(options, report, "restart", 3, warm=warm) as (cluster, load):
            owned, view = dict(cluster.nodes()[0].watch.owned[-1][2]), cluster.views()
            for number in range(3):
                def act(cluster, load):
                    stop_at_once(options, cluster, cluster.live[f"node-{number}"], warm)
                    return {"ready_s": cluster.start(number).await_serving()}

                began = time.monotonic()
                name = f"node-{number}"
                record = step(options, report, "restart", f"{name}, {how}", cluster, load, act)
                slots = cluster.slots_given(owned, began)
                reach_faults(report, "restart", record["during"])
                report.reach("restart", SLOTS, slots)
                rows.append([name, *faults(record["during"]), slots, "yes" if cluster.views() == view else "no",
                             f"{record['ready_s']:.1f}", settled_after(record), record["moved_items"]])


def stop_at_once(options, cluster, node, warm=False):
    """Without leaving: nobody is given its slots."""
    if warm:
        node.process.send_signal(signal.SIGINT)
        if node.process.wait(options.ends_s):
            raise Failed(f"{node.name} ended with {node.process.returncode}: {node.has_said()[-500:]}")
    cluster.kill(node)


def faults(during):
    return [during["reads"], during["misses"], during["stale"], f"{during['errors']} ({during['cut']})", ms(during["max_s"])]


def settled_after(record):
    """With what was waited for last, where that took long."""
    seconds, last = record["settled_s"], record["last_unrest"]
    if seconds is None:
        return f"never: {last}"
    return f"{seconds:.1f} ({last})" if last and seconds > LONG_S else f"{seconds:.1f}"


def kill(options, report):
    copies = options.items * options.copies
    columns = ["nodes", "reads", "misses", "older", "errors (cut)", "slowest ms", "copies there again after s",
               "settled after s", "all keys read at once", "all keys read in the end", "lost"]
    title = f"One node killed, then another, grace {KILL_GRACE_S} s, {options.items} items"
    with tabled(title, columns) as rows, loaded(options, report, "kill", 5, KILL_GRACE_S) as (cluster, load):
        if cluster.items() != copies:
            raise Failed(f"{cluster.items()} copies are there before anything happens, and {copies} should be")

        for count in (5, 4):
            def act(cluster, load):
                began = time.monotonic()
                cluster.kill(cluster.nodes()[-1])
                load.ask("turn_to", cluster.clients())
                # While the copy that is left of many keys is the only one.
                load.say("verify")
                restored_at = cluster.await_until(lambda: cluster.items() >= copies, options.settles_s)
                return {"read_at_once": load.hear(), "restored_s": restored_at and restored_at - began}

            name = f"{count} to {count - 1}"
            record = step(options, report, "kill", name, cluster, load, act)
            read = load.ask("verify")
            report.keep("kill", f"{name}, read", read)
            lost = sum(read.get(how, 0) for how in ("missing", "stale", "unanswered"))
            report.reach("kill", LOST, lost)
            reach_faults(report, "kill", record["during"])
            restored = "never" if record["restored_s"] is None else f"{record['restored_s']:.1f}"
            at_once = record["read_at_once"]
            rows.append([name, *faults(record["during"]), restored, settled_after(record), said_of(at_once), said_of(read), lost])


def said_of(read):
    words = [f"{read[how]} {how}" for how in ("missing", "stale", "unanswered") if read.get(how)]
    return ", ".join(words) or "all there"


def counters(options, report):
    def joins(cluster, load):
        ready_s = cluster.start(3).await_serving()
        load.ask("turn_to", cluster.clients())
        return {"ready_s": ready_s}

    def drains(cluster, load):
        seconds, code, _ = cluster.drain(cluster.live["node-3"])
        load.ask("turn_to", cluster.clients())
        return {"ready_s": seconds, "exit": code}

    def restarts(cluster, load):
        stop_at_once(options, cluster, cluster.live["node-1"])
        return {"ready_s": cluster.start(1).await_serving()}

    note(f"counters: 3 nodes, {COUNTERS} counters")
    columns = ["during", "increments", "not found", "told twice", "errors (cut)", "acknowledged so far",
               "unknown so far", "lost so far", "too many so far"]
    title = f"{COUNTING} clients increment {COUNTERS} counters"
    with tabled(title, columns) as rows, Cluster(options, 3, grace(options.grace_s)) as cluster:
        with Load("counters", (COUNTERS,), cluster.clients(), COUNTING_RATE, COUNTING) as load:
            load.ask("fill")
            load.ask("run")
            acts = {"nothing happens": lambda *_: {}, "a node joins": joins, "it drains": drains, "another restarts": restarts}
            for name, act in acts.items():
                record = step(options, report, "counters", name, cluster, load, act)
                load.ask("rest")
                read = load.ask("verify")
                load.ask("run")
                report.keep("counters", f"{name}, read", read)
                during, lost, more = record["during"], read.get("lost", 0), read.get("too_many", 0)
                report.reach("counters", COUNTS_LOST, lost)
                report.reach("counters", COUNTS_MORE, more)
                report.reach("counters", MISSES, during["misses"] + read.get("missing", 0))
                rows.append([name, during["increments"], during["misses"], during["told_twice"],
                             f"{during['errors']} ({during['cut']})", read["acknowledged"], read.get("unknown", 0), lost, more])
    print("\nA counter that was unknown to be incremented may have been: it counts as neither lost nor too many.")


def deletes(options, report):
    variants = {"shorter than its grace": (60, False), "longer than its grace": (1, True)}
    columns = ["", "a node stands still for", "deleted or flushed", "errors, asked again", "looks at each node",
               "came back", "at", "others that are gone", "settled after s"]
    with tabled("Nothing comes back", columns) as rows:
        for name, (grace_s, is_given_up) in variants.items():
            note(f"deletes: a node stands still for {name}")
            with Cluster(options, 3, grace(grace_s)) as cluster:
                for what, undo in (("delete", delete_half), ("flush_all", flush)):
                    record = stood_still(options, cluster, undo, is_given_up)
                    report.keep("deletes", f"{what}, {name}", record)
                    report.reach("deletes", BACK, record["back"])
                    report.reach("deletes", GONE, record["gone"])
                    rows.append([what, name, record["undone"], record["tries_again"], record["looks"], record["back"],
                                 ", ".join(record["back_at"]), record["gone"], f"{record['settled_s']:.1f}"])


def stood_still(options, cluster, undo, is_given_up):
    """One node stands still while `undo` is done, then goes on."""
    keys = [clients.key(number) for number in range(options.deleted)]
    asking = nodes.Asking(cluster.clients()[0])
    for number, key in enumerate(keys):
        if asking.line(b"set %b 0 0 %d\r\n%b\r\n" % (key, clients.VALUE_BYTES, clients.value(number, 1))) != b"STORED":
            raise Failed(f"cannot store {key}")
    if cluster.await_settled(options.settles_s) is None:
        raise Failed(f"not settled before a node stands still: {cluster.unrest()}")
    still = cluster.nodes()[-1]
    nodes.stand_still(still)
    began = time.monotonic()
    others = [node for node in cluster.nodes() if node is not still]
    if is_given_up:
        given_up = cluster.await_until(lambda: all(node.watch.said["members"] == "2" for node in others), 60)
        if given_up is None:
            raise Failed("a node that stands still is not given up")
    gone, kept, again, answers = undo(cluster, keys)
    time.sleep(max(0, began + STANDS_S - time.monotonic()))
    nodes.go_on(still)
    went_on = time.monotonic()
    settling, back_at, looks, is_over = nodes.Settling(cluster), {}, 0, False
    # From the first moment on, and once more when all is settled.
    while not is_over:
        is_over = settling.is_over()
        if time.monotonic() > went_on + options.settles_s:
            raise Failed(f"not settled after a node stood still: {cluster.unrest()}")
        for node in cluster.nodes():
            for key in there(node, gone):
                back_at.setdefault(key, node.name)
        looks += 1
        cluster.check_lives()
    missing = sum(len(set(kept) - there(node, kept)) for node in cluster.nodes())
    return {"undone": len(gone), "tries_again": again, "answers": answers, "looks": looks, "back": len(back_at),
            "back_at": sorted(set(back_at.values())), "examples": [key.decode() for key in list(back_at)[:5]],
            "gone": missing, "stood_s": went_on - began, "settled_s": settling.changed_at - went_on}


def there(node, keys):
    """Which of them this node says are there. One that does not answer says nothing."""
    try:
        asking = nodes.Asking(node.client)
        found = set()
        for first in range(0, len(keys), 100):
            lines = asking.lines(b"get %b\r\n" % b" ".join(keys[first:first + 100]))
            found.update(line.split(b" ")[1] for line in lines[::2])
        asking.close()
        return found
    except OSError as error:
        note(f"{node.name} is asked in vain: {error}")
        return set()


def delete_half(cluster, keys):
    """Every other key, by both nodes that go on, until each is acknowledged."""
    asking = [nodes.Asking(node.client, 20) for node in cluster.nodes()[:2]]
    again, answers = 0, {}
    for number, key in enumerate(keys[::2]):
        for tried in range(100):
            said = asking[(number + tried) % 2].line(b"delete %b\r\n" % key).decode()
            answers[said] = answers.get(said, 0) + 1
            # Of one that was not acknowledged it is not known whether it was done.
            if said == "DELETED" or tried and said == "NOT_FOUND":
                break
            again += 1
        else:
            raise Failed(f"cannot delete {key}: {said}")
    return keys[::2], keys[1::2], again, answers


def flush(cluster, keys):
    asking = nodes.Asking(cluster.clients()[0], 20)
    again, answers = -1, {}
    while "OK" not in answers and again < 20:
        said = asking.line(b"flush_all\r\n").decode()
        answers[said] = answers.get(said, 0) + 1
        again += 1
    if "OK" not in answers:
        raise Failed(f"cannot flush: {answers}")
    kept = [b"after-%d" % number for number in range(100)]
    for key in kept:
        for _ in range(100):
            said = asking.line(b"set %b 0 0 1\r\nx\r\n" % key)
            if said == b"STORED":
                break
            again += 1
        else:
            raise Failed(f"cannot store after the flush: {said.decode()}")
    return keys, kept, again, answers


def bulk(options, report):
    """A join is held against the mean of the streams before and after it."""
    columns = ["join", "MB/s", "bare QUIC MB/s", "ratio", "TLS over TCP MB/s", "TCP MB/s", "CPU s a GiB: source",
               "target", "bare QUIC sender", "receiver", "MiB more memory: source", "target"]
    title = f"A second node joins one with {options.bulk_items} items of {BULK_BYTES} bytes, nothing held back"
    ratios = []
    with tabled(title, columns) as rows:
        before = bare_streams(options)
        for number in range(options.joins):
            note(f"bulk: join {number + 1} of {options.joins}")
            record = bulk_join(options)
            after = bare_streams(options)
            record["streams"] = {
                name: {figure: (before[name][figure] + value) / 2 for figure, value in figures.items()}
                for name, figures in after.items()
            }
            before = after
            report.keep("bulk", f"join {number + 1}", record)
            rows.append(bulk_row(number, record))
            ratios.append(record["bytes_per_s"] / record["streams"]["quic"]["bytes_per_s"])
            for node, more in record["memory_more"].items():
                report.reach("bulk", MEMORY, more, f"the {node} was not seen")
        report.reach("bulk", BULK, 1 / statistics.median(ratios))
    print(f"\nRatio {min(ratios):.2f}, {statistics.median(ratios):.2f}, {max(ratios):.2f} (least, median, most).")


def bulk_row(number, record):
    streams, cpu, more = record["streams"], record["cpu_s_per_gib"], record["memory_more"]
    speeds = {name: figures["bytes_per_s"] for name, figures in streams.items()}
    bare = (streams["quic"][f"{end}_cpu_us_per_gib"] / 1e6 for end in ("sender", "receiver"))
    return [number + 1, f"{record['bytes_per_s'] / 1e6:.0f}", f"{speeds['quic'] / 1e6:.0f}",
            short(record["bytes_per_s"] / speeds["quic"]), f"{speeds['tls'] / 1e6:.0f}", f"{speeds['tcp'] / 1e6:.0f}",
            short(cpu["source"]), short(cpu["target"]), *map(short, bare), short(more["source"]), short(more["target"])]


def bare_streams(options):
    """What benches/stream.rs says. It stands as far behind others as what nodes move."""
    command = ["nice", "-n", str(BULK_NICE), *options.stream]
    done = subprocess.run(command, cwd=measure.ROOT, capture_output=True, text=True, timeout=measure.RUN_S, check=False)
    if done.returncode:
        raise Failed(f"{shlex.join(command)}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


def bulk_join(options):
    """Of the time from a tenth to nine tenths of what is moved."""
    with Cluster(options, 1, f"{grace(options.grace_s)} --move-limit none") as cluster:
        source = cluster.nodes()[0]
        fill_bulk(options, source)
        if cluster.await_settled(options.settles_s) is None:
            raise Failed(f"the filled node does not settle: {cluster.unrest()}")
        steady = source.rss_max(time.monotonic() - nodes.CALM_S)
        asking, looks = nodes.Asking(source.client), []
        source.begin_peak()
        # Asked here alone.
        source.watch.look_s = options.settles_s
        target = cluster.start(1)
        deadline = time.monotonic() + options.settles_s
        while not is_brought(options, looks, target):
            said = asking.stats("cluster")
            looks.append((time.monotonic(), int(said["moved_bytes"]), cpu_s(source.pid), cpu_s(target.pid)))
            if time.monotonic() > deadline:
                raise Failed("the node that joins is not brought what it lacks")
            cluster.check_lives()
            time.sleep(BULK_LOOK_S)
        peaks = {"source": source.peak(0), "target": target.peak(target.began)}
        # What it keeps in the end is no cost of the move.
        kept = {"source": steady, "target": target.rss_max(time.monotonic() - nodes.CALM_S)}
        brought = looks[-1][1]
    (began, ended) = (at_bytes(looks, brought * share) for share in (0.1, 0.9))
    seconds, source_s, target_s = (then - before for before, then in zip(began, ended))
    gib = brought * 0.8 / (1 << 30)
    return {
        "moved_bytes": brought, "seconds": seconds, "bytes_per_s": brought * 0.8 / seconds,
        "cpu_s_per_gib": {"source": source_s / gib, "target": target_s / gib},
        "memory_more": {end: peaks[end] and kept[end] and (peaks[end] - kept[end]) / MIB for end in peaks},
    }


def fill_bulk(options, source):
    """Many at a time; what comes last tells that all are stored."""
    asking, value = nodes.Asking(source.client, 60), b"." * BULK_BYTES
    for first in range(0, options.bulk_items, 1000):
        keys = (clients.key(number) for number in range(first, min(first + 1000, options.bulk_items)))
        asking.socket.sendall(b"".join(b"set %b 0 0 %d noreply\r\n%b\r\n" % (key, BULK_BYTES, value) for key in keys))
        asking.line(b"version\r\n")
    stored = int(asking.stats()["curr_items"])
    asking.close()
    if stored != options.bulk_items:
        raise Failed(f"{stored} of {options.bulk_items} items are stored")


def is_brought(options, looks, target):
    """All is, and it is some time since."""
    least = options.bulk_items * (clients.KEY_BYTES + BULK_BYTES)
    if not looks or looks[-1][1] < least or not target.file.exists():
        return False
    return looks[-1][0] - next(at for at, brought, *_ in looks if brought == looks[-1][1]) >= nodes.CALM_S


def at_bytes(looks, sent):
    """The time when so much was sent, and what both had had of the processor by then."""
    for before, after in zip(looks, looks[1:]):
        if after[1] >= sent:
            share = (sent - before[1]) / (after[1] - before[1])
            return [before[column] + share * (after[column] - before[column]) for column in (0, 2, 3)]
    raise Failed("too little was seen of what was moved")


def cpu_s(pid):
    """Seconds that a process has had of the processors so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError as error:
        raise Failed(f"a node is gone: {error}") from error
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


CASES = {"join": join, "drain": drain, "restart": restart, "kill": kill, "counters": counters, "deletes": deletes, "bulk": bulk}


def compare(options):
    report = Report(options)
    for case in options.only:
        try:
            CASES[case](options, report)
        except (Failed, OSError) as error:
            # The others are worth knowing all the same.
            note(f"{case} gave up: {error}")
            report.give_up(case, error)
    return report.goals(options.only)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ringcached", metavar="CMD", help="command that starts ringcached (default: release build)")
    parser.add_argument("--only", metavar="CASE,...", default=",".join(CASES), help=f"some of {', '.join(CASES)}")
    parser.add_argument("--items", metavar="N", type=int, help="items in the cluster (default: 1000000)")
    parser.add_argument("--copies", metavar="N", type=int, default=2, help="owners of each key (default: 2)")
    parser.add_argument("--profile", metavar="NAME", default="lan", help="of the nodes (default: lan)")
    parser.add_argument("--rate", metavar="N", type=int, default=1000, help="requests a second of all clients (default: 1000)")
    parser.add_argument("--stream", metavar="CMD", default="cargo bench --quiet --bench stream -- --json",
                        help="command that measures the bare streams (default: %(default)s)")
    parser.add_argument("--joins", metavar="N", type=int, help="joins of the case bulk (default: 5)")
    parser.add_argument("--quick", action="store_true", help="few items and short; times mean little")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a goal is missed or a case gave up")
    parser.add_argument("--out", metavar="FILE", default="elastic.jsonl", help="where each step is kept")
    options = parser.parse_args()
    options.ringcached = shlex.split(options.ringcached) if options.ringcached else [measure.built()]
    options.stream = shlex.split(options.stream)
    options.joins = options.joins or (2 if options.quick else 5)
    options.only = [case for case in options.only.split(",") if case]
    # As many as a node with `-m 1024` has room for.
    options.bulk_items = min(options.items or (20_000 if options.quick else 500_000), 600_000)
    options.items = options.items or (20_000 if options.quick else 1_000_000)
    options.quiet_s, options.warm_s = (2, 0.5) if options.quick else (10, 3)
    options.settles_s, options.ends_s = (60, 60) if options.quick else (300, 300)
    # Longer than a node takes to be started again.
    options.grace_s, options.deleted = (10, 500) if options.quick else (30, 10_000)
    for case in options.only:
        if case not in CASES:
            parser.error(f"--only: no case {case}; there are {', '.join(CASES)}")
    return options


def main():
    options = arguments()
    # So that what was started is stopped.
    for how in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, lambda *_: sys.exit(1))
    try:
        if not shutil.which(options.ringcached[0]):
            raise Failed(f"no `{options.ringcached[0]}`; build with `cargo build --release`")
        print(f"`{shlex.join(['benches/elastic.py', *sys.argv[1:]])}`: {measure.version(options.ringcached + ['--version'])}.")
        print(f"{len(os.sched_getaffinity(0))} cores, Linux {platform.release()}, {time.strftime('%Y-%m-%d')}.")
        all_met = compare(options)
    except Failed as error:
        note(f"error: {error}")
        return 1
    return 0 if all_met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
