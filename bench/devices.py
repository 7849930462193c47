"""`make bench-devices`: what 200 devices that report every second cost those who use the API at the same time.

The devices live in a process of their own, with the broker at which they and the server meet, and take turns: a round with their reports is
measured beside a round without them. Every report is a change, so that nothing is saved by leaving out what is known already.
"""

import asyncio
import contextlib
import itertools
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import asyncpg
import orjson
import typer

from bench import figures, world
from bench.__main__ import DOCUMENT, say
from bench.calls import Call, Calls
from bench.product import ROOT, BenchFailed, Product, free_port, running_product
from bench.rounds import Round, Target, find_wrk, measure
from gateways.device_messages import Topics
from gateways.simulators.broker import Broker
from gateways.simulators.mqtt_packets import Publication

DEVICES = 200
LEAST_WRITTEN = 0.2
"""Changes of each device that the server must have written down in a second, or the measure is none; it gathers for a second or longer."""
MOST_REFUSED = 0.01
"""Part of the requests; a machine that is busy with other things lets some time out."""
GOAL = 1.2
BEGIN, END = "<!-- figures of devices, written by make bench-devices -->", "<!-- end of the figures of devices -->"
USER = PASSWORD = "bench"  # noqa: S105 - of a broker that lives for minutes, on this machine
MADE = """
INSERT INTO devices (uuid, name, device_type, zone, state, min_value, max_value, default_value, in_maintenance)
SELECT gen_random_uuid(), 'Bench ' || n, 'lighting', 'bench', '{}', 0, 100, 50, false FROM generate_series(1, $1) n RETURNING id
"""
WRITTEN = "SELECT count(*) FROM event_log WHERE kind = 'device.changed'"
MIX = ("my_bookings_rest", "one_service", "catalogue", "one_service_rest", "my_bookings", "book")
LOADS = {"as fast as it goes": None, "with pauses": 60}
"""What each of the connections does between two requests, in milliseconds."""


