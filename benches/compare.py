#!/usr/bin/env python3
"""Puts ringcached beside Debian's memcached and redis-server, on this machine.

    cargo build --release
    benches/compare.py                   # everything, about half an hour
    benches/compare.py --quick           # once and short, under a minute, for CI
    benches/compare.py --only cpu,idle   # some of it

Every server gets the same load, in turn and interleaved, from `ringcached
bench`. Markdown goes to stdout, each single run as a line of JSON to --out.
Needs memcached; redis-server is left out where it is not installed. Linux only:
costs are read from /proc.

What is compared, and how:

cpu     Throughput, latency and the server's CPU time per operation. Once with
        the server on one core and the load on another (16 connections), once
        with two server threads and nothing pinned (64 connections). The servers
        are all up, the ones that are not asked sleep; a round asks each of them
        once, every other round in the opposite order. Ratios are taken within a
        round, and their least, median and greatest told.
memory  A fresh server is filled with items that all fit. Overhead per item is
        (RSS - RSS of the empty server) / items - bytes of key - bytes of value.
hits    Cache-aside on 10 times more keys than fit. ringcached is given 64 MB;
        the limits of the others are then fitted until the same fill leads to the
        same RSS within 2 %.
churn   Value sizes change under a fixed -m; RSS over -m after each phase.
idle    10,000 idle connections: RSS, and p99 of 16 active ones beside them.
"""

import argparse
import json
import os
import platform
import resource
import shlex
import shutil
import socket
import statistics
import sys
import time
from pathlib import Path

import measure
from measure import Failed, merged, note, spread, table

MIB = 1 << 20

# Name, options of the load, most that the CPU ratio may be.
CPU_ROWS = [
    ("90/10, no pipeline", "--reads 90%", 1.0),
    ("get pipelined 16", "--reads 100% --pipeline 16", 0.55),
    ("mg pipelined 16", "--protocol meta --reads 100% --pipeline 16", 0.55),
    ("set pipelined 16", "--reads 0% --pipeline 16", 0.65),
    ("90/10 pipelined 16", "--reads 90% --pipeline 16", 0.5),
    ("multiget of 100", "--reads 100% --multiget 100", 0.45),
    ("100 KiB values", "--reads 90% --key-prefix big: --keys 1k --value-bytes 100KiB", 1.0),
]
CHURN_PHASES = ["50-150", "800-1200", "100-4000", "10000-60000", "20-60", "50-150"]
HIT_ROWS = [("zipf 0.99", "zipf:0.99", 0), ("zipf 1.0", "zipf:1.0", 0), ("zipf 0.99, 10 % scan", "zipf:0.99", 10),
            ("zipf 1.0, 10 % scan", "zipf:1.0", 10)]
ITEM_BYTES = [32, 100, 1024]
KEY_BYTES = 16


class Server(measure.Process):
    """A server on a free port."""

    def __init__(self, options, kind, memory_mb, threads=1, connections=1024, cores=None):
        self.kind, self.memory_mb = kind, memory_mb
        port = measure.free_port()
        super().__init__(options.command(kind, port, memory_mb, threads, connections), port, cores)

    def status(self, field):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise Failed(f"no {field} of process {self.pid}")

    def settled_rss(self, options):
        """RSS once it stays within 0.1 %: tables grow in the background."""
        deadline, last = time.monotonic() + 20, self.status("VmRSS")
        while time.monotonic() < deadline:
            time.sleep(0.1 if options.quick else 1)
            now = self.status("VmRSS")
            if abs(now - last) <= last / 1000:
                return now
            last = now
        return last

    def items(self):
        """How many items it says that it holds."""
        question = b"DBSIZE\r\n" if self.kind == "redis" else b"stats\r\n"
        with socket.create_connection(("127.0.0.1", self.port), 5) as client:
            client.sendall(question)
            answer = b""
            while not (answer.endswith(b"END\r\n") or answer.startswith(b":") and answer.endswith(b"\r\n")):
                part = client.recv(65536)
                if not part:
                    raise Failed(f"{self.kind} does not tell its items")
                answer += part
        if self.kind == "redis":
            return int(answer[1:])
        stats = dict(line.split(" ", 2)[1:] for line in answer.decode().splitlines() if line.startswith("STAT "))
        return int(stats["curr_items"])

    def bench(self, options, line, cores=None):
        """One run of the load. Its figures, also kept as JSON."""
        line = merged(line, "--protocol redis" if self.kind == "redis" else "")
        where = f"--server 127.0.0.1:{self.port} --pid {self.pid}"
        figures = measure.bench(options.load, self.kind, f"{where} {line}", cores)
        options.keep({"server": self.kind, "memory_mb": self.memory_mb, "line": line, **figures})
        return figures


