"""Connections for reads, on a stack: the one used last is taken first, and nothing is reset between two statements."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from errors import Unavailable

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Readers:
    """At most so many connections, opened when they are needed."""

    def __init__(self, connect: Connect, size: int, patience: float) -> None:
        self._connect = connect
        self._size = self._left = size  # what is left are rights to open one
        self._patience = patience
        self._is_closed = False
        self._idle: list[asyncpg.Connection] = []
        self._waiting: deque[asyncio.Future[asyncpg.Connection | None]] = deque()

    @property
    def taken(self) -> int:
        """How many connections are in use."""
        return self._size - self._left - len(self._idle)

    async def fetch(self, text: str, arguments: list[Any]) -> list[asyncpg.Record]:
        """The records of one statement."""
        connection = await self.take()
        try:
            records: list[asyncpg.Record] = await connection.fetch(text, *arguments)
        except asyncpg.PostgresError:
            self.give_back(connection)
            raise
        except BaseException:
            # Cancelled or cut off in the middle: nobody knows what the server still has to say on it.
            self.drop(connection)
            raise
        self.give_back(connection)
        return records

    async def take(self) -> asyncpg.Connection:
        """A connection that is open; Unavailable when none becomes free in time."""
        if self._is_closed:
            raise Unavailable
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._left += 1
        if self._left > 0:
            self._left -= 1
            return await self._open()
        turn: asyncio.Future[asyncpg.Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                given = await asyncio.shield(turn)
        except BaseException as error:
            if turn.done():
                self._pass_on(turn.result())
            else:
                turn.cancel()
            if isinstance(error, TimeoutError):
                raise Unavailable from None
            raise
        return given or await self._open()

    def give_back(self, connection: asyncpg.Connection) -> None:
        """Let the next one have it, unless it is closed, or in the middle of a transaction that nobody will end."""
        if self._is_closed or connection.is_closed() or connection.is_in_transaction():
            self.drop(connection)
        else:
            self._pass_on(connection)

    def drop(self, connection: asyncpg.Connection) -> None:
        """End a connection, and let whoever waits open another."""
        connection.terminate()
        self._pass_on(None)

    async def close(self) -> None:
        """End all that are idle now, and the others when they are given back."""
        self._is_closed = True
        while self._idle:
            connection = self._idle.pop()
            self._left += 1
            try:
                await connection.close(timeout=self._patience)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()  # the server has gone before us

    async def _open(self) -> asyncpg.Connection:
        """Open a connection by the right that the caller holds; it is passed on when that fails."""
        try:
            return await self._connect()
        except BaseException:
            self._pass_on(None)
            raise

    def _pass_on(self, connection: asyncpg.Connection | None) -> None:
        """Give a connection, or the right to open one, to the first who waits, or else keep it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._left += 1
        else:
            self._idle.append(connection)
