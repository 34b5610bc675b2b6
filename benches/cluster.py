#!/usr/bin/env python3
"""Puts three ringcached nodes with two copies beside what else is made of many
servers: a Redis Cluster of three primaries with a replica each, and Debian's
nutcracker (twemproxy) before three memcacheds.

    cargo build --release
    benches/cluster.py                   # about ten minutes
    benches/cluster.py --quick           # once and short; the figures mean little

Both sides of a row get the same load from `ringcached bench`, in turn, every
other round in the opposite order; ratios are taken within a round, and their
median, least and greatest told. Costs are those of all processes of a side
together, gossip and replication among them, as the kernel's scheduler counts
them; the load's own are not in them. Nothing is pinned, and each server has one
thread for its clients. Markdown goes to stdout, each single run as a line of
JSON to --out. Linux only; needs redis-server, redis-cli, memcached, nutcracker.

ring-aware   A connection asks one node and only for keys whose primary that is,
             for Redis as for ringcached: as many keys in each batch on both sides.
thin         Connections are spread over all nodes, and each asks for any key, so
             that two of three are forwarded. nutcracker is the one address that
             its clients know.
WAIT each    `WAIT 1 0` after every set: each is acknowledged once a replica has
             it, as with --write-ack quorum. A set's latency ends with its WAIT.
WAIT batch   `WAIT 1 0` once, after all sets of a batch: what a client may do that
             can wait. Told beside, without a goal.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
from measure import Failed, Node, Process, merged, note, spread, table

REDIS = "redis-server --bind 127.0.0.1 --cluster-enabled yes --save  --appendonly no"
BATCH = "--pipeline 16"
RING, THIN = "--ring=primary", "--ring=any"

# Name, who and how, beside whom and how, most that the CPU ratio may be.
ROWS = [
    ("90/10 pipelined 16, one / asynchronous", "one", f"{RING} {BATCH}", "redis", f"{RING} {BATCH}", 0.6),
    ("90/10 pipelined 16, quorum / WAIT each", "quorum", f"{RING} {BATCH}", "redis", f"{RING} {BATCH} --wait each", 0.6),
    ("90/10 pipelined 16, quorum / WAIT batch", "quorum", f"{RING} {BATCH}", "redis", f"{RING} {BATCH} --wait batch", None),
    ("set pipelined 16, quorum / WAIT each", "quorum", f"{RING} {BATCH} --reads 0%", "redis",
     f"{RING} {BATCH} --reads 0% --wait each", 0.3),
    ("set pipelined 16, quorum / WAIT batch", "quorum", f"{RING} {BATCH} --reads 0%", "redis",
     f"{RING} {BATCH} --reads 0% --wait batch", None),
    ("set, no pipeline, quorum / WAIT each", "quorum", f"{RING} --reads 0%", "redis", f"{RING} --reads 0% --wait each", 0.8),
    ("get, no pipeline, thin / nutcracker", "quorum", f"{THIN} --reads 100%", "proxy", "--reads 100%", 1.0),
    ("get pipelined 16, thin / nutcracker", "quorum", f"{THIN} {BATCH} --reads 100%", "proxy", f"{BATCH} --reads 100%", 0.7),
    ("multiget of 100, thin / nutcracker", "quorum", f"{THIN} --reads 100% --multiget 100",
     "proxy", "--reads 100% --multiget 100", None),
    ("multiget of 100 pipelined 16, thin / nutcracker", "quorum", f"{THIN} {BATCH} --reads 100% --multiget 100",
     "proxy", f"{BATCH} --reads 100% --multiget 100", 0.7),
]
FORWARDED_US = 150
TRIES = 3


class Side:
    """Servers that are measured together."""

    def __init__(self, options, name, extra):
        self.options, self.name, self.extra = options, name, extra
        self.folder = tempfile.TemporaryDirectory(prefix="cluster-bench-")
        self.processes = []
        try:
            self.address = self.start()
        except BaseException:
            self.stop()
            raise

    def started(self, process):
        self.processes.append(process)
        return process

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        self.folder.cleanup()

    def bench(self, line):
        pids = ",".join(str(process.pid) for process in self.processes)
        line = merged(f"--connections 15 --threads 1 --key-prefix {self.name}:", self.extra, line)
        where = f"--server {self.address} --pid {pids}"
        for _ in range(TRIES):
            upsets = self.upsets()
            figures, why = {}, ""
            try:
                figures = measure.bench(self.options.load, self.name, f"{where} {line}")
            except Failed as error:
                why = str(error)
            upsets = self.upsets() - upsets
            self.options.keep({"side": self.name, "line": line, "upsets": upsets, "failed": why, **figures})
            if figures and not upsets:
                return figures
            note(f"{self.name}: nodes joined anew {upsets} times; {why or 'once more'}")
            self.settle()
        raise Failed(f"{self.name}: {why or 'nodes join anew again and again'}")

    def upsets(self):
        """How often one of its servers took itself for dead."""
        return 0

    def settle(self):
        """Waits until it is in order again."""


class Ringcached(Side):
    def start(self):
        join = ""
        for number in range(3):
            cluster = f"--peer-listen 127.0.0.1:0 --cluster {self.name} --node-id node-{number} {join}"
            line = f"-p 0 -t 1 -m 1024 --copies 2 --write-ack {self.name} {cluster}"
            node = self.started(Node(self.options.ringcached, line, Path(self.folder.name) / f"node-{number}"))
            join = f"--join {node.says['peer']}"
        self.settle()
        return self.processes[0].says["client"]

    def upsets(self):
        # A node whose clock did not tick for a second takes itself for dead.
        return sum(node.has_said().count("what=self phase=joining") for node in self.processes)

    def settle(self):
        for node in self.processes:
            node.await_until(lambda: self.is_well(node), "is not well", 30)

    def is_well(self, node):
        asked = [*self.options.ringcached, "status", "--server", node.says["client"], "-o", "json"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False)
        return said.returncode == 0 and json.loads(said.stdout)["members"] == 3


class Redis(Side):
    def start(self):
        for number in range(6):
            folder = Path(self.folder.name) / str(number)
            folder.mkdir()
            port = measure.free_port()
            ports = f"--port {port} --cluster-port {measure.free_port()} --repl-diskless-sync-delay 0"
            # The empty word turns saving off.
            self.started(Process([*REDIS.split(" "), *ports.split(), "--dir", str(folder)], port))
        servers = [f"127.0.0.1:{process.port}" for process in self.processes]
        asked = ["redis-cli", "--cluster", "create", *servers, "--cluster-replicas", "1", "--cluster-yes"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
        if said.returncode:
            raise Failed(f"{shlex.join(asked)}: {said.stdout} {said.stderr}")
        for process in self.processes:
            process.await_until(lambda: self.is_well(process.port), "does not find the others", 30)
        return servers[0]

    def is_well(self, port):
        state, role = asked_redis(port, "CLUSTER INFO"), asked_redis(port, "INFO replication")
        linked = "connected_slaves:1" if "role:master" in role else "master_link_status:up"
        return "cluster_state:ok" in state and linked in role


def asked_redis(port, question):
    said = subprocess.run(["redis-cli", "-p", str(port), *question.split()], capture_output=True, text=True, check=False)
    return said.stdout


class Proxy(Side):
    def start(self):
        servers = []
        for number in range(3):
            port = measure.free_port()
            command = ["memcached", *measure.not_as_root(), *f"-p {port} -l 127.0.0.1 -t 1 -m 1024".split()]
            self.started(Process(command, port))
            servers.append(f"   - 127.0.0.1:{port}:1 m{number}")
        port, admin = measure.free_port(), measure.free_port()
        file = Path(self.folder.name) / "nutcracker.yml"
        said = ["pool:", f"  listen: 127.0.0.1:{port}", "  hash: fnv1a_64", "  distribution: ketama",
                "  preconnect: true", "  timeout: 5000", "  servers:", *servers]
        file.write_text("\n".join(said) + "\n")
        self.started(Process(["nutcracker", "-c", str(file), "-s", str(admin), "-a", "127.0.0.1"], port))
        return f"127.0.0.1:{port}"


class Options:
    """What was asked for on the command line, and what follows from it."""

    def __init__(self, args):
        self.quick, self.rounds, self.seconds = args.quick, args.rounds, args.seconds
        self.load = args.load or measure.built()
        self.ringcached = shlex.split(args.ringcached) if args.ringcached else [measure.built()]
        self.only = args.only
        for program in (self.load, self.ringcached[0], "memcached", "nutcracker", "redis-server", "redis-cli"):
            if not shutil.which(program):
                raise Failed(f"no `{program}`; build with `cargo build --release`, install the others")
        self.out = open(args.out, "a", encoding="utf-8")

    def keep(self, record):
        print(json.dumps(record), file=self.out, flush=True)


class Sides(dict):
    """All of them, up at once: those that are not asked sleep."""

    def __init__(self, options):
        super().__init__()
        kinds = {"one": (Ringcached, ""), "quorum": (Ringcached, ""), "redis": (Redis, "--protocol redis"),
                 "proxy": (Proxy, "")}
        try:
            for name, (kind, extra) in kinds.items():
                note(f"starting {name}")
                self[name] = kind(options, name, extra)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for side in self.values():
            side.stop()


def compare(options):
    keys = "10k" if options.quick else "100k"
    extent = f"--keys {keys} --duration {options.seconds}s --warm-up {min(options.seconds / 4, 1)}s"
    rows, words = [], [word for word in options.only.split(",") if word]
    with Sides(options) as sides:
        for name, side in sides.items():
            ring = "" if name == "proxy" else RING
            side.bench(f"--keys {keys} {ring} --preload --requests 64")
        for row in ROWS:
            if not words or any(word in row[0] for word in words):
                note(row[0])
                try:
                    rows.append(one_row(options, sides, row, extent))
                except Failed as error:
                    # The others are worth knowing all the same.
                    note(str(error))
                    goal = f"{row[-1]:.2f}" if row[-1] else ""
                    rows.append([row[0], "gave up", "", "", goal, "", "", "", ""])
        columns = ["load", "CPU us/op", "beside", "CPU ratio", "goal", "throughput ratio", "p50 us", "p99 us", "p99.9 us"]
        if rows:
            table("CPU of the whole cluster, ringcached / beside", columns, rows)
        if not words or "forwarded" in words:
            note("forwarded")
            forwarded(options, sides["quorum"], extent)


def one_row(options, sides, row, extent):
    name, our_side, our_line, their_side, their_line, goal = row
    rounds = []
    for number in range(options.rounds):
        asked = [(our_side, our_line), (their_side, their_line)]
        order = asked if number % 2 == 0 else asked[::-1]
        run = {side: sides[side].bench(f"{extent} --seed {number} {line}") for side, line in order}
        rounds.append((run[our_side], run[their_side]))

    def ratio(field):
        return spread([ours[field] / theirs[field] for ours, theirs in rounds])

    def both(field, digits=0):
        return " / ".join(f"{middle(runs, field):.{digits}f}" for runs in zip(*rounds))

    cost = "server_cpu_us_per_op"
    ours, theirs = (f"{middle(runs, cost):.2f}" for runs in zip(*rounds))
    latencies = [both(field) for field in ("p50_us", "p99_us", "p999_us")]
    return [name, ours, theirs, ratio(cost), f"{goal:.2f}" if goal else "", ratio("ops_per_s"), *latencies]


def middle(runs, field):
    return statistics.median(run[field] for run in runs)


def forwarded(options, side, extent):
    """One connection, one request at a time, for keys of the node that is asked
    and for keys of others. Few enough requests for an idle machine."""
    line = f"{extent} --connections 1 --reads 100%"
    rounds = []
    for number in range(options.rounds):
        places = ["primary", "other"] if number % 2 == 0 else ["other", "primary"]
        run = {place: side.bench(f"{line} --seed {number} --ring={place}") for place in places}
        rounds.append((run["primary"], run["other"]))
    fields = ["p50_us", "p99_us", "p999_us"]
    rows = [[name, *(f"{middle(runs, field):.0f}" for field in fields)]
            for name, runs in zip(["local", "forwarded"], zip(*rounds))]
    more = [spread([other[field] - own[field] for own, other in rounds], 0) for field in fields]
    table(f"A get of one connection, local and forwarded, in microseconds (goal: at most {FORWARDED_US} more at p50)",
          ["key", "p50", "p99", "p99.9"], [*rows, ["forwarded over local", *more]])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ringcached", metavar="CMD", help="command that starts ringcached (default: release build)")
    parser.add_argument("--load", metavar="PATH", help="ringcached whose `bench` asks (default: release build)")
    parser.add_argument("--only", metavar="WORD,...", default="", help="rows with one of these in their names; `forwarded`")
    parser.add_argument("--rounds", metavar="N", type=int, help="rounds (default: 5)")
    parser.add_argument("--seconds", metavar="N", type=float, help="length of a run (default: 4)")
    parser.add_argument("--quick", action="store_true", help="once and short; the figures mean little")
    parser.add_argument("--out", metavar="FILE", default="cluster.jsonl", help="where each run is kept")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.seconds = args.seconds or (0.2 if args.quick else 4.0)
    return args


def main():
    args = arguments()
    try:
        options = Options(args)
        programs = [options.ringcached + ["--version"], ["redis-server", "--version"], ["nutcracker", "--version"],
                    ["memcached", "--version"]]
        versions = "; ".join(measure.version(command) for command in programs)
        print(f"`{shlex.join(['benches/cluster.py', *sys.argv[1:]])}`: {versions}.")
        print(f"{len(os.sched_getaffinity(0))} cores, Linux {platform.release()}, {time.strftime('%Y-%m-%d')}.")
        compare(options)
    except Failed as error:
        note(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