class Options:
    """What was asked for on the command line, and what follows from it."""

    def __init__(self, args):
        self.quick, self.rounds, self.seconds = args.quick, args.rounds, args.seconds
        built = measure.built()
        self.load = args.load or built
        self.ringcached = shlex.split(args.ringcached) if args.ringcached else [built]
        for program in (self.load, self.ringcached[0], "memcached"):
            if not shutil.which(program):
                raise Failed(f"no `{program}`; build with `cargo build --release`, install memcached")
        self.kinds = ["ringcached", "memcached"]
        if shutil.which("redis-server") and not args.no_redis:
            self.kinds.append("redis")
        self.out = open(args.out, "a", encoding="utf-8")

    def keep(self, record):
        print(json.dumps(record), file=self.out, flush=True)

    def command(self, kind, port, memory_mb, threads, connections):
        """How a server is started."""
        if kind == "redis":
            limits = f"--maxmemory {int(memory_mb * MIB)} --maxmemory-policy allkeys-lfu"
            keep_nothing = ["--save", "", "--appendonly", "no"]
            line = f"redis-server --port {port} --bind 127.0.0.1 --maxclients {connections} {limits}"
            return line.split() + keep_nothing
        program = self.ringcached if kind == "ringcached" else ["memcached"]
        user = measure.not_as_root() if kind == "memcached" else []
        return program + user + f"-p {port} -l 127.0.0.1 -t {threads} -m {round(memory_mb)} -c {connections}".split()

    def versions(self):
        lines = []
        for command in (self.ringcached + ["--version"], ["memcached", "--version"], ["redis-server", "--version"]):
            if command[0] != "redis-server" or "redis" in self.kinds:
                lines.append(measure.version(command))
        return lines


class Servers:
    """One server of each kind, all up at once."""

    def __init__(self, options, **how):
        self.all = {}
        try:
            for kind in options.kinds:
                self.all[kind] = Server(options, kind, **how)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self.all

    def __exit__(self, *_):
        for server in self.all.values():
            server.stop()


def compare_cpu(options):
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Failed("two cores are needed: one for the server, one for the load")
    pinned = {"threads": 1, "cores": {cores[0]}}
    cpu_rows(options, "One server core, 16 connections", pinned, "--connections 16 --threads 1", {cores[1]})
    free = {"threads": 2, "cores": set(cores[:2])}
    cpu_rows(options, "Two cores, unpinned, 64 connections", free, "--connections 64 --threads 2", set(cores[:2]))


def cpu_rows(options, title, how, line, load_cores):
    keys = "10k" if options.quick else "100k"
    rows = []
    with Servers(options, memory_mb=1024, **how) as servers:
        for name, extra, goal in CPU_ROWS:
            note(f"{title}: {name}")
            words = f"--keys {keys} {line} {extra}"
            if not rows or "--key-prefix" in extra:
                for server in servers.values():
                    server.bench(options, f"{words} --preload --requests 64", load_cores)
            rounds = cpu_rounds(options, servers, words, load_cores)
            rows.append(cpu_row(name, goal, rounds))
    redis = ["redis CPU us/op"] if "redis" in options.kinds else []
    columns = ["load", "CPU us/op", "memcached", "CPU ratio", "goal", "throughput ratio", "p50 ratio", "p99 ratio"]
    table(title, columns + ["p99 us, ringcached / memcached"] + redis, rows)


def cpu_rounds(options, servers, words, load_cores):
    """The figures of each server, round by round."""
    extent = f"--duration {options.seconds}s --warm-up {min(options.seconds / 4, 1)}s"
    rounds = []
    for number in range(options.rounds):
        order = list(servers) if number % 2 == 0 else list(reversed(servers))
        line = f"{words} {extent} --seed {number}"
        rounds.append({kind: servers[kind].bench(options, line, load_cores) for kind in order})
    return rounds


