"""Long connections: their rights are asked for anew every few seconds, and nothing is told to who lost them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from time import monotonic
from typing import Any
from uuid import uuid4

from resolvers import tokens
from resolvers.authentication import authenticate_again, authenticate_all_again
from resolvers.context import Context
from resolvers.following import Following
from resolvers.operations import Operation
from subscriptions.log import Cursor, Record
from subscriptions.stream import EventStream

FRESH_SECONDS = 5.0


class Watcher:
    """Somebody on a long connection: what they may do as of a few seconds ago."""

    def __init__(self, ctx: Context, stream: EventStream, seconds: Callable[[], float] = monotonic, *, resume: str | None = None) -> None:
        self.ctx = ctx
        self.stream = stream
        self._resume = resume
        self.begins: Cursor | None = None
        self._seconds = seconds
        self._fresh_until = seconds() + FRESH_SECONDS
        self._asking = asyncio.Lock()
        self.times_asked = 0

    def doubt(self) -> None:
        """Ask anew before anything else is done or told."""
        self._fresh_until = 0.0

    @property
    def is_sure(self) -> bool:
        """Whether what they may do was asked for a short while ago, and their token is still good."""
        ends_at = self.ctx.viewer.token_ends_at
        return self._seconds() < self._fresh_until and (ends_at is None or ends_at > tokens.moment())

    async def context(self) -> Context:
        """The context of one more operation or event; Unauthenticated once token or session is over."""
        async with self._asking:
            if not self.is_sure:
                self._believe(self.ctx.with_viewer(await authenticate_again(self.ctx.database, self.ctx.viewer)))
        return self.known()

    def known(self) -> Context:
        """The context of one more event, as far as is known; only right while it is sure."""
        return self.ctx.but(request_id=f"req_{uuid4().hex}", loaders={})

    def _believe(self, ctx: Context) -> None:
        self.ctx = ctx
        self._fresh_until = self._seconds() + FRESH_SECONDS
        self.times_asked += 1

    async def watch(self, operation: Operation, arguments: dict[str, Any], after: str | None) -> "Watch":
        """Begin to follow what an operation lets the viewer follow, from a cursor or from now on."""
        # Where a connection that comes back says how far it came, that is newer than what its document says.
        known = self._resume or after
        self.begins = cursor = self.stream.cursor if known is None else Cursor.parse(known)
        ctx = await self.context()
        operation.admit(ctx.viewer)
        times_asked = self.times_asked
        return Watch(self, operation, arguments, await operation(ctx, **arguments), cursor, times_asked)


async def ask_anew(watchers: Iterable[Watcher]) -> None:
    """Ask for many at once, in one statement; those who may not be told anything any more stay unsure, and hear why when they ask."""
    asked = [each for each in set(watchers) if not each.is_sure and each.ctx.viewer.user_id is not None]
    if asked:
        found = await authenticate_all_again(asked[0].ctx.database, [each.ctx.viewer for each in asked])
        for each in asked:
            if (viewer := found.get(each.ctx.viewer)) is not None:
                each._believe(each.ctx.with_viewer(viewer))


class Watch:
    """What one subscription follows, and how far its client was told. Iterating reads what the log holds already."""

    def __init__(
        self,
        watcher: Watcher,
        operation: Operation,
        arguments: dict[str, Any],
        following: Following[Any],
        cursor: Cursor,
        times_asked: int,
    ) -> None:
        self.watcher = watcher
        self._operation = operation
        self._arguments = arguments
        self.following = following
        self.cursor = cursor
        self._times_asked = times_asked

    @property
    def is_sure(self) -> bool:
        """Whether what they may follow was asked for a short while ago."""
        return self.watcher.is_sure and self._times_asked == self.watcher.times_asked

    def is_meant(self, record: Record) -> bool:
        """Whether an event is so recent that this viewer may know of it."""
        return self.following.since is None or record.at >= self.following.since

    async def ask(self) -> Context:
        """Ask what they may follow by now, if that is not sure; raises what they are refused with."""
        ctx = await self.watcher.context()
        if self._times_asked != self.watcher.times_asked:
            times_asked = self.watcher.times_asked
            self._operation.admit(ctx.viewer)
            self.following = await self._operation(ctx, **self._arguments)
            self._times_asked = times_asked
        return ctx

    async def __aiter__(self) -> AsyncGenerator[tuple[Context, Record], None]:
        """What was not told yet and is in the log, with the rights of its moment; where it ends, nothing is left to read.

        An event counts as told when the next is asked for.
        """
        stream = self.watcher.stream
        await stream.check(self.cursor)
        while self.cursor < stream.cursor:
            topics = self.following.topics
            page = await stream.page(topics, self.cursor)
            for record in page.records:
                ctx = await self.ask()
                if self.following.topics != topics:
                    break  # and read those that the viewer may follow now, this event included if it is among them
                if self.is_meant(record):
                    yield ctx, record
                self.cursor = record.cursor
            else:
                self.cursor = page.through
