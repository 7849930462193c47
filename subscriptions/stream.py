"""One reader of the event log per process, and its followers: whoever subscribes, over whatever transport."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Self

import structlog

from errors import ApiError, Resync, Unavailable
from models.database import Database
from subscriptions.bus import LOST, Bus
from subscriptions.log import Cursor, Page, Record, begin_epoch, horizon, measure_lag, read

log = structlog.get_logger(__name__)

CHANNEL = "atrium_events"
QUEUE = 256
"""Events that wait in memory for one follower; one that is slower reads from the log instead."""
SHORTEST_PAUSE, SHORTEST_POLL, LONGEST_POLL = 0.01, 0.05, 1.0
LAG_SECONDS = 5.0


class Follower:
    """What waits for one subscription: a bounded queue, filled until the follower falls behind or is told to stop."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self._waiting: deque[Record] = deque()
        self._changed = asyncio.Event()
        self._is_behind = False
        self._refusal: ApiError | None = None

    def push(self, record: Record) -> None:
        """Add an event; from the first that does not fit on, all are left to the log."""
        self._is_behind = self._is_behind or len(self._waiting) >= QUEUE
        if not self._is_behind:
            self._waiting.append(record)
        self._changed.set()

    def refuse(self, error: ApiError) -> None:
        """Let it raise this instead of waiting on."""
        self._refusal = error
        self._changed.set()

    async def next(self) -> Record | None:
        """The next event, or None once the rest must be read from the log."""
        while not self._waiting:
            if self._refusal is not None:
                raise self._refusal
            if self._is_behind:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()


class EventStream:
    """Follows the event log and hands each event to the followers of its topics."""

    cursor: Cursor

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._followers: dict[str, set[Follower]] = {}
        self._look = asyncio.Event()
        self._tell = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await begin_epoch(self._database)
        self.cursor = await horizon(self._database)
        self._tasks = [asyncio.create_task(work()) for work in (self._read, self._listen, self._publish, self._watch_lag)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._refuse_all(Unavailable("The server is stopping. Connect again, and go on from your cursor."))

    def wake(self) -> None:
        """Something was committed: look, and tell the other processes. Never waits; many calls become one."""
        self._look.set()
        self._tell.set()

    def follow(self, topics: Iterable[str], after: Cursor | None = None) -> AsyncGenerator[Record, None]:
        """Events of these topics after a cursor, or from now on: first those of the log, then live, without gap or repetition."""
        return self._follow(frozenset(topics), after or self.cursor)

    async def check(self, after: Cursor) -> None:
        """Refuse a cursor that is too old, or of another log, before anything is waited for."""
        await read(self._database, after, limit=0)

    async def page(self, topics: Iterable[str], after: Cursor) -> Page:
        """The next events of these topics after a cursor, as far as this process has read the log."""
        return await read(self._database, after, through=self.cursor, topics=sorted(topics), limit=QUEUE)

    async def _follow(self, topics: frozenset[str], after: Cursor) -> AsyncGenerator[Record, None]:
        await self.check(after)
        while True:
            while after < self.cursor:
                page = await self.page(topics, after)
                for record in page.records:
                    yield record
                after = page.through
            # Nothing is awaited between that comparison and joining, so whatever comes after `self.cursor` is pushed.
            follower = self._join(topics)
            try:
                while (live := await follower.next()) is not None:
                    if live.cursor > after:  # another process may have shown the client more than this one has read
                        after = live.cursor
                        yield live
            finally:
                self._leave(follower)

    def _join(self, topics: frozenset[str]) -> Follower:
        follower = Follower(topics)
        for topic in topics:
            self._followers.setdefault(topic, set()).add(follower)
        return follower

    def _leave(self, follower: Follower) -> None:
        for topic in follower.topics:
            self._followers[topic].discard(follower)
            if not self._followers[topic]:
                del self._followers[topic]

    def _refuse_all(self, error: ApiError) -> None:
        for follower in set().union(*self._followers.values()):
            follower.refuse(error)

    async def _read(self) -> None:
        pause = LONGEST_POLL
        while True:
            try:
                # Not wait_for(), which in Python 3.11 may swallow the cancelling of this task.
                async with asyncio.timeout(pause):
                    await self._look.wait()
                pause = SHORTEST_POLL
            except TimeoutError:
                # After a wake, what was committed may have to wait for another transaction: ask a few times more.
                pause = min(pause * 2, LONGEST_POLL)
            self._look.clear()
            try:
                await self._read_all()
            except Resync:
                log.warning("event_log_went_back", cursor=str(self.cursor))
                # At once, so that nobody can join between the two and miss what lies between the cursors.
                self.cursor = await self._horizon()
                self._refuse_all(Resync())
            except Unavailable:
                log.warning("event_log_unavailable")
            await asyncio.sleep(SHORTEST_PAUSE)  # so that a thousand commits a second are read with a hundred statements

    async def _read_all(self) -> None:
        more = True
        while more:
            page = await read(self._database, self.cursor)
            self.cursor, more = page.through, page.more
            for record in page.records:
                for follower in set().union(*(self._followers.get(topic, ()) for topic in record.topics)):
                    follower.push(record)
            if more:
                await asyncio.sleep(0)

    async def _horizon(self) -> Cursor:
        while True:
            try:
                return await horizon(self._database)
            except Unavailable:
                await asyncio.sleep(LONGEST_POLL)

    async def _listen(self) -> None:
        async with self._bus.subscribe(CHANNEL) as messages:
            async for _ in messages:
                self._look.set()

    async def _publish(self) -> None:
        while True:
            await self._tell.wait()
            self._tell.clear()
            try:
                await self._bus.publish(CHANNEL)
            except LOST as error:
                log.warning("bus_publish_failed", error=repr(error))
            await asyncio.sleep(0.01)  # so that a thousand commits a second are a hundred messages

    async def _watch_lag(self) -> None:
        while True:
            try:
                await measure_lag(self._database)
            except Unavailable:
                log.warning("event_log_unavailable")
            await asyncio.sleep(LAG_SECONDS)