def cpu_row(name, goal, rounds):
    def ratio(field):
        return spread([run["ringcached"][field] / run["memcached"][field] for run in rounds])

    def middle(kind, field, digits):
        return f"{statistics.median(run[kind][field] for run in rounds):.{digits}f}"

    cost = "server_cpu_us_per_op"
    tails = f"{middle('ringcached', 'p99_us', 0)} / {middle('memcached', 'p99_us', 0)}"
    row = [name, middle("ringcached", cost, 2), middle("memcached", cost, 2), ratio(cost), f"{goal:.2f}"]
    row += [ratio("ops_per_s"), ratio("p50_us"), ratio("p99_us"), tails]
    return row + ([middle("redis", cost, 2)] if "redis" in rounds[0] else [])


def compare_memory(options):
    items = 50_000 if options.quick else 1_000_000
    rows = []
    for value_bytes in ITEM_BYTES[1:2] if options.quick else ITEM_BYTES:
        row = [f"{value_bytes} B"]
        overheads = {}
        for kind in options.kinds:
            note(f"memory: {kind}, values of {value_bytes} bytes")
            with Server(options, kind, memory_mb=4096) as server:
                overheads[kind] = overhead(options, server, items, value_bytes)
            row.append(f"{overheads[kind]:.1f}")
        row.insert(3, f"{overheads['ringcached'] / overheads['memcached']:.2f}")
        rows.append(row)
    others = ["redis"] if "redis" in options.kinds else []
    columns = ["values", "ringcached", "memcached", "ratio (goal 0.60)"] + others
    table(f"Bytes per item over key and value, {items:,} items with keys of {KEY_BYTES} bytes", columns, rows)


def overhead(options, server, items, value_bytes):
    data = f"--keys {items} --key-bytes {KEY_BYTES} --value-bytes {value_bytes} --connections 4"
    # The buffers of connections and threads are no cost of items.
    server.bench(options, f"{data} --reads 100% --requests 1k")
    empty = server.settled_rss(options)
    server.bench(options, f"{data} --preload --reads 100% --requests 1k --verify")
    full, held = server.settled_rss(options), server.items()
    if held != items:
        raise Failed(f"{server.kind} holds {held} of {items} items")
    options.keep({"server": server.kind, "items": items, "value_bytes": value_bytes, "rss_empty": empty, "rss": full})
    return (full - empty) / items - KEY_BYTES - value_bytes


def compare_hits(options):
    keys, memory_mb, requests = (200_000, 8, "100k") if options.quick else (4_000_000, 64, "12M")
    data = f"--keys {keys} --value-bytes 100 --connections 16 --pipeline 16"
    limits = {"ringcached": memory_mb}
    goal = filled_rss(options, "ringcached", memory_mb, data, keys)
    for kind in options.kinds[1:]:
        limits[kind] = fitted_limit(options, kind, memory_mb, data, keys, goal)
    rows = []
    for name, distribution, scan in HIT_ROWS[3:] if options.quick else HIT_ROWS:
        row = [name]
        for kind in options.kinds:
            note(f"hits: {kind}, {name}")
            with Server(options, kind, limits[kind]) as server:
                line = f"--protocol meta {data} --reads 100% --cache-aside --dist {distribution} --scan {scan}%"
                run = server.bench(options, f"{line} --warm-up {requests} --requests {requests}")
                ratio = run["hit_ratio_without_scan"]
                row.append(f"{ratio:.4f} at {run['server_rss_bytes'] / MIB:.0f} MiB")
        rows.append(row)
    names = [f"{kind}, limit {limits[kind]:.0f} MB" for kind in options.kinds]
    table(f"Hit ratio, cache-aside, {keys:,} keys of 100 bytes, at equal RSS (scanned keys not counted)",
          ["load", *names], rows)


def filled_rss(options, kind, memory_mb, data, keys):
    """RSS after half of all keys were written, which is more than fit."""
    with Server(options, kind, memory_mb) as server:
        server.bench(options, f"{data} --reads 0% --dist sequential --requests {keys // 2}")
        return server.settled_rss(options)


