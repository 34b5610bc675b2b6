"""Clients of a cluster at an even, modest rate, in a process of their own so that
nobody else's work is in their latencies. They know what each answer must be: what
they ask for was stored before and is never deleted, so a miss is a fault, and each
write of a key has a greater number than the one before it, so an answer with a
lesser number than was acknowledged is a lost write."""

import asyncio
import multiprocessing
import random
import time
from array import array
from collections import Counter

from measure import Failed

# Longer than a node tries (5 s) before it says an error itself.
PATIENCE_S, CONNECT_S, HOME_S = 8, 1, 0.5
PIPELINED, KEYS_PER_READ, EXAMPLES = 200, 100, 5
VALUE_BYTES = 100
CLIENTS = 10
# Of the one that reads many keys at once, to meet what few reads would not: its reads are
# not in the latencies.
SWEEPS_PER_S = 100
ERRORS = (b"SERVER_ERROR", b"CLIENT_ERROR", b"ERROR")


def key(number):
    return b"key-%08d" % number


KEY_BYTES = len(key(0))


def value(number, version):
    """Says of itself what it is."""
    return (b"%d %d " % (number, version)).ljust(VALUE_BYTES, b".")


class Cut(Exception):
    """The connection ended before the answer: nobody knows whether it was done."""


class TimedOut(Exception):
    """No answer in time: nobody knows whether it was done."""


class Connection(asyncio.Protocol):
    """One request, or one pipeline, at a time."""

    def __init__(self):
        self.buffer, self.lines = bytearray(), 0
        self.waiting, self.transport = None, None
        self.done_at = 0.0

    @classmethod
    async def to(cls, address):
        host, port = address.rsplit(":", 1)
        connecting = asyncio.get_running_loop().create_connection(cls, host, int(port))
        return (await asyncio.wait_for(connecting, CONNECT_S))[1]

    def connection_made(self, transport):
        self.transport = transport

    def is_open(self):
        return not self.transport.is_closing()

    def data_received(self, data):
        self.buffer += data
        if self.waiting and self.is_whole():
            # Taken here: when the one that waits is woken is this process's affair.
            self.done_at = time.monotonic()
            answer, self.buffer = bytes(self.buffer), bytearray()
            self.end(lambda waiting: waiting.set_result(answer))

    def is_whole(self):
        if not self.buffer.endswith(b"\r\n"):
            return False
        if self.lines:
            return self.buffer.count(b"\n") >= self.lines
        last = self.buffer[self.buffer.rfind(b"\n", 0, -1) + 1:]
        return last.startswith((b"END", *ERRORS))

    def connection_lost(self, _):
        self.end(lambda waiting: waiting.set_exception(Cut()))

    def give_up(self):
        self.end(lambda waiting: waiting.set_exception(TimedOut()))
        # An answer that comes yet would be taken for the next one's.
        self.transport.abort()

    def end(self, how):
        waiting, self.waiting = self.waiting, None
        if waiting and not waiting.done():
            how(waiting)

    async def ask(self, request, lines=0):
        """An answer of so many lines, or that of a read."""
        loop = asyncio.get_running_loop()
        self.lines, self.waiting = lines, loop.create_future()
        timer = loop.call_later(PATIENCE_S, self.give_up)
        try:
            self.transport.write(request)
            return await self.waiting
        finally:
            timer.cancel()


class Figures:
    """What clients met since the last look. Each answer with the time it came at."""

    def __init__(self):
        self.began = time.monotonic()
        self.counts, self.errors, self.examples = Counter(), Counter(), []
        # From sending; and from when it was due, with those that a slow answer held up.
        self.done_at, self.took = array("d"), array("d")
        self.due_done_at, self.due_took = array("d"), array("d")

    def answered(self, sent_at, due, interval, done_at):
        self.done_at.append(done_at)
        self.took.append(done_at - sent_at)
        self.due_done_at.append(done_at)
        self.due_took.append(done_at - sent_at)
        while (due := due + interval) < done_at:
            self.due_done_at.append(done_at)
            self.due_took.append(done_at - due)

    def fault(self, what, example):
        self.counts[what] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what}: {example}")


