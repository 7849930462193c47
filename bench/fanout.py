"""`make bench-fanout`: one event told to a thousand subscribers, by the product and by Strawberry with broadcaster as documented.

A thousand members of the staff follow all bookings over a WebSocket each. Events are announced in bursts and the clock runs until the
last reader has the last one. Both servers take turns; the readers are the same program, in a process of its own.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import orjson
import typer

from bench import world
from bench.figures import heading, write_into
from bench.product import ROOT, BenchFailed, Process, Product, free_port, running_product, started, wait_until_it_answers
from models.bookings import Booking
from models.database import Database
from settings import Settings
from subscriptions.bookings import BookingConfirmed
from subscriptions.bus import Bus
from subscriptions.facts import announce
from subscriptions.stream import CHANNEL

BEGIN, END = "<!-- fan-out, written by make bench-fanout -->", "<!-- end of fan-out -->"
QUERY = "subscription($after: String) { bookingEvents(after: $after) { cursor kind at booking { reference status startsAt } } }"
GOAL = 5.0
STAFF = "INSERT INTO user_roles (user_id, role, is_approved) SELECT id, 'support', true FROM users WHERE id >= $1 AND id < $1 + $2"
SETTLE_SECONDS = 1.0

Publish = Callable[[int], float]
"""Announces so many events, and says since when there is something to tell."""


@dataclass(frozen=True)
class Burst:
    """How one burst of events was told."""

    delivered: int
    seconds: float
    cpu: float
    is_same: bool

    @property
    def per_second(self) -> float:
        """Events that reached a reader, in a second."""
        return self.delivered / self.seconds

    @property
    def microseconds(self) -> float:
        """What the server used of the processor for one of them."""
        return self.cpu * 1e6 / self.delivered


class Readers:
    """The process of the readers."""

    def __init__(self, server: Process, tokens: Sequence[str]) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "bench.readers"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._server, self._count = server, len(tokens)
        self._say({"port": server.port, "path": "/graphql", "query": QUERY, "tokens": list(tokens)})
        self._hear("ready")

    def burst(self, publish: Publish, events: int) -> Burst:
        """Announce so many events, and wait until each reader has them all."""
        self._say(events)
        self._hear("expecting")
        cpu = self._server.cpu_seconds
        began = publish(events)
        told = orjson.loads(self._hear("{"))
        return Burst(self._count * events, told["last"] - began, self._server.cpu_seconds - cpu, told["same"])

    def close(self) -> None:
        """End it."""
        self._program.terminate()
        self._program.wait()

    def _say(self, what: Any) -> None:
        assert self._program.stdin
        self._program.stdin.write(orjson.dumps(what).decode() + "\n")
        self._program.stdin.flush()

    def _hear(self, begins: str) -> str:
        assert self._program.stdout
        line = self._program.stdout.readline()
        if not line.startswith(begins):
            raise BenchFailed("The readers ended: see what they said above.")
        return line


@contextmanager
def plain_server(product: Product) -> Iterator[Process]:
    """Strawberry and broadcaster, served as uvicorn does by itself."""
    port, log = free_port(), product.folder / "plain.log"
    options = ["-m", "uvicorn", "bench.plain_fanout:app", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as file, started([*options, "--no-access-log", "--log-level", "warning"], dict(os.environ), file.fileno()) as pid:
        server = Process(pid, port)
        wait_until_it_answers(server, "/hello", log)
        yield server


def plain_publish(server: Process) -> Publish:
    """Ask it to say so many events."""
    said = 0

    def publish(count: int) -> float:
        nonlocal said
        began = time.perf_counter()
        url = f"http://127.0.0.1:{server.port}/publish?first={said}&count={count}"
        with urllib.request.urlopen(urllib.request.Request(url, b"", method="POST"), timeout=60) as answer:
            answer.read()
        said += count
        return began

    return publish


def product_publish(url: str) -> Publish:
    """Commit so many events from another process, and say so on the bus, as any process of the product does."""

    async def announce_all(count: int) -> float:
        settings = Settings(_env_file=None, database_pool=2)  # type: ignore[call-arg]
        async with Database(url, settings) as database, Bus(url) as bus:
            async with database.sessions.begin() as db:
                booking = await db.get_one(Booking, world.FIRST)
                for _ in range(count):
                    await announce(db, BookingConfirmed(booking))
                began = time.perf_counter()
            await bus.publish(CHANNEL)
            return began

    return lambda count: asyncio.run(announce_all(count))


async def employ(url: str, count: int) -> None:
    """Make people of the bench members of the staff."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(STAFF, world.FIRST, count)
    finally:
        await connection.close()


