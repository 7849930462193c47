"""What a transaction writes at its end: one statement, all of it or none, and the transaction itself when nothing else is asked."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from errors import BadUserInput, Conflict
from jobs.queue import enqueue
from models.bookings import Appointment
from models.catalogue import Category, ServiceLine
from models.database import Database
from models.scheduling import Hold
from models.together import new, write_at_end
from resolvers.context import Context
from settings import Settings
from subscriptions.bookings import HoldPlaced, HoldReleased
from subscriptions.facts import announce
from tests.people import nobody
from tests.sql import sql, value

JOB = "SELECT priority, entrypoint, payload, dedupe_key, headers, status::text, execute_after <= now() AS is_due, attempts FROM pgqueuer"
LOGGED = "SELECT status::text, entrypoint, priority FROM pgqueuer_log"
CATEGORIES = "SELECT count(*) FROM categories WHERE slug LIKE 'made-%'"


def category(name: str) -> Category:
    return Category(line=ServiceLine.SPA, name=name, slug=f"made-{name}", description="", featured_technologies=[])


@pytest.fixture
def ctx(database: Database, settings: Settings) -> Context:
    return nobody(database, settings)


async def test_rows_get_their_defaults_and_the_history_knows_who(database: Database, ctx: Context) -> None:
    async with ctx.writing() as db:
        await write_at_end(db, category("one"), category("two"))
        assert not db.in_transaction()
    assert await value(database, CATEGORIES) == 2
    assert await value(database, "SELECT count(DISTINCT uuid) FROM categories WHERE slug LIKE 'made-%'") == 2
    assert await value(database, "SELECT count(*) FROM history WHERE request_id = $1", ctx.request_id) == 2


async def test_what_waits_for_the_end_belongs_to_the_transaction_of_what_does_not(database: Database, ctx: Context) -> None:
    async with ctx.writing() as db:
        db.add(category("one"))
        await write_at_end(db, category("two"))
    assert await value(database, CATEGORIES) == 2
    assert await value(database, "SELECT count(*) FROM history WHERE request_id = $1", ctx.request_id) == 2


@pytest.mark.parametrize("is_used", [False, True])
async def test_one_row_that_is_refused_takes_all_others_with_it(database: Database, ctx: Context, is_used: bool) -> None:
    async def write() -> None:
        async with ctx.writing() as db:
            if is_used:
                db.add(category("one"))
            await write_at_end(db, category("two"), new(Appointment, booking_id=2**40, room_id=2**40))

    with pytest.raises(Conflict):
        await write()
    assert await value(database, CATEGORIES) == 0


async def test_a_block_that_raises_writes_nothing(database: Database, ctx: Context) -> None:
    async def write() -> None:
        async with ctx.writing() as db:
            await write_at_end(db, category("one"))
            raise BadUserInput

    with pytest.raises(BadUserInput):
        await write()
    assert await value(database, CATEGORIES) == 0


async def test_events_keep_the_order_in_which_they_were_announced(database: Database, ctx: Context) -> None:
    async with ctx.writing() as db:
        await announce(db, HoldPlaced(Hold(id=1, user_id=1, room_id=1, starts_at=ctx.now(), ends_at=ctx.now())))
        await write_at_end(db, category("one"))
        await announce(db, HoldReleased(Hold(id=1, user_id=1, room_id=1, starts_at=ctx.now(), ends_at=ctx.now())))
    assert [each["kind"] for each in await sql(database, "SELECT kind FROM event_log ORDER BY id")] == ["hold.placed", "hold.released"]


async def test_a_job_stands_in_the_queue_as_pgqueuer_itself_would_put_it_there(database: Database, ctx: Context) -> None:
    found: list[Any] = []
    for is_ours in (True, False):
        if is_ours:
            async with ctx.writing() as db:
                await enqueue(db, "note", {"number": 1}, key="same")
                await enqueue(db, "note", {"number": 2}, key="same")
        else:
            connection = await asyncpg.connect(database.url)
            queries = Queries(AsyncpgDriver(connection))
            for payload in (b'{"number":1}', b'{"number":2}'):
                await queries.enqueue("note", payload, execute_after=timedelta(0), dedupe_key="same", on_conflict="skip")
            await connection.close()
        found.append([[tuple(each) for each in await sql(database, text)] for text in (JOB, LOGGED)])
        await sql(database, "DELETE FROM pgqueuer")
        await sql(database, "DELETE FROM pgqueuer_log")
    assert found[0] == found[1]
    assert len(found[0][0]) == 1


async def test_the_workers_are_told_of_a_job_after_its_commit_and_once_for_many(database: Database, ctx: Context) -> None:
    heard: list[Any] = []
    connection = await asyncpg.connect(database.url)
    await connection.add_listener("ch_pgqueuer", lambda *said: heard.append(said[-1]))
    for number in range(5):
        async with ctx.writing() as db:
            await enqueue(db, "note", {"number": number})
    async with asyncio.timeout(2):
        while not heard:  # noqa: ASYNC110 - the listener tells nobody
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert 1 <= len(heard) < 5
    await connection.close()
