"""The ground that all other tests stand on."""

import asyncio
from collections.abc import Callable

import asyncpg
import httpx2
import pytest

from models.database import Database


@pytest.mark.parametrize("_", range(2))
async def test_a_test_finds_no_row_of_an_earlier_one(database: Database, _: int) -> None:
    async with database.reading() as connection:
        number = await connection.fetchval("INSERT INTO schedules (name, time_zone) VALUES ('Always', 'UTC') RETURNING id")
        assert number == 1
        assert await connection.fetchval("SELECT count(*) FROM schedules") == 1


async def test_the_app_answers_without_a_network(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}


async def test_the_app_answers_on_a_real_port(server: str) -> None:
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{server}/livez")).status_code == 200


def test_a_fresh_database_is_migrated_and_empty(fresh_database: Callable[[], str]) -> None:
    async def count() -> int:
        connection = await asyncpg.connect(fresh_database_url)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM users"))
        finally:
            await connection.close()

    fresh_database_url = fresh_database()
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(count()) == 0
    loop.close()