def fitted_limit(options, kind, memory_mb, data, keys, goal):
    """The limit at which a server takes as much memory as ringcached does."""
    limit = memory_mb
    for _ in range(6):
        rss = filled_rss(options, kind, limit, data, keys)
        note(f"hits: {kind} with {limit:.1f} MB takes {rss / MIB:.1f} MiB, to be {goal / MIB:.1f}")
        if abs(rss / goal - 1) <= 0.02:
            break
        # What it takes beside its items does not grow with the limit.
        limit = max(limit + (goal - rss) / MIB * 0.9, 2)
    return limit


def compare_churn(options):
    memory_mb, turns = (32, 1) if options.quick else (400, 2)
    rows = []
    ratios = {kind: [] for kind in options.kinds}
    for kind in options.kinds:
        with Server(options, kind, memory_mb) as server:
            for number, sizes in enumerate(CHURN_PHASES):
                note(f"churn: {kind}, {sizes} bytes")
                low, high = map(int, sizes.split("-"))
                requests = int(turns * memory_mb * MIB / ((low + high) / 2 + KEY_BYTES + 40))
                line = f"--reads 0% --dist sequential --keys {requests} --requests {requests}"
                server.bench(options, f"{line} --value-bytes {sizes} --key-prefix {number}: --pipeline 8")
                ratios[kind].append(server.status("VmRSS") / (memory_mb * MIB))
            ratios[kind].append(server.status("VmHWM") / (memory_mb * MIB))
    for number, sizes in enumerate([*CHURN_PHASES, "peak of all"]):
        rows.append([sizes] + [f"{ratios[kind][number]:.3f}" for kind in options.kinds])
    table(f"RSS over -m {memory_mb} after each phase of value sizes (goal 1.10)", ["bytes", *options.kinds], rows)


def compare_idle(options):
    idle = 1000 if options.quick else 10_000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < idle + 500:
        note(f"idle: left out, at most {most} open files are allowed here")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (idle + 500, most))
    cores = sorted(os.sched_getaffinity(0))
    line = f"--keys 10k --connections 16 --duration {options.seconds}s --warm-up 500ms"
    rows = []
    for kind in options.kinds:
        note(f"idle: {kind}")
        with Server(options, kind, 256, connections=idle + 200, cores={cores[0]}) as server:
            server.bench(options, "--keys 10k --preload --requests 64")
            runs = []
            for _ in range(options.rounds):
                alone = server.bench(options, line, {cores[-1]})
                runs.append((alone, server.bench(options, f"{line} --idle {idle}", {cores[-1]})))
        first_alone, first_beside = runs[0]
        each = (first_beside["server_rss_bytes"] - first_alone["server_rss_bytes"]) / idle
        held = max(beside["server_rss_bytes"] for _, beside in runs)
        p99 = spread([beside["p99_us"] / alone["p99_us"] for alone, beside in runs])
        rows.append([kind, f"{held / MIB:.1f} MiB", f"{each:.0f}", p99])
    table(f"{idle:,} idle connections", ["server", "RSS", "bytes each", "p99 of 16 active, with over without"], rows)


PARTS = {
    "cpu": compare_cpu,
    "memory": compare_memory,
    "hits": compare_hits,
    "churn": compare_churn,
    "idle": compare_idle,
}


def parts(text):
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no part `{unknown[0]}`; there are: {', '.join(PARTS)}")
    return names


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ringcached", metavar="CMD", help="command that starts ringcached (default: release build)")
    parser.add_argument("--load", metavar="PATH", help="ringcached whose `bench` asks (default: release build)")
    parser.add_argument("--only", metavar="PART,...", type=parts, default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rounds", metavar="N", type=int, help="rounds of cpu and idle (default: 5)")
    parser.add_argument("--seconds", metavar="N", type=float, help="length of a run of those (default: 4)")
    parser.add_argument("--quick", action="store_true", help="once and short; the figures mean little")
    parser.add_argument("--no-redis", action="store_true", help="leave redis-server out")
    parser.add_argument("--out", metavar="FILE", default="compare.jsonl", help="where each run is kept")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.seconds = args.seconds or (0.2 if args.quick else 4.0)
    return args


def main():
    args = arguments()
    try:
        options = Options(args)
        print(f"`{shlex.join(['benches/compare.py', *sys.argv[1:]])}`: {'; '.join(options.versions())}.")
        print(f"{len(os.sched_getaffinity(0))} cores, Linux {platform.release()}, {time.strftime('%Y-%m-%d')}.")
        for name in args.only:
            PARTS[name](options)
    except Failed as error:
        note(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
