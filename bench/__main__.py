"""`make bench`: the product as a user starts it, beside a hand-written server, in one interleaved run."""

import asyncio
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import asyncpg
import orjson
import typer

from bench import figures, memory, profiling, world
from bench.calls import Call, Calls, check_sameness
from bench.product import ROOT, BenchFailed, Process, Product, running_floor, running_product
from bench.rounds import Round, Target, find_wrk, measure
from bench.statement_log import statements_of

SAME = (("catalogue", "catalogue_floor"), ("my_bookings", "my_bookings_floor"), ("one_service", "one_service_floor"))
PRODUCTS = ("catalogue", "my_bookings", "one_service", "book", "catalogue_rest", "my_bookings_rest", "one_service_rest")
TRIES = 5
DOCUMENT = ROOT / "docs/performance.md"
Rounds = dict[tuple[str, int], list[Round]]


def say(text: str) -> None:
    """Progress goes beside the figures, which may be piped elsewhere."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def filled_product() -> Iterator[tuple[Product, Calls]]:
    """The running product with everything in it that is asked for."""
    say("Starting the product …")
    with running_product() as product:
        say(f"Loading {world.SERVICES} services and 100,000 bookings …")
        asyncio.run(world.load(product.database_url))
        yield product, Calls(product.server, world.tokens())


def run(product: Product, calls: Calls, connections: Sequence[int], rounds: int, seconds: int, only: str) -> tuple[Rounds, dict[str, int]]:
    """All groups one after the other; within a group the targets take turns."""
    seen = {name: statements(product, calls.of(name)) for name in PRODUCTS}
    with tempfile.NamedTemporaryFile(dir=product.folder, suffix=".json") as file:
        bare = {name: _without_token(product, calls.of(name)) for name in figures.CPU_GOALS}
        file.write(orjson.dumps(bare))
        file.flush()
        with running_floor(product, Path(file.name)) as floor:
            for one, other in SAME:
                check_sameness(next(calls.of(one)).send(product.server), next(calls.of(other)).send(floor), one)
            groups = [(group, at) for group in figures.GROUPS for at in connections]
            groups += [(group, connections[0]) for group in (*figures.REST_GROUPS, figures.BARE_GROUP)]
            found: Rounds = {}
            for group, at in groups:
                if only in group[0]:
                    say(f"{', '.join(group)} at {at} connections …")
                    found |= _take_turns(product, floor, calls, group, at, rounds, seconds)
    return found, {name: len(each) for name, each in seen.items()}


def statements(product: Product, calls: Iterator[Call]) -> list[str]:
    """What one request asks of PostgreSQL, once everything that is kept is warm; of some tries the one without the server's own polls."""
    log = product.folder / "postgres/log"
    return min(
        (statements_of(product.superuser_url, log, partial(each.send, product.server)) for each in itertools.islice(calls, TRIES)), key=len
    )


def _without_token(product: Product, calls: Iterator[Call]) -> list[str]:
    """The statements of an operation that is open to everybody, without those that ask who is there."""
    return statements(product, (replace(each, token="") for each in calls))


def _take_turns(product: Product, floor: Process, calls: Calls, group: Sequence[str], at: int, rounds: int, seconds: int) -> Rounds:
    ours = {*PRODUCTS, "catalogue_twin", "my_bookings_twin", "one_service_twin"}
    targets = [Target(name, product.server if name in ours else floor, calls.of(name), name.startswith("book")) for name in group]
    for each in targets:
        measure(product, each, at, 1)  # a connection prepares its statements once
    found: Rounds = {(each.name, at): [] for each in targets}
    for _ in range(rounds):
        for each in targets:
            before = asyncio.run(_bookings(product)) if each.is_write else 0
            one = measure(product, each, at, seconds)
            if each.is_write:
                _check_bookings(each, one, asyncio.run(_bookings(product)) - before)
            elif one.refused:
                raise BenchFailed(f"{each.name}: {one.refused} of {one.requests} requests were refused.")
            found[each.name, at].append(one)
    return found


async def _bookings(product: Product) -> int:
    connection = await asyncpg.connect(product.database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM bookings"))
    finally:
        await connection.close()


def _check_bookings(target: Target, one: Round, made: int) -> None:
    if made < 0.98 * one.requests:
        raise BenchFailed(f"{target.name}: only {made} of {one.requests} bookings were made.")


def main(
    seconds: Annotated[int, typer.Option(help="How long a round lasts.")] = 2,
    rounds: Annotated[int, typer.Option(help="How many rounds each server has.")] = 3,
    connections: Annotated[str, typer.Option(help="How many connections, separated by commas.")] = "16,64",
    only: Annotated[str, typer.Option(help="Only operations whose name holds this.")] = "",
    json: Annotated[Path | None, typer.Option(help="Write everything that was measured to this file.")] = None,
    document: Annotated[bool, typer.Option("--document", help="Write the table into docs/performance.md.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Instead: where the server's time goes, by operation.")] = False,
    mixed: Annotated[int, typer.Option(help="Instead: the server's memory after so many mixed requests, and after as many again.")] = 0,
) -> None:
    """Measure, and print how the product stands beside a hand-written server."""
    find_wrk()
    load = os.getloadavg()[0]
    at = [int(each) for each in connections.split(",")]
    with filled_product() as (product, calls):
        if mixed:
            print(memory.table(memory.measure_stages(product, calls, mixed)))
            return
        if profile:
            print(profiling.profile(product, calls))
            return
        found, asked = run(product, calls, at, rounds, seconds, only)
    how = f"medians of {rounds} rounds of {seconds} s, product and floor in turn"
    text = f"{figures.heading(how, load)}\n\n{figures.table(found, at, asked)}"
    print(text)
    if json:
        json.write_bytes(orjson.dumps(figures.as_json(found, at, asked), option=orjson.OPT_INDENT_2))
    if document:
        figures.write_into(DOCUMENT, text)


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    command.command()(main)
    try:
        command()
    except BenchFailed as failure:
        raise SystemExit(f"✗ {failure}") from None
