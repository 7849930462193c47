"""Limits hold across processes, and mostly without a write."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from errors import RateLimited
from models.database import Database
from resolvers.context import Context
from resolvers.leases import leases_of
from resolvers.limits import limit
from settings import Settings
from tests.people import nobody


@pytest.fixture
async def processes(database_url: str, settings: Settings) -> AsyncIterator[list[Database]]:
    """Three processes at one database, as far as limits can tell."""
    small = settings.model_copy(update={"database_pool": 2})
    async with Database(database_url, small) as one, Database(database_url, small) as two, Database(database_url, small) as three:
        yield [one, two, three]


def call(database: Database, settings: Settings, **about: Any) -> Context:
    return nobody(database, settings, address="192.0.2.1", **about)


async def granted(ctx: Context, rate: str) -> bool:
    try:
        await limit(ctx, "test", rate)
    except RateLimited as refusal:
        return not 0 < refusal.retry_after <= 3600
    return True


async def test_a_limit_of_ten_is_exact_however_many_processes_ask_at_once(processes: list[Database], settings: Settings) -> None:
    asked = [granted(call(processes[number % 3], settings), "10/hour") for number in range(40)]
    assert sum(await asyncio.gather(*asked)) == 10


@pytest.mark.parametrize("amount", [11, 100, 1000])
async def test_a_larger_limit_is_never_exceeded_and_missed_by_five_percent_at_most(
    processes: list[Database], settings: Settings, amount: int
) -> None:
    luck = random.Random(amount)  # noqa: S311 - tests
    asked = [granted(call(luck.choice(processes), settings), f"{amount}/hour") for _ in range(amount * 2)]
    assert amount * 0.95 <= sum(await asyncio.gather(*asked)) <= amount


async def test_a_process_that_falls_silent_takes_no_more_than_its_share_with_it(processes: list[Database], settings: Settings) -> None:
    before = [await granted(call(processes[0], settings), "1000/hour") for _ in range(300)]
    after = [await granted(call(processes[1], settings), "1000/hour") for _ in range(800)]
    assert all(before)
    assert 950 <= sum(before) + sum(after) <= 1000


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
