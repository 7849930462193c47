"""What ends a long connection from our side: its token's time, or the end of its session."""

import asyncio
from contextlib import aclosing, suppress

from engine.watching import Watcher
from errors import ApiError, Unavailable
from resolvers import tokens
from resolvers.context import Viewer
from subscriptions.log import Cursor
from subscriptions.sessions import session_topic
from subscriptions.stream import EventStream

PAUSE_SECONDS = 1.0


async def until_token_ends(viewer: Viewer) -> None:
    """Wait for the end of the access token; for ever where it has none."""
    if viewer.token_ends_at is None:
        await asyncio.Future()
    else:
        await asyncio.sleep((viewer.token_ends_at - tokens.moment()).total_seconds())


async def until_session_ends(watcher: Watcher, viewer: Viewer, stream: EventStream, cursor: Cursor) -> None:
    """Follow the session's own topic; while the log cannot be read, ask for the session itself, which may raise Unauthenticated."""
    assert viewer.session is not None  # noqa: S101 - whoever is signed in has one
    while True:
        try:
            async with aclosing(stream.follow([session_topic(viewer.session)], cursor)) as records:
                await anext(records)
            return
        except ApiError:
            await asyncio.sleep(PAUSE_SECONDS)
            cursor = stream.cursor
            watcher.doubt()
            with suppress(Unavailable):
                await watcher.context()
