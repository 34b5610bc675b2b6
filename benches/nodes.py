"""A cluster of real nodes that are started, stopped, killed and watched one by one:
by what they say of themselves and by what the system says of their memory."""

import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from measure import Failed, Node, note

# How often a node's memory is looked at, and how often it is asked, which costs it
# about as much as a thousand requests.
RSS_S, LOOK_S = 0.05, 0.25
# Nothing moves any more once nothing has for so long: longer than nodes rest
# between two passes.
CALM_S = 3
SERVES_S, ENDS_S, ASKED_S = 300, 300, 10
NODES_MAX, PORTS_EACH = 10, 10


class Asking:
    """A connection for questions, one at a time."""

    def __init__(self, address, patience=ASKED_S):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), patience)
        self.answers = self.socket.makefile("rb")

    def close(self):
        self.answers.close()
        self.socket.close()

    def line(self, request):
        self.socket.sendall(request)
        line = self.answers.readline()
        if not line:
            raise ConnectionError("it ended")
        return line.rstrip(b"\r\n")

    def lines(self, request):
        """All up to END."""
        line, lines = self.line(request), []
        while line and line != b"END":
            if b"ERROR" in line[:12]:
                raise ConnectionError(line.decode())
            lines.append(line)
            line = self.answers.readline().rstrip(b"\r\n")
        return lines

    def stats(self, topic=""):
        words = (line.decode().split(" ", 2) for line in self.lines(f"stats {topic}".strip().encode() + b"\r\n"))
        return {name: value for _, name, value in words}


class Watch(threading.Thread):
    """What one life of a node said last, and how much memory it had when."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.over, self.asking = node, threading.Event(), None
        self.said, self.said_at, self.items, self.evictions = {}, 0.0, 0, 0
        self.moved, self.look_s = (0, 0), LOOK_S
        # Times and bytes; times and how many slots it says that each node owns.
        self.rss, self.owned = [], []
        self.start()

    def run(self):
        look_at = 0.0
        while not self.over.wait(RSS_S):
            if (bytes_now := memory(self.node.pid, "VmRSS")) is not None:
                self.rss.append((time.monotonic(), bytes_now))
            if time.monotonic() >= look_at:
                self.look()
                look_at = time.monotonic() + self.look_s
        self.forget()

    def look(self):
        try:
            self.asking = self.asking or Asking(self.node.client, 1)
            said, general, now = self.asking.stats("cluster"), self.asking.stats(), time.monotonic()
        except (OSError, ValueError):
            self.forget()
            return
        if "phase" not in said:
            return
        self.items, self.evictions = int(general["curr_items"]), int(general["evictions"])
        self.moved = (int(said["moved_items"]), int(said["moved_bytes"]))
        owned = {name: int(slots) for name, slots in said.items() if name.endswith(":slots")}
        self.owned.append((now, said["phase"], owned))
        self.said, self.said_at = said, now

    def forget(self):
        if self.asking:
            self.asking.close()
        self.asking = None

    def end(self):
        self.over.set()
        self.join()


def memory(pid, what):
    """Bytes; nothing of a process that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    said = [line.split()[1] for line in status.splitlines() if line.startswith(f"{what}:")]
    return int(said[0]) * 1024 if said else None


class Member(Node):
    """A node that is waited for by whoever wants it to serve: it is watched before."""

    def __init__(self, program, line, file, name, client):
        self.name, self.client, self.began = name, client, time.monotonic()
        super().__init__(program, line, file)
        self.watch = Watch(self)

    def is_ready(self):
        return True

    def await_serving(self):
        """How long it took."""
        self.await_until(self.file.exists, "does not serve", SERVES_S)
        return time.monotonic() - self.began

    def rss_max(self, since):
        """The most that it had since then."""
        return max((rss for at, rss in self.watch.rss if at >= since), default=None)

    def begin_peak(self):
        """Has the system note the most memory from now on."""
        try:
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")
            self.notes_peak = True
        except OSError:
            self.notes_peak = False

    def peak(self, since):
        """The most that it had since `begin_peak`, or since it was started."""
        seen = self.rss_max(since)
        noted = memory(self.pid, "VmHWM") if getattr(self, "notes_peak", self.began >= since) else None
        return max((bytes_then for bytes_then in (seen, noted) if bytes_then), default=None)

    def stop(self):
        """At once: one that is told to leave would hand over first."""
        if hasattr(self, "watch"):
            self.watch.end()
        self.process.kill()
        self.process.wait()