def table(ours: Sequence[Burst], theirs: Sequence[Burst], subscribers: int) -> str:
    """What came out."""
    lines = ["| server | subscribers | events/s delivered | server CPU µs per event delivered |", "|---|---|---|---|"]
    for name, bursts in (("Atrium", ours), ("Strawberry with broadcaster", theirs)):
        each = (statistics.median(getattr(burst, figure) for burst in bursts) for figure in ("per_second", "microseconds"))
        lines.append(f"| {name} | {subscribers:,} | {next(each):,.0f} | {next(each):.1f} |")
    ratio = statistics.median(mine.per_second / other.per_second for mine, other in zip(ours, theirs, strict=True))
    cpu = statistics.median(other.microseconds / mine.microseconds for mine, other in zip(ours, theirs, strict=True))
    mark = "✓" if ratio >= GOAL else "✗"
    lost = sum(not each.is_same for each in (*ours, *theirs))
    lines += ["", f"{ratio:.1f} times as many in a second (to reach: {GOAL:.0f} {mark}), with {cpu:.1f} times less processor time; "]
    lines[-1] += "every reader got every event once and in order." if not lost else f"in {lost} bursts readers got different events."
    return "\n".join(lines)


def main(
    subscribers: Annotated[int, typer.Option(help="How many follow.")] = 1000,
    events: Annotated[int, typer.Option(help="How many events a burst has.")] = 100,
    rounds: Annotated[int, typer.Option(help="How many bursts each server tells.")] = 5,
    document: Annotated[bool, typer.Option("--document", help="Write the table into docs/performance.md.")] = False,
) -> None:
    """Measure, and print how the product stands beside Strawberry with broadcaster."""
    load = os.getloadavg()[0]
    room = {"SOCKETS_PER_ADDRESS": str(2 * subscribers), "LIMIT_CONCURRENCY": str(2 * subscribers + 100)}
    ours: list[Burst] = []
    theirs: list[Burst] = []
    with running_product(settings=room) as product, plain_server(product) as plain, ExitStack() as stack:
        asyncio.run(world.load(product.database_url))
        asyncio.run(employ(product.database_url, subscribers))
        staff = stack.enter_context(closing(Readers(product.server, world.tokens()[:subscribers])))
        strangers = stack.enter_context(closing(Readers(plain, [""] * subscribers)))
        asked = [(staff, product_publish(product.database_url), ours), (strangers, plain_publish(plain), theirs)]
        time.sleep(SETTLE_SECONDS)
        for readers, publish, _ in asked:
            readers.burst(publish, events)  # the first burst plans and compiles
        for _ in range(rounds):
            for readers, publish, found in asked:
                time.sleep(SETTLE_SECONDS)
                found.append(readers.burst(publish, events))
    how = f"medians of {rounds} bursts of {events} events, both in turn"
    text = f"{heading(how, load)}\n\n{table(ours, theirs, subscribers)}"
    print(text)
    if document:
        write_into(ROOT / "docs/performance.md", text, BEGIN, END)


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    command.command()(main)
    try:
        command()
    except BenchFailed as failure:
        raise SystemExit(f"✗ {failure}") from None
