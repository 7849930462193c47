"""The stream: every follower gets each event of its topics once and in order, however slow it is and wherever it was written."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from errors import Resync
from models.database import Database
from subscriptions.bus import Bus
from subscriptions.log import Cursor, Record, horizon, prune, read
from subscriptions.stream import QUEUE, EventStream
from tests.sql import sql
from tests.test_event_log import ring, say


@asynccontextmanager
async def process(database: Database) -> AsyncIterator[EventStream]:
    """What one server process has: a bus of its own, and a stream of its own."""
    async with Bus(database.url) as bus, EventStream(database, bus) as stream:
        yield stream


@pytest.fixture
async def stream(database: Database) -> AsyncIterator[EventStream]:
    async with process(database) as stream:
        yield stream


async def take(events: AsyncGenerator[Record, None], count: int, seconds: float = 5) -> list[int]:
    async with asyncio.timeout(seconds):
        return [(await anext(events)).subject_id for _ in range(count)]


async def test_a_follower_gets_its_topics_and_no_others_once(database: Database, stream: EventStream) -> None:
    async with aclosing(stream.follow(["user:1", "bells"])) as mine, aclosing(stream.follow(["user:2"])) as theirs:
        await say(database, ring(1, "user:1", "bells"), ring(2, "user:2"), ring(3, "user:3"), ring(4, "bells"), ring(5, "user:2"))
        stream.wake()
        assert await take(mine, 2) == [1, 4]
        assert await take(theirs, 2) == [2, 5]


async def test_a_follower_that_comes_back_misses_nothing_and_sees_nothing_twice(database: Database, stream: EventStream) -> None:
    start = await horizon(database)
    seen: list[int] = []
    cursor: Cursor | None = start

    async def write() -> None:
        for number in range(300):
            await say(database, ring(number))
            stream.wake()

    writing = asyncio.create_task(write())
    while len(seen) < 300:
        async with asyncio.timeout(10), aclosing(stream.follow(["bells"], cursor)) as events:
            for _ in range(min(7, 300 - len(seen))):
                record = await anext(events)
                seen.append(record.subject_id)
                cursor = record.cursor
    await writing
    assert seen == list(range(300))


async def test_processes_hear_of_each_other_at_once(database: Database) -> None:
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(process(database)) for _ in range(4)]
        followers = [await stack.enter_async_context(aclosing(stream.follow(["bells"]))) for stream in streams]
        waiting = [asyncio.create_task(take(follower, 5, 3)) for follower in followers]
        for number, stream in enumerate([*streams, streams[0]]):
            await say(database, ring(number))
            stream.wake()
        assert await asyncio.gather(*waiting) == [list(range(5))] * 4


async def test_a_lost_notice_costs_a_second_and_no_event(database: Database, stream: EventStream) -> None:
    async with aclosing(stream.follow(["bells"])) as events:
        await say(database, ring(1))  # and nobody is told
        assert await take(events, 1, 2.5) == [1]


async def test_a_killed_listening_connection_loses_nothing(database: Database) -> None:
    async with process(database) as writer, process(database) as reader, aclosing(reader.follow(["bells"])) as events:
        for number in range(10):
            if number == 4:
                await sql(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'atrium bus'")
            await say(database, ring(number))
            writer.wake()
        assert await take(events, 10) == list(range(10))


async def test_an_event_that_waits_for_another_transaction_comes_soon_after_it(database: Database, stream: EventStream) -> None:
    async with aclosing(stream.follow(["bells"])) as events:
        async with database.sessions.begin() as late:
            await late.connection()
            await late.run_sync(lambda session: session.connection().exec_driver_sql("SELECT pg_current_xact_id()"))
            await say(database, ring(1))
            stream.wake()
            with pytest.raises(TimeoutError):
                await take(events, 1, 0.2)
    async with aclosing(stream.follow(["bells"], stream.cursor)) as events:
        assert await take(events, 1, 2) == [1]


async def test_a_thousand_followers_get_everything(database: Database, stream: EventStream) -> None:
    async def follow() -> list[int]:
        async with aclosing(stream.follow(["bells"], start)) as events:
            return await take(events, 20, 20)

    start = await horizon(database)
    followers = [asyncio.create_task(follow()) for _ in range(1000)]
    await asyncio.sleep(0.5)
    for number in range(20):
        await say(database, ring(number))
        stream.wake()
    assert await asyncio.gather(*followers) == [list(range(20))] * 1000


async def test_a_slow_follower_holds_little_and_still_misses_nothing(database: Database, stream: EventStream) -> None:
    total = 5 * QUEUE
    async with aclosing(stream.follow(["bells"])) as slow, aclosing(stream.follow(["bells"])) as keen:
        first = asyncio.create_task(anext(slow))
        reading = asyncio.create_task(take(keen, total, 20))
        for start in range(0, total, 64):
            await say(database, *(ring(number) for number in range(start, start + 64)))
            stream.wake()
        assert await reading == list(range(total))
        assert max(len(follower._waiting) for follower in stream._followers["bells"]) <= QUEUE
        assert (await first).subject_id == 0
        assert await take(slow, total - 1, 20) == list(range(1, total))
        await say(database, ring(9999))
        stream.wake()
        assert await take(slow, 1) == [9999]  # and is live again


async def test_a_cursor_before_what_was_pruned_is_told_to_resync(database: Database, stream: EventStream) -> None:
    start = await horizon(database)
    await say(database, ring(1))
    stream.wake()
    async with aclosing(stream.follow(["bells"], start)) as events:
        assert await take(events, 1) == [1]
    while stream.cursor <= start:  # noqa: ASYNC110 - a stream tells its followers, not its watchers
        await asyncio.sleep(0.01)
    assert await prune(database, datetime.now(UTC) + timedelta(seconds=1)) == 1
    async with aclosing(stream.follow(["bells"], start)) as events:
        with pytest.raises(Resync):
            await take(events, 1)
    now = (await read(database, await horizon(database))).through
    async with aclosing(stream.follow(["bells"], now)) as events:
        await say(database, ring(2))
        stream.wake()
        assert await take(events, 1) == [2]


async def test_nobody_is_left_when_all_have_gone(database: Database, stream: EventStream) -> None:
    async with aclosing(stream.follow(["user:1", "bells"])) as events:
        await say(database, ring(1))
        stream.wake()
        await take(events, 1)
        assert set(stream._followers) <= {"user:1", "bells"}
    waiting = asyncio.create_task(take(stream.follow(["user:1"]), 1, 5))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.sleep(0)
    assert stream._followers == {}
