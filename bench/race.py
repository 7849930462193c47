"""Everybody wants the same at the same moment: `python -m bench.race` books over real HTTP and counts who won.

One slot: 200 people, one room, one hour; exactly one gets it. Any order: 20 people times 10 rooms at one hour, in an order that mixes
both, so that transactions meet at a room or at a person; as many win as there are rooms, since nobody can be in two of them.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import orjson
import typer

from bench import world
from bench.calls import Call, booking
from bench.product import BenchFailed, Process, running_product

PEOPLE, FEW_PEOPLE, FEW_ROOMS = 200, 20, 10
MOST_SECONDS = 2.0
TURN_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """How one of them fared."""

    seconds: float
    status: int
    code: str | None
    """The code of the refusal; none for the winner."""
    names_next_slots: bool


@dataclass(frozen=True)
class Race:
    """Who asks for what, and how many can get it."""

    name: str
    calls: Sequence[Call]
    winners: int

    def judge(self, outcomes: Sequence[Outcome]) -> tuple[str, bool]:
        """One line for people, and whether all went as promised."""
        won = sum(each.code is None for each in outcomes)
        lost = [each for each in outcomes if each.code == "SLOT_TAKEN"]
        others = sorted({each.code for each in outcomes if each.code not in (None, "SLOT_TAKEN")}, key=str)
        slowest = max(each.seconds for each in outcomes)
        helped = sum(each.names_next_slots for each in lost)
        is_fair = won == self.winners and won + len(lost) == len(outcomes) and helped == len(lost)
        errors = len(outcomes) - won - len(lost)
        said = (
            f"{self.name}: {len(outcomes)} asked, {won} won (should be {self.winners}), {len(lost)} lost, {helped} of these heard of free "
            f"slots, {errors} errors {others or ''}, the slowest took {slowest:.2f} s (at most {MOST_SECONDS:.0f})"
        )
        return said, is_fair and slowest <= MOST_SECONDS


def races(tokens: Sequence[str], turn: int) -> list[Race]:
    """Both races, at an hour of their own in every turn; half of the people come before the rooms in the order of locks, half after."""
    spread = world.PEOPLE // PEOPLE
    one_slot = [booking(tokens[n * spread], world.FIRST, world.FIRST, world.hour(2 * turn)) for n in range(PEOPLE)]
    spread = world.PEOPLE // FEW_PEOPLE
    any_order = [
        booking(tokens[n * spread], world.FIRST, world.FIRST + room, world.hour(2 * turn + 1))
        for n in range(FEW_PEOPLE)
        for room in range(FEW_ROOMS)
    ]
    random.Random(turn).shuffle(any_order)  # noqa: S311 - an order, no secret
    return [Race("one slot", one_slot, 1), Race("rooms and people in any order", any_order, FEW_ROOMS)]


async def run(server: Process, calls: Sequence[Call]) -> list[Outcome]:
    """Connect everybody first, then let all of them ask at once."""
    lines = await asyncio.gather(*[asyncio.open_connection("127.0.0.1", server.port) for _ in calls])
    try:
        began = time.perf_counter()
        return await asyncio.gather(*[_ask(reader, writer, call, began) for (reader, writer), call in zip(lines, calls, strict=True)])
    finally:
        for _, writer in lines:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, call: Call, began: float) -> Outcome:
    async with asyncio.timeout(TURN_SECONDS):
        writer.write(call.raw())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n", 1)[0])
        answer = orjson.loads(await reader.readexactly(length))
    seconds, status = time.perf_counter() - began, int(head.split(" ", 2)[1])
    errors = answer.get("errors") or []
    if not errors:
        return Outcome(seconds, status, None, False)
    extensions = errors[0].get("extensions", {})
    return Outcome(seconds, status, extensions.get("code", "NONE"), bool(extensions.get("nextSlots")))


def main(turns: Annotated[int, typer.Option(help="How often each race is run.")] = 3) -> None:
    """Let both races be run some times, and fail if one did not end as promised."""
    is_fine = True
    with running_product() as product:
        asyncio.run(world.load(product.database_url))
        tokens = world.tokens()
        for turn in range(turns):
            for race in races(tokens, turn):
                said, went_well = race.judge(asyncio.run(run(product.server, race.calls)))
                print(f"{'✓' if went_well else '✗'} {said}", flush=True)
                is_fine = is_fine and went_well
    if not is_fine:
        sys.exit(1)


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    command.command()(main)
    try:
        command()
    except BenchFailed as failure:
        raise SystemExit(f"✗ {failure}") from None
