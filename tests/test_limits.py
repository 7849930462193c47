"""Limits hold across processes, and mostly without a write."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from errors import RateLimited
from models.database import Database
from resolvers.context import Context
from resolvers.leases import leases_of
from resolvers.limits import limit, spend
from settings import Settings
from tests.people import nobody


@pytest.fixture
async def processes(database_url: str, settings: Settings) -> AsyncIterator[list[Database]]:
    """Six processes at one database, as far as limits can tell."""
    small = settings.model_copy(update={"database_pool": 2})
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Database(database_url, small)) for _ in range(6)]


def call(database: Database, settings: Settings, **about: Any) -> Context:
    return nobody(database, settings, address="192.0.2.1", **about)


async def granted(ctx: Context, rate: str) -> bool:
    try:
        await limit(ctx, "test", rate)
    except RateLimited as refusal:
        return not 0 < refusal.retry_after <= 3600
    return True


async def test_a_limit_of_ten_is_exact_however_many_processes_ask_at_once(processes: list[Database], settings: Settings) -> None:
    asked = [granted(call(processes[number % 6], settings), "10/hour") for number in range(40)]
    assert sum(await asyncio.gather(*asked)) == 10


@pytest.mark.parametrize("amount", [11, 100, 1000])
async def test_a_larger_limit_is_never_exceeded_and_missed_by_five_percent_at_most(
    processes: list[Database], settings: Settings, amount: int
) -> None:
    luck = random.Random(amount)  # noqa: S311 - tests
    asked = [granted(call(luck.choice(processes), settings), f"{amount}/hour") for _ in range(amount * 2)]
    assert amount * 0.95 <= sum(await asyncio.gather(*asked)) <= amount


@pytest.mark.parametrize("each", [1, 7, 60])
async def test_processes_that_fall_silent_take_no_more_than_five_percent_with_them(
    processes: list[Database], settings: Settings, each: int
) -> None:
    given = 0
    for process in processes[:5]:
        before = [await granted(call(process, settings), "1000/hour") for _ in range(each)]
        assert all(before)
        given += each
    after = [await granted(call(processes[5], settings), "1000/hour") for _ in range(1000)]
    assert 950 <= given + sum(after) <= 1000


async def test_many_calls_at_once_do_not_make_one_process_hold_too_much(processes: list[Database], settings: Settings) -> None:
    for _ in range(6):
        assert all(await asyncio.gather(*[granted(call(processes[0], settings), "1000/hour") for _ in range(50)]))
    after = [await granted(call(processes[1], settings), "1000/hour") for _ in range(1000)]
    assert 950 <= 300 + sum(after) <= 1000


async def test_a_call_that_is_too_dear_takes_nothing_from_the_others(processes: list[Database], settings: Settings) -> None:
    async def spent(process: Database, points: int) -> bool:
        return not (await spend(call(process, settings), "points", 1000, 3600, points=points)).is_exceeded

    assert await spent(processes[0], 600)
    assert not await spent(processes[1], 500)
    assert await spent(processes[2], 300)
    assert not await spent(processes[1], 500)
    assert await spent(processes[0], 50)


async def test_real_processes_keep_a_limit_together(database_url: str) -> None:
    async def serve(number: int) -> int:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.limited", database_url, "400/hour", str(100 * number), stdout=asyncio.subprocess.PIPE
        )
        told, _ = await program.communicate()
        return int(told)

    granted = await asyncio.gather(*[serve(number) for number in range(1, 5)])
    assert 380 <= sum(granted) <= 400


async def test_most_calls_are_counted_without_a_write(
    processes: list[Database], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, asked = leases_of(processes[0]), 0
    take = leases.take

    async def counted(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return await take(*arguments)

    monkeypatch.setattr(leases, "take", counted)
    for _ in range(2000):
        await granted(call(processes[0], settings), "1000/hour")
    assert asked < 150


async def test_callers_are_counted_apart_and_a_window_ends(processes: list[Database], settings: Settings) -> None:
    ctx = call(processes[0], settings)
    assert [await granted(ctx, "11/second") for _ in range(12)] == [True] * 11 + [False]
    assert await granted(nobody(processes[0], settings, address="192.0.2.2"), "11/second")
    await asyncio.sleep(1.1)
    assert await granted(ctx, "11/second")
    quota = ctx.quotas["test"]
    assert (quota.limit, quota.window, quota.remaining) == (11, 1, 10)
