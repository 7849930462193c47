"""Who a token speaks for, remembered for a few seconds: for as long as this process would hear that it has changed."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from errors import ApiError
from models.database import Database
from resolvers.authentication import authenticate, authenticate_again
from resolvers.context import Viewer
from settings import Settings
from subscriptions.bus import Bus
from subscriptions.sessions import AUTHORITY, whose
from subscriptions.stream import EventStream

MOST_TOKENS = 10_000
PAUSE_SECONDS = 1.0


@dataclass(slots=True)
class Known:
    """A viewer, and until when and over which connection to the bus this is believed."""

    viewer: Viewer
    until: float
    token_ends: float
    connection: int


class Authority:
    """Answers from memory while it is told of every change at once, and from the database otherwise."""

    def __init__(self, database: Database, settings: Settings, stream: EventStream, bus: Bus) -> None:
        self._database, self._settings, self._stream, self._bus = database, settings, stream, bus
        self._known: dict[str, Known] = {}
        self._tokens: dict[int, set[str]] = {}
        self._changes = 0
        self._is_told = False
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def viewer(self, token: str) -> Viewer:
        """Who an access token speaks for, with the roles they hold; Unauthenticated when it is not good."""
        known, connection = self._known.get(token), self._bus.connection
        if known and known.token_ends <= time.time():
            known = None
        if known and known.connection == connection and known.until > time.monotonic():
            return known.viewer
        changes = self._changes
        # What a token says does not change: only whether it still counts is asked again.
        viewer = await (authenticate_again(self._database, known.viewer) if known else authenticate(self._database, self._settings, token))
        # Whatever changed while the database was asked may not be in its answer.
        is_person = viewer.user_id is not None  # of kiosks no change is announced
        if is_person and self._is_told and connection and changes == self._changes and self._settings.authority_seconds:
            self._remember(token, viewer, connection)
        return viewer

    def forget(self, user_id: int) -> None:
        """Ask anew about a person: something of theirs has just changed."""
        self._changes += 1
        for token in self._tokens.pop(user_id, ()):
            self._known.pop(token, None)

    def _remember(self, token: str, viewer: Viewer, connection: int) -> None:
        if len(self._known) >= MOST_TOKENS:
            self._forget_all()
        ends = viewer.token_ends_at.timestamp() if viewer.token_ends_at else 0.0
        self._known[token] = Known(viewer, time.monotonic() + self._settings.authority_seconds, ends, connection)
        self._tokens.setdefault(viewer.id, set()).add(token)

    def _forget_all(self) -> None:
        self._changes += 1
        self._known.clear()
        self._tokens.clear()

    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(self._stream.follow([AUTHORITY])) as records:
                    self._is_told = True
                    async for record in records:
                        self.forget(whose(record.topics))
            except ApiError:  # the log went back, or cannot be read
                self._is_told = False
                self._forget_all()
                await asyncio.sleep(PAUSE_SECONDS)
