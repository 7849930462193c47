"""Long connections: their rights are asked for anew every few seconds, and nothing is told to who lost them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic
from typing import Any
from uuid import uuid4

from errors import Unavailable
from resolvers import tokens
from resolvers.authentication import authenticate_again
from resolvers.context import Context
from resolvers.following import Following
from resolvers.operations import Operation
from subscriptions.log import Cursor
from subscriptions.stream import EventStream

FRESH_SECONDS = 5.0
PAUSE_SECONDS = 1.0
Events = AsyncGenerator[tuple[Context, Any, Cursor], None]


class Watcher:
    """Somebody on a long connection: what they may do as of a few seconds ago, and what they follow."""

    def __init__(self, ctx: Context, stream: EventStream, seconds: Callable[[], float] = monotonic, *, resume: str | None = None) -> None:
        self._ctx = ctx
        self._stream = stream
        self._resume = resume
        self.begins: Cursor | None = None
        self._seconds = seconds
        self._fresh_until = seconds() + FRESH_SECONDS
        self._asking = asyncio.Lock()
        self._times_asked = 0

    def doubt(self) -> None:
        """Ask anew before anything else is done or told."""
        self._fresh_until = 0.0

    async def context(self) -> Context:
        """The context of one more operation or event; Unauthenticated once token or session is over."""
        async with self._asking:
            ends_at = self._ctx.viewer.token_ends_at
            if self._seconds() >= self._fresh_until or (ends_at and ends_at <= tokens.moment()):
                self._ctx = self._ctx.with_viewer(await authenticate_again(self._ctx.database, self._ctx.viewer))
                self._fresh_until = self._seconds() + FRESH_SECONDS
                self._times_asked += 1
        return self._ctx.but(request_id=f"req_{uuid4().hex}", loaders={})

    async def watch(self, operation: Operation, arguments: dict[str, Any], after: str | None) -> Events:
        """Begin to follow what an operation lets the viewer follow, from a cursor or from now on."""
        # Where a connection that comes back says how far it came, that is newer than what its document says.
        known = self._resume or after
        self.begins = cursor = self._stream.cursor if known is None else Cursor.parse(known)
        ctx = await self.context()
        operation.admit(ctx.viewer)
        return self._follow(operation, arguments, await operation(ctx, **arguments), cursor)

    async def _follow(self, operation: Operation, arguments: dict[str, Any], following: Following[Any], cursor: Cursor) -> Events:
        """What happens, from a cursor on; while the database is away it waits, and goes on from there."""
        times_asked = self._times_asked
        while True:
            topics = following.topics
            try:
                async with aclosing(self._stream.follow(topics, cursor)) as records:
                    async for record in records:
                        ctx = await self.context()
                        if times_asked != self._times_asked:
                            operation.admit(ctx.viewer)
                            following = await operation(ctx, **arguments)
                            times_asked = self._times_asked
                            if following.topics != topics:
                                break  # and follow those that the viewer may follow now, this event included if it is among them
                        cursor = record.cursor
                        if following.since is not None and record.at < following.since:
                            continue
                        shown = following.show(ctx, record)
                        if shown is not None:
                            yield ctx, shown, record.cursor
            except Unavailable:
                await asyncio.sleep(PAUSE_SECONDS)
