"""Connections for reads: as many as allowed, whatever happens to those who use them."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from errors import Unavailable
from models.database import Database
from settings import Settings
from tests.conftest import as_superuser

SIZE = 3
END_ALL = "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid"


class Watched(Database):
    """Remembers what it opened."""

    opened: list[asyncpg.Connection]

    async def _connect_reader(self) -> asyncpg.Connection:
        connection = await super()._connect_reader()
        self.opened.append(connection)
        return connection

    @property
    def open_now(self) -> int:
        return sum(not each.is_closed() for each in self.opened)


@pytest.fixture
async def readers(database_url: str, settings: Settings) -> AsyncIterator[Watched]:
    small = settings.model_copy(update={"database_pool": SIZE, "pool_timeout": 0.5})
    database = Watched(database_url, small)
    database.opened = []
    async with database:
        yield database
    assert database.readers.taken == 0


async def test_whoever_is_cancelled_leaves_neither_a_connection_nor_a_right_behind(readers: Watched) -> None:
    luck, most = random.Random(1), 0  # noqa: S311 - tests

    async def use() -> None:
        nonlocal most
        with suppress(Unavailable):
            if luck.random() < 0.2:
                async with readers.reading() as connection:
                    await connection.execute("SELECT pg_sleep(0.005)")
            else:
                await readers.run("SELECT pg_sleep($1)", [luck.random() * 0.01])
        most = max(most, readers.open_now)

    tasks: list[asyncio.Task[None]] = []
    for _ in range(600):
        tasks.append(asyncio.create_task(use()))
        await asyncio.sleep(luck.choice([0, 0, 0, 0.003]))
        if luck.random() < 0.4:
            luck.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert readers.readers.taken == 0
    assert most <= SIZE
    assert await asyncio.gather(*[readers.run("SELECT 1 AS one", []) for _ in range(20)])


async def test_a_newcomer_does_not_take_the_right_of_one_who_waits(readers: Watched) -> None:
    held = [await readers.readers.take() for _ in range(SIZE)]
    waiting = asyncio.create_task(readers.readers.take())
    await asyncio.sleep(0.01)
    readers.readers.drop(held.pop())
    newcomer = asyncio.create_task(readers.readers.take())
    connection = await waiting
    with pytest.raises(Unavailable):
        await newcomer
    for each in (*held, connection):
        readers.readers.give_back(each)
    assert readers.open_now == SIZE


async def test_who_waits_too_long_is_told_so(readers: Watched) -> None:
    held = [await readers.readers.take() for _ in range(SIZE)]
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await readers.run("SELECT 1", [])
    assert asyncio.get_running_loop().time() - began < 2
    for each in held:
        readers.readers.give_back(each)
    assert await readers.run("SELECT 1", [])


async def test_an_error_of_a_statement_costs_no_connection(readers: Watched) -> None:
    for _ in range(10):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await readers.run("SELECT 1 / $1::int", [0])
    assert len(readers.opened) == 1


async def test_a_connection_in_a_transaction_is_not_given_to_the_next(readers: Watched) -> None:
    async with readers.reading() as connection:
        await connection.execute("BEGIN")
    async with readers.reading() as connection:
        assert not connection.is_in_transaction()


async def test_connections_that_the_server_ended_are_made_anew(readers: Watched) -> None:
    for _ in range(3):
        held = [await readers.readers.take() for _ in range(SIZE)]
        pids = [each.get_server_pid() for each in held]
        for each in held:
            readers.readers.give_back(each)
        administrator = await asyncpg.connect(as_superuser(readers.url))
        await administrator.execute(END_ALL, pids)
        await administrator.close()
        await asyncio.sleep(0.05)
        assert await asyncio.gather(*[readers.run("SELECT 1 AS one", []) for _ in range(10)])
        assert readers.open_now <= SIZE


async def test_after_the_end_nobody_gets_one(database_url: str, settings: Settings) -> None:
    async with Database(database_url, settings) as database:
        held = await database.readers.take()
    with pytest.raises(Unavailable):
        await database.run("SELECT 1", [])
    database.readers.give_back(held)
    assert held.is_closed()