class Items:
    """Reads and writes of many keys, each of which is written by one client at a time."""

    def __init__(self, count, reads):
        self.count, self.reads = count, reads
        self.said, self.kept = array("I", [1]) * count, array("I", [0]) * count
        self.written = set()

    async def fill(self, connections):
        await shared_out(connections, range(0, self.count, PIPELINED), self.fill_some)

    async def fill_some(self, connection, first):
        numbers = range(first, min(first + PIPELINED, self.count))
        sets = (b"set %b 0 0 %d\r\n%b\r\n" % (key(n), VALUE_BYTES, value(n, 1)) for n in numbers)
        answer = await connection.ask(b"".join(sets), len(numbers))
        if answer.count(b"STORED\r\n") != len(numbers):
            wrong = next(line for line in answer.split(b"\r\n") if line != b"STORED")
            raise Failed(f"cannot fill the cluster: {wrong.decode()}")
        for number in numbers:
            self.kept[number] = 1

    async def one(self, ask, figures, where):
        number = random.randrange(self.count)
        while number in self.written:
            number = random.randrange(self.count)
        if random.random() < self.reads:
            await self.read(ask, figures, where, number)
        else:
            await self.write(ask, figures, number)

    async def write(self, ask, figures, number):
        figures.counts["writes"] += 1
        self.said[number] += 1
        version = self.said[number]
        self.written.add(number)
        try:
            request = b"set %b 0 0 %d\r\n%b\r\n" % (key(number), VALUE_BYTES, value(number, version))
            answer = await ask(request, 1)
        finally:
            self.written.discard(number)
        if answer == b"STORED\r\n":
            self.kept[number] = version
        elif answer:
            figures.errors[answer.strip().decode()] += 1

    async def read(self, ask, figures, where, number):
        figures.counts["reads"] += 1
        kept = self.kept[number]
        answer = await ask(b"get %b\r\n" % key(number), 0)
        if answer is None:
            return
        if answer.startswith(ERRORS):
            figures.errors[answer.strip().decode()] += 1
        elif answer == b"END\r\n":
            figures.fault("misses", f"{key(number).decode()} at {where}")
        elif not self.is_good(number, kept, answer.split(b"\r\n")[1]):
            figures.fault("stale", f"{key(number).decode()} at {where}, acknowledged {kept}: {answer[:60]}")

    async def sweep(self, ask, figures, where, first):
        """Many at once, from this one on; the one to go on from."""
        numbers = range(first, min(first + KEYS_PER_READ, self.count))
        kept = self.kept[numbers.start:numbers.stop]
        answer = await ask(b"get %b\r\n" % b" ".join(map(key, numbers)), 0)
        if answer is not None and answer.startswith(ERRORS):
            figures.errors[answer.strip().decode()] += 1
        elif answer is not None:
            figures.counts["reads"] += len(numbers)
            found = said_of(answer)
            for number, least in zip(numbers, kept):
                said = found.get(key(number))
                if said is None:
                    figures.fault("misses", f"{key(number).decode()} at {where}, with others")
                elif not self.is_good(number, least, said):
                    figures.fault("stale", f"{key(number).decode()} at {where}, acknowledged {least}: {said[:40]}")
        return numbers.stop % self.count

    def is_good(self, number, kept, said):
        words = said.split(b" ", 2)
        return len(said) == VALUE_BYTES and int(words[0]) == number and kept <= int(words[1]) <= self.said[number]

    async def verify(self, connections):
        """Asks for every key; what nobody answers is asked for once more, alone."""
        found = Counter(keys=self.count)
        await shared_out(connections, range(0, self.count, KEYS_PER_READ), self.verify_some, found)
        return dict(found)

    async def verify_some(self, connection, first, found):
        numbers = range(first, min(first + KEYS_PER_READ, self.count))
        kept = self.kept[numbers.start:numbers.stop]
        there = said_of(await connection.ask(b"get %b\r\n" % b" ".join(map(key, numbers))))
        for number, least in zip(numbers, kept):
            said = there.get(key(number))
            if said is None:
                said = await self.verify_alone(connection, number, found)
            if said is not None and not self.is_good(number, least, said):
                found["stale"] += 1

    async def verify_alone(self, connection, number, found):
        """In a multiget a key that nobody answers for reads as a miss."""
        answer = await connection.ask(b"get %b\r\n" % key(number))
        if answer.startswith(b"VALUE "):
            found["at_second_try"] += 1
            return answer.split(b"\r\n")[1]
        found["unanswered" if answer.startswith(ERRORS) else "missing"] += 1
        return None