async def live(port: int) -> None:
    """Be the devices: whether they report, and which they are, comes by lines on stdin."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    broker = Broker(user=USER, password=PASSWORD)
    broker.port = port
    reporting: list[asyncio.Task[None]] = []
    async with broker:
        print("open", flush=True)
        while line := await reader.readline():
            for each in reporting:
                each.cancel()
            reporting = [asyncio.create_task(_report(broker, number)) for number in orjson.loads(line)]


async def _report(broker: Broker, number: int) -> None:
    topic = Topics("atrium").of(number, "state")
    await asyncio.sleep(random.random())  # noqa: S311 - spreads them over the second
    for count in itertools.count():
        state = {"brightness": count % 100, "color": "#ff9500", "mode": "warm", "power": True}
        broker.publish(Publication(topic, orjson.dumps(state), retain=True))
        await asyncio.sleep(1)


@dataclass(frozen=True)
class House:
    """The process in which the devices live."""

    process: "subprocess.Popen[bytes]"
    port: int

    def report(self, numbers: list[int]) -> None:
        """Let these devices report every second, and no others."""
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps(numbers) + b"\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def house() -> Iterator[House]:
    """The devices with their broker, silent at first."""
    port = free_port()
    arguments = [sys.executable, "-m", "bench.devices", "--live", str(port)]
    process = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own program
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield House(process, port)
    finally:
        process.terminate()
        process.wait()


def mixed(calls: Calls) -> Iterator[Call]:
    """Reads at both doors, and one booking among every six requests."""
    kinds = [calls.of(name) for name in MIX]
    return (next(kind) for kind in itertools.cycle(kinds))


@dataclass
class Pair:
    """A round without reports and one with them, and how many of these were written down."""

    alone: Round
    beside: Round
    written: float


async def _ask(product: Product, statement: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(product.database_url)
    try:
        return list(await connection.fetch(statement, *arguments))
    finally:
        await connection.close()


def take_turns(product: Product, calls: Calls, home: House, numbers: list[int], seconds: int, rounds: int, pause: int | None) -> list[Pair]:
    """Rounds without and with reports, in turn, each first in half of the pairs."""
    target = Target("the API", product.server, mixed(calls), is_write=True)
    pairs = []
    for turn in range(rounds):
        found: dict[bool, Round] = {}
        written = 0.0
        for reports in (False, True) if turn % 2 else (True, False):
            home.report(numbers if reports else [])
            asyncio.run(asyncio.sleep(2))  # until those of before are written down, or the first ones come
            [before] = asyncio.run(_ask(product, WRITTEN))
            found[reports] = measure(product, target, 16, seconds, pause=pause)
            [after] = asyncio.run(_ask(product, WRITTEN))
            if reports:
                written = (after[0] - before[0]) / (seconds * len(numbers))
        pairs.append(Pair(found[False], found[True], written))
    return pairs


def heading(seconds: int, rounds: int, load: float) -> str:
    """When, where and how."""
    how = f"{DEVICES} devices, medians of {rounds} pairs of rounds of {seconds} s at 16 connections"
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {figures.machine()}; {how}; load of the machine before the run: {load:.1f}."


def table(results: dict[str, list[Pair]]) -> str:
    """The figures for people."""
    lines = [
        "| load | requests/s | p95 ms without | p95 ms with | ratio of p95 | p50 ms without | p50 ms with "
        "| server CPU µs without | server CPU µs with | changes written per device and second |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for load, pairs in results.items():

        def median(of: str, which: str, pairs: list[Pair] = pairs) -> float:
            return float(statistics.median(getattr(getattr(each, which), of) for each in pairs))

        lines.append(
            f"| {load} | {median('per_second', 'alone'):,.0f} | {median('p95', 'alone') / 1000:.1f} | {median('p95', 'beside') / 1000:.1f} "
            f"| **{ratio(pairs):.2f}** | {median('p50', 'alone') / 1000:.1f} | {median('p50', 'beside') / 1000:.1f} "
            f"| {median('server_cpu', 'alone'):,.0f} | {median('server_cpu', 'beside'):,.0f} "
            f"| {statistics.median(each.written for each in pairs):.2f} |"
        )
    return "\n".join(lines)


def ratio(pairs: list[Pair]) -> float:
    """The median of p95 with reports over p95 without, pair by pair."""
    return statistics.median(each.beside.p95 / each.alone.p95 for each in pairs)


def main(
    seconds: Annotated[int, typer.Option(help="How long a round lasts.")] = 8,
    rounds: Annotated[int, typer.Option(help="How many pairs of rounds there are.")] = 6,
    document: Annotated[bool, typer.Option("--document", help="Write the table into docs/performance.md.")] = False,
    live_at: Annotated[int, typer.Option("--live", hidden=True)] = 0,
) -> None:
    """Measure, print, and fail if the goal is missed."""
    if live_at:
        asyncio.run(live(live_at))
        return
    find_wrk()
    load = os.getloadavg()[0]
    with house() as home:
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{home.port}", "MQTT_USER": USER, "MQTT_PASSWORD": PASSWORD}
        say("Starting the product …")
        with running_product(settings=settings) as product:
            say(f"Loading the world, and {DEVICES} devices …")
            asyncio.run(world.load(product.database_url))
            numbers = [row["id"] for row in asyncio.run(_ask(product, MADE, DEVICES))]
            calls = Calls(product.server, world.tokens())
            measure(product, Target("the API", product.server, mixed(calls), is_write=True), 16, 3)  # everything is warm now
            results = {}
            for name, pause in LOADS.items():
                say(f"The API {name}, with and without reports …")
                results[name] = take_turns(product, calls, home, numbers, seconds, rounds, pause)
    text = f"{heading(seconds, rounds, load)}\n\n{table(results)}"
    print(text)
    for name, pairs in results.items():
        if min(each.written for each in pairs) < LEAST_WRITTEN:
            raise BenchFailed(f"{name}: reports were not written down.")
        asked = [one for each in pairs for one in (each.alone, each.beside)]
        if sum(each.refused for each in asked) > MOST_REFUSED * sum(each.requests for each in asked):
            raise BenchFailed(f"{name}: requests were refused.")
    if document:
        figures.write_into(DOCUMENT, text, BEGIN, END)
    missed = [name for name, pairs in results.items() if ratio(pairs) > GOAL]
    if missed:
        raise BenchFailed(f"p95 with reports is more than {GOAL} times p95 without: {', '.join(missed)}.")


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    command.command()(main)
    try:
        command()
    except BenchFailed as failure:
        raise SystemExit(f"✗ {failure}") from None
