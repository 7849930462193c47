"""The message bus between processes. It carries only "look again", so a lost, doubled or merged message does no harm."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
import structlog
from broadcaster import Broadcast, BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 3.0
WATCH_SECONDS = 10.0
"""How often a silent connection is asked whether it still lives."""
LONGEST_PAUSE = 5.0
LONGEST_MESSAGE = 100
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError)


class Line(BroadcastBackend):
    """A connection that is kept: lost, it is made anew with growing pauses, and then everybody is told to look again.

    What comes in is kept as the newest message per channel, so that memory does not grow however slow the listeners are.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.channels: set[str] = set()
        self.connected = asyncio.Event()
        self.times_connected = 0
        self._news: dict[str, str] = {}
        self._has_news = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Begin to keep the connection; a bus that is away at the start does not keep the server from starting."""
        self._keeper = asyncio.create_task(self._keep())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self.connected.wait()

    async def disconnect(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def next_published(self) -> Event:
        while not self._news:
            self._has_news.clear()
            await self._has_news.wait()
        channel = next(iter(self._news))
        return Event(channel, self._news.pop(channel))

    def heard(self, channel: str, message: str) -> None:
        """Somebody published, or may have while the connection was lost."""
        self._news[channel] = message
        self._has_news.set()

    async def _keep(self) -> None:
        pause = 0.1
        while True:
            try:
                await self.listen()
            except LOST as error:
                log.warning("bus_connection_lost", error=f"{type(error).__name__}: {error}")
            if self.connected.is_set():
                pause = 0.1
            self.connected.clear()
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads the processes, keeps no secret
            pause = min(pause * 2, LONGEST_PAUSE)

    def is_up(self) -> None:
        """The connection stands, and follows all channels."""
        self.times_connected += 1
        self.connected.set()
        for channel in self.channels:
            self.heard(channel, "")

    async def listen(self) -> None:
        """Connect, follow the channels, and return or raise when the connection is lost."""
        raise NotImplementedError


class PostgresLine(Line):
    """LISTEN on one connection; NOTIFY on another, so that neither waits for the other."""

    _listener: asyncpg.Connection | None = None
    _speaker: asyncpg.Connection | None = None

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._listening, self._speaking = asyncio.Lock(), asyncio.Lock()

    async def _open(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self.url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS, server_settings={"application_name": "atrium bus"}
        )

    async def listen(self) -> None:
        lost = asyncio.Event()
        connection = await self._open()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            async with self._listening:
                for channel in self.channels:
                    await connection.add_listener(channel, self._heard)
                self._listener = connection
            self.is_up()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(WATCH_SECONDS):  # not wait_for(), which in Python 3.11 may swallow a cancelling
                        await lost.wait()
                async with self._listening:
                    await connection.execute("SELECT 1")
        finally:
            self._listener = None
            connection.terminate()

    def _heard(self, _: object, __: int, channel: str, payload: object) -> None:
        self.heard(channel, str(payload))

    async def subscribe(self, channel: str) -> None:
        self.channels.add(channel)
        async with self._listening:
            if self._listener is not None:
                with contextlib.suppress(*LOST):  # the keeper sees it too, and follows the channel on its next connection
                    await self._listener.add_listener(channel, self._heard)

    async def unsubscribe(self, channel: str) -> None:
        self.channels.discard(channel)
        async with self._listening:
            if self._listener is not None:
                with contextlib.suppress(*LOST):
                    await self._listener.remove_listener(channel, self._heard)

    async def publish(self, channel: str, message: Any) -> None:
        async with self._speaking:
            for is_last in (False, True):
                try:
                    if self._speaker is None:
                        self._speaker = await self._open()
                    await self._speaker.execute("SELECT pg_notify($1, $2)", channel, message)
                    return
                except LOST:
                    if self._speaker is not None:
                        self._speaker.terminate()
                        self._speaker = None
                    if is_last:
                        raise

    async def disconnect(self) -> None:
        await super().disconnect()
        if self._speaker is not None:
            self._speaker.terminate()


class RedisLine(Line):
    """Publish and subscribe on Redis."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._speaker = Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS)
        # Without retries of its own, or it would come back silently, and nobody would look again.
        never = Retry(NoBackoff(), 0)
        self._listener = Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, decode_responses=True, retry=never)
        self._pubsub = self._listener.pubsub()

    async def listen(self) -> None:
        self._pubsub = self._listener.pubsub()
        try:
            # A channel of its own keeps the connection open while nobody follows another.
            await self._pubsub.subscribe("atrium bus", *self.channels)
            self.is_up()
            was_silent = False
            while True:
                message = await self._pubsub.get_message(timeout=WATCH_SECONDS)
                if message is not None:
                    was_silent = False
                    if message["type"] == "message":
                        self.heard(message["channel"], message["data"])
                elif was_silent:
                    raise TimeoutError("the bus does not answer")
                else:
                    was_silent = True
                    await self._pubsub.ping()
        finally:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def subscribe(self, channel: str) -> None:
        self.channels.add(channel)
        if self.connected.is_set():
            with contextlib.suppress(*LOST):
                await self._pubsub.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        self.channels.discard(channel)
        if self.connected.is_set():
            with contextlib.suppress(*LOST):
                await self._pubsub.unsubscribe(channel)

    async def publish(self, channel: str, message: Any) -> None:
        await self._speaker.publish(channel, message)

    async def disconnect(self) -> None:
        await super().disconnect()
        await self._listener.aclose()
        await self._speaker.aclose()


class Listener:
    """One subscriber's bounded queue; when it is full the message is dropped, since looking once more shows everything."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue(maxsize=10)

    def tell(self, event: Event) -> None:
        """Put a message into the queue unless it is full."""
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(event)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await self.queue.get()


class Bus(Broadcast):
    """broadcaster without its faults: channels are counted under a lock, queues are bounded, lost connections are made anew."""

    def __init__(self, url: str) -> None:
        self._line: Line = PostgresLine(url) if url.startswith("postgres") else RedisLine(url)
        super().__init__(backend=self._line)
        self._listeners: dict[str, set[Listener]] = {}
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    @property
    def connection(self) -> int:
        """The number of the present connection, by which it is told from earlier ones; 0 while there is none."""
        return self._line.times_connected if self._line.connected.is_set() else 0

    async def disconnect(self) -> None:
        self._listener_task.cancel()
        await asyncio.gather(self._listener_task, return_exceptions=True)
        await self._backend.disconnect()

    async def _listener(self) -> None:
        while True:
            event = await self._backend.next_published()
            for listener in self._listeners.get(event.channel, ()):
                listener.tell(event)

    async def publish(self, channel: str, message: Any = "") -> None:
        """Tell all subscribers of a channel; raises one of LOST while the bus is away."""
        if len(str(message)) > LONGEST_MESSAGE:
            raise ValueError(f"the bus carries numbers, not data: {len(message)} characters")
        await self._backend.publish(channel, message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[Listener]:  # type: ignore[override]  # bounded, and endless
        """Follow a channel while the block lasts."""
        listener = Listener()
        try:
            async with self._changing:
                self._listeners.setdefault(channel, set()).add(listener)
                if len(self._listeners[channel]) == 1:
                    await self._backend.subscribe(channel)
            yield listener
        finally:
            async with self._changing:
                self._listeners.get(channel, set()).discard(listener)
                if not self._listeners.get(channel, True):
                    del self._listeners[channel]
                    await self._backend.unsubscribe(channel)