def said_of(answer):
    """The value of each key in it."""
    lines = answer.split(b"\r\n")
    return dict(zip((line.split(b" ")[1] for line in lines[0:-2:2]), lines[1:-2:2]))


class Counters:
    """Increments by one of few keys, by several clients at a time."""

    def __init__(self, count):
        self.count = count
        self.kept, self.unknown = [0] * count, [0] * count
        self.seen = [set() for _ in range(count)]

    async def fill(self, connections):
        for number in range(self.count):
            if await connections[0].ask(b"set %b 0 0 1\r\n0\r\n" % key(number), 1) != b"STORED\r\n":
                raise Failed("cannot store a counter")

    async def one(self, ask, figures, where):
        number = random.randrange(self.count)
        figures.counts["increments"] += 1
        self.unknown[number] += 1
        answer = await ask(b"incr %b 1\r\n" % key(number), 1)
        if answer is None:
            return
        if answer.startswith(ERRORS):
            figures.errors[answer.strip().decode()] += 1
            return
        self.unknown[number] -= 1
        if not answer.strip().isdigit():
            figures.fault("misses", f"{key(number).decode()} at {where}: {answer.strip().decode()}")
            return
        self.kept[number] += 1
        if int(answer) in self.seen[number]:
            figures.fault("told_twice", f"{key(number).decode()} at {where}: {int(answer)}")
        self.seen[number].add(int(answer))

    async def verify(self, connections):
        """What each node says; the worst of it counts."""
        kept, unknown = list(self.kept), list(self.unknown)
        worst = Counter(acknowledged=sum(kept), unknown=sum(unknown), lost=0, too_many=0, missing=0)
        for connection in connections:
            here = Counter()
            for number in range(self.count):
                answer = await connection.ask(b"get %b\r\n" % key(number))
                if not answer.startswith(b"VALUE "):
                    here["missing"] += 1
                    here["lost"] += kept[number]
                    continue
                said = int(answer.split(b"\r\n")[1])
                here["lost"] += max(0, kept[number] - said)
                here["too_many"] += max(0, said - kept[number] - unknown[number])
            worst |= here
        return dict(worst)


async def shared_out(connections, pieces, do, *more):
    """Each piece by whichever connection is free."""
    pieces = iter(pieces)

    async def work(connection):
        for piece in pieces:
            await do(connection, piece, *more)

    await asyncio.gather(*(work(connection) for connection in connections))