class Cluster:
    """Nodes with ports of their own, so that each can be started again where it was."""

    def __init__(self, options, count, more="", warm=False):
        self.options, self.more, self.warm = options, more, warm
        self.folder = tempfile.TemporaryDirectory(prefix="elastic-bench-")
        self.first_port = free_ports(NODES_MAX * PORTS_EACH)
        self.live, self.lives = {}, []
        try:
            for number in range(count):
                self.start(number).await_serving()
            if self.await_settled(60) is None:
                raise Failed(f"{count} nodes do not find each other: {self.unrest()}")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.lives:
            node.stop()
        self.folder.cleanup()

    def start(self, number):
        client, peer = (f"127.0.0.1:{self.first_port + number * PORTS_EACH + step}" for step in range(2))
        # Two, so that one is there to be joined.
        join = " ".join(f"--join {node.peer}" for node in list(self.live.values())[:2])
        options = self.options
        line = f"-p {client.rsplit(':', 1)[1]} -t 1 -m 1024 --copies {options.copies} --profile {options.profile}"
        cluster = f"--peer-listen {peer} --cluster elastic --node-id node-{number}"
        file = Path(self.folder.name) / f"node-{number}"
        warm = f"--warm-file {file}.warm" if self.warm else ""
        file.unlink(missing_ok=True)
        node = Member(options.ringcached, f"{line} {cluster} {self.more} {warm} {join}", file, f"node-{number}", client)
        node.number, node.peer = number, peer
        self.live[node.name] = node
        self.lives.append(node)
        return node

    def nodes(self):
        return list(self.live.values())

    def clients(self):
        return [node.client for node in self.nodes()]

    def kill(self, node):
        self.ended(node)
        node.stop()

    def drain(self, node):
        """Tells it to leave: how long it took, its exit code, none if it had to be
        killed, and how old what it said last was by then."""
        began = time.monotonic()
        # Soon it says no more.
        node.watch.look_s = 0
        node.process.terminate()
        try:
            code = node.process.wait(self.options.ends_s)
        except subprocess.TimeoutExpired:
            code = None
        ended_at = time.monotonic()
        self.ended(node)
        node.stop()
        return ended_at - began, code, ended_at - node.watch.said_at

    def ended(self, node):
        del self.live[node.name]

    def moved(self):
        """Items and bytes that all nodes that ever were have brought to others."""
        moved = [node.watch.moved for node in self.lives]
        return sum(items for items, _ in moved), sum(sent for _, sent in moved)

    def items(self):
        """What live nodes keep, copies too."""
        return sum(node.watch.items for node in self.nodes())

    def evictions(self):
        return sum(node.watch.evictions for node in self.lives)

    def upsets(self):
        """The names of those that served and then joined once more, as who takes itself
        for dead does."""
        said = ((node.name, node.has_said().partition("what=self phase=serving")[2]) for node in self.lives)
        return [name for name, after in said for _ in range(after.count("what=self phase=joining"))]

    def views(self):
        return {node.watch.said.get("view") for node in self.nodes()}

    def slots_given(self, before, since):
        """The most slots that had other owners than by `before`, by any node that
        served since then."""
        given = 0
        for node in self.lives:
            for at, phase, owned in node.watch.owned:
                if at >= since and phase == "serving":
                    more = sum(max(0, slots - before.get(name, 0)) for name, slots in owned.items())
                    given = max(given, more, sum(before.values()) - sum(owned.values()))
        return given

    def check_lives(self):
        for node in self.nodes():
            if node.process.poll() is not None:
                note(f"{node.name} said:\n{node.has_said()[-2000:]}")
                raise Failed(f"{node.name} ended by itself with {node.process.returncode}")

    def await_until(self, holds, patience):
        """When it came to hold; nothing if it did not."""
        deadline = time.monotonic() + patience
        while not holds():
            self.check_lives()
            if time.monotonic() > deadline:
                return None
            time.sleep(RSS_S)
        return time.monotonic()

    def await_settled(self, patience):
        """When the last change was after which all serve and nothing moves any more;
        nothing if that does not come."""
        settling = Settling(self)
        settled = self.await_until(settling.is_over, patience)
        self.last_unrest = settling.last_unrest
        return settled and settling.changed_at

    def unrest(self):
        """Why it is not settled; nothing if all is well."""
        count, now = len(self.live), time.monotonic()
        for node in self.nodes():
            said = node.watch.said
            if now - node.watch.said_at > 2:
                return f"{node.name} says nothing"
            if int(said["members"]) != count:
                return f"{node.name} knows {said['members']} nodes of {count}"
            if said["waits_for"]:
                return f"{node.name} waits for {said['waits_for']}"
            for name, value in said.items():
                what = name.rsplit(":", 1)[-1]
                if UNSETTLED.get(what, lambda _: False)(value):
                    return f"{node.name}: {name} is {value}"
        if len(self.views()) != 1:
            return "nodes differ in their views"
        return None


# What a node says as long as something is to be done yet.
UNSETTLED = {
    "phase": lambda phase: phase != "serving",
    "standing": lambda standing: standing != "alive",
    "linked": lambda linked: linked != "yes",
    "dirty_slots": lambda slots: slots != "0",
    "slots_with_too_few_copies": lambda slots: slots != "0",
}


class Settling:
    """Looks whether nothing moves any more."""

    def __init__(self, cluster):
        self.cluster, self.state, self.last_unrest = cluster, None, None
        self.changed_at = time.monotonic()

    def is_over(self):
        unrest = self.cluster.unrest()
        self.last_unrest = unrest or self.last_unrest
        state = (unrest, self.cluster.moved())
        if state != self.state:
            self.state, self.changed_at = state, time.monotonic()
        return unrest is None and time.monotonic() - self.changed_at >= CALM_S


def free_ports(count):
    """So many in a row, below those that the system gives away by itself: they are
    still free when a node is started again."""
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if end < 10_000 + count:
        raise Failed("no ports are left below net.ipv4.ip_local_port_range")
    for _ in range(100):
        first = random.randrange(10_000, end - count + 1)
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise Failed(f"no {count} free ports in a row")


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def stand_still(node):
    node.process.send_signal(signal.SIGSTOP)


def go_on(node):
    node.process.send_signal(signal.SIGCONT)
