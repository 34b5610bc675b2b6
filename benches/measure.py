"""What the comparisons share: servers that are started and stopped, runs of
`ringcached bench` against them, and tables of what came of it."""

import functools
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY_S, STOP_S, RUN_S = 10, 10, 900
STARTED = time.monotonic()


class Failed(Exception):
    """The comparison cannot go on. Says why."""


class Process:
    """A server of its own, stopped at the end of a `with`."""

    def __init__(self, command, port=None, cores=None):
        self.command, self.port = command, port
        pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
        # A file, as a pipe that nobody reads would stop a server that says much.
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=self.said, stderr=self.said, preexec_fn=pin)
        self.pid = self.process.pid
        try:
            self.await_until(self.is_ready, "does not listen")
        except BaseException:
            self.stop()
            raise

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def await_until(self, holds, otherwise, patience=READY_S):
        deadline = time.monotonic() + patience
        while not holds():
            if self.process.poll() is not None:
                self.said.seek(0)
                said = self.said.read(2000).decode(errors="replace").strip()
                raise Failed(f"{shlex.join(self.command)} ended: {said}")
            if time.monotonic() > deadline:
                raise Failed(f"{shlex.join(self.command)} {otherwise}")
            time.sleep(0.02)

    def has_said(self):
        """All so far. Read where it lies: the place to write on is shared."""
        return os.pread(self.said.fileno(), 1 << 24, 0).decode(errors="replace")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Node(Process):
    """A ringcached node, which says itself when it serves."""

    def __init__(self, program, line, file):
        self.file = Path(file)
        super().__init__([*program, *line.split(), "--ready-file", str(file)])

    @functools.cached_property
    def says(self):
        return json.loads(self.file.read_text())

    def is_ready(self):
        return self.file.exists()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def built():
    """The release build of this tree."""
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "ringcached")


def not_as_root():
    """memcached and its proxy do not run as root unless told who to be instead."""
    return ["-u", "nobody"] if os.geteuid() == 0 else []


def bench(load, who, line, cores=None):
    """One run of `ringcached bench` against somebody; its figures."""
    command = [load, "bench", "-o", "json", *shlex.split(line)]
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, preexec_fn=pin, check=False)
    figures = json.loads(done.stdout)["runs"][0] if done.stdout else None
    # A full memcached now and then finds no room for a set and says so.
    if figures is None or figures["errors"] > figures["operations"] / 100:
        raise Failed(f"{shlex.join(command)} against {who}: {done.stderr.strip()}")
    if figures["errors"]:
        note(f"{who}: {figures['errors']} of {figures['operations']} requests failed")
    return figures


def version(command):
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).strip().splitlines()
    return lines[0] if lines else command[0]


def merged(*lines):
    """One command line of several, in which a later option replaces an earlier one."""
    options = {}
    for word in shlex.split(" ".join(lines)):
        if word.startswith("--"):
            name, options[word] = word, []
        else:
            options[name].append(word)
    return shlex.join(word for name, values in options.items() for word in (name, *values))


def spread(values, digits=2):
    """Median, least and greatest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(title, columns, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def note(text):
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", file=sys.stderr, flush=True)