class Client:
    """Asks its own node, and another one as long as that does not let it in."""

    def __init__(self, clients, index):
        self.clients, self.index = clients, index
        self.connection, self.at, self.home_at = None, None, 0.0

    async def go_on(self):
        await asyncio.sleep(random.random() * self.interval())
        due = time.monotonic()
        while True:
            due = max(due + self.interval(), time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            await self.clients.running.wait()
            await self.turn(time.monotonic())

    async def turn(self, due):
        figures = self.clients.figures
        if not await self.reach():
            figures.errors["no node lets this client in"] += 1
            return
        self.clients.under_way += 1
        try:
            await self.do(lambda request, lines: self.ask(request, lines, due), figures)
        finally:
            self.clients.under_way -= 1

    async def do(self, ask, figures):
        await self.clients.work.one(ask, figures, self.at)

    def interval(self):
        return self.clients.interval()

    def answered(self, figures, sent_at, due, done_at):
        figures.answered(sent_at, due, self.interval(), done_at)

    async def ask(self, request, lines, due):
        """The answer; nothing if none came, which is counted."""
        figures, sent_at = self.clients.figures, time.monotonic()
        try:
            answer = await self.connection.ask(request, lines)
        except Cut:
            figures.counts["cut"] += 1
            return None
        except TimedOut:
            figures.errors["no answer in time"] += 1
            self.answered(figures, sent_at, due, time.monotonic())
            return None
        self.answered(figures, sent_at, due, self.connection.done_at)
        return answer

    async def reach(self):
        nodes = self.clients.nodes
        home = nodes[self.index % len(nodes)]
        is_open = self.connection is not None and self.connection.is_open()
        if is_open and self.at in nodes and (self.at == home or time.monotonic() < self.home_at):
            return True
        self.home_at = time.monotonic() + HOME_S
        for step in range(len(nodes)):
            node = nodes[(self.index + step) % len(nodes)]
            if is_open and node == self.at:
                return True
            try:
                connection = await Connection.to(node)
            except (OSError, asyncio.TimeoutError):
                continue
            if self.connection is not None:
                self.connection.transport.close()
            self.connection, self.at = connection, node
            return True
        return False


class Sweeper(Client):
    """Reads all keys, many at a time, again and again."""

    def __init__(self, clients):
        super().__init__(clients, 0)
        self.first = 0

    def interval(self):
        return 1 / SWEEPS_PER_S

    def answered(self, *_):
        pass

    async def do(self, ask, figures):
        self.first = await self.clients.work.sweep(ask, figures, self.at, self.first)


class Clients:
    """All of them, and what they are told from outside."""

    def __init__(self, pipe, work, nodes, clients, rate):
        self.pipe, self.work, self.nodes, self.rate = pipe, work, nodes, rate
        self.figures, self.under_way = Figures(), 0
        self.clients = [Client(self, index) for index in range(clients)]
        self.sweepers = [Sweeper(self)] if hasattr(work, "sweep") else []
        self.running = asyncio.Event()

    def interval(self):
        return len(self.clients) / self.rate

    async def obey(self):
        loop, asked = asyncio.get_running_loop(), asyncio.Queue()
        loop.add_reader(self.pipe.fileno(), self.hear, asked)
        tasks = [asyncio.ensure_future(client.go_on()) for client in (*self.clients, *self.sweepers)]
        while (question := await asked.get()) is not None:
            for task in tasks:
                if task.done():
                    task.result()
            what, *more = question
            try:
                self.pipe.send(("ok", await getattr(self, what)(*more)))
            except (Failed, Cut, TimedOut, OSError) as error:
                self.pipe.send(("failed", f"{what}: {error!r}"))

    def hear(self, asked):
        try:
            asked.put_nowait(self.pipe.recv())
        except EOFError:
            asked.put_nowait(None)
            asyncio.get_running_loop().remove_reader(self.pipe.fileno())

    async def fill(self):
        return await self.with_connections(self.work.fill)

    async def verify(self):
        return await self.with_connections(self.work.verify)

    async def with_connections(self, do):
        connections = [await Connection.to(node) for node in self.nodes]
        try:
            return await do(connections)
        finally:
            for connection in connections:
                connection.transport.close()

    async def run(self):
        self.running.set()

    async def rest(self):
        """Until nothing is under way."""
        self.running.clear()
        while self.under_way:
            await asyncio.sleep(0.01)

    async def turn_to(self, nodes):
        self.nodes = nodes

    async def look(self):
        """What was met since the last look."""
        figures, self.figures = self.figures, Figures()
        return {"seconds": self.figures.began - figures.began, "cpu_s": time.process_time(), **vars(figures)}


def serve(pipe, kind, what, nodes, clients, rate):
    """The life of the process."""
    work = {"items": Items, "counters": Counters}[kind](*what)

    async def live():
        await Clients(pipe, work, nodes, clients, rate).obey()

    asyncio.run(live())


class Load:
    """The process, as seen by whoever has it ask."""

    def __init__(self, kind, what, nodes, rate, clients=CLIENTS):
        # Not forked: whoever asks has threads.
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=serve, args=(theirs, kind, what, nodes, clients, rate), daemon=True)
        self.process.start()
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pipe.close()
        self.process.join(2)
        self.process.kill()
        self.process.join()

    def say(self, what, *more):
        """Its answer is to be heard before anything else is said."""
        self.pipe.send((what, *more))

    def hear(self, patience=900):
        try:
            if not self.pipe.poll(patience):
                raise Failed("the clients do not answer")
            how, answer = self.pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise Failed("the clients ended") from error
        if how == "failed":
            raise Failed(f"clients: {answer}")
        return answer

    def ask(self, what, *more):
        self.say(what, *more)
        return self.hear()
