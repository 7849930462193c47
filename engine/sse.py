"""GraphQL over server-sent events: the protocol graphql-sse, one connection per operation; explained in docs/transports.md."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from graphql import GraphQLError, OperationType
from starlette.types import Receive, Scope, Send

from engine.answers import Answer, written
from engine.asked import READING, Asked
from engine.audiences import Subscription, Told
from engine.ending import until_session_ends, until_token_ends
from engine.headers import headers_of
from engine.line import Line, line_of
from engine.media import EVENTS
from engine.runtime import Runtime, runtime_of
from engine.watching import Watcher
from errors import Unauthenticated
from resolvers.context import Context
from subscriptions.log import Cursor

FAREWELL_SECONDS = 2.0
WAITING_EVENTS = 32
"""Events that wait for one client; whoever is slower reads them from the log."""
COMPLETE = b"event: complete\ndata:\n\n"
ALIVE = b":\n\n"


@contextmanager
def seated(runtime: Runtime, ctx: Context) -> Iterator[None]:
    """A seat among the long connections of the address and of the user; TooManyConnections when all are taken."""
    with ExitStack() as seats:
        seats.enter_context(runtime.seats.at_address(ctx.address, runtime.settings))
        if ctx.viewer.user_id is not None:
            seats.enter_context(runtime.seats.of_user(ctx.viewer.user_id, runtime.settings))
        yield


class Stream:
    """One operation as a stream of events, an ASGI app. It is written as fast as the client reads; what waits stays in the log."""

    def __init__(self, scope: Scope, ctx: Context, asked: Asked, since: Cursor) -> None:
        self._runtime, self._ctx, self._asked, self._since = runtime_of(scope), ctx, asked, since
        self._reads_only = scope["method"] in READING
        self._is_writing = False
        self._line = line_of(scope)
        self._watcher = Watcher(ctx, self._runtime.stream, resume=headers_of(scope).get("last-event-id"))
        self._state = scope["state"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until the operation, the client, the token, the session or the server comes to its end."""
        self._send = send
        headers = {"content-type": f"{EVENTS}; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no"}
        start = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await send(start)
        leaving = asyncio.create_task(_until_it_leaves(receive))
        telling = asyncio.create_task(self._tell())
        beside = [asyncio.create_task(each) for each in (self._show_life(), *self._ends(), *self._endings_of_server())]
        try:
            await asyncio.wait([leaving, telling, *beside], return_when=asyncio.FIRST_COMPLETED)
            ended = next((each for each in (telling, *beside) if each.done()), None)
            if self._is_writing:  # what writes comes to its end, since nobody could tell how far it had come
                await asyncio.wait([telling])
        finally:
            for each in (telling, *beside):
                each.cancel()
            await asyncio.gather(telling, *beside, return_exceptions=True)
        try:
            if not leaving.done():
                await self._farewell(ended)
        except TimeoutError:
            if self._line:
                self._line.let_go()
                await asyncio.wait([leaving], timeout=FAREWELL_SECONDS)
        finally:
            leaving.cancel()

    async def _farewell(self, ended: asyncio.Task[None] | None) -> None:
        """Say how it ended; a server that stops says nothing, so that clients come back and go on."""
        error = ended.exception() if ended else None
        if isinstance(error, TimeoutError):
            raise error
        if not isinstance(error, ServerEnds):
            if isinstance(error, Exception):
                await self._write(self._frame(_failed(error)))
            await self._write(COMPLETE)
        async with asyncio.timeout(FAREWELL_SECONDS):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self) -> None:
        engine, variables, name = self._runtime.engine, self._asked.variables, self._asked.operation_name
        text = self._runtime.persisted.text_of(self._asked)
        self._state["operation"] = engine.documents.get(text).label(name)
        kind = engine.kind_of(text, name)
        if kind is not OperationType.SUBSCRIPTION:
            self._is_writing = kind is OperationType.MUTATION
            answer = await engine.run(text, self._ctx, variables=variables, operation_name=name, reads_only=self._reads_only)
            await self._write(self._frame(answer))
            return
        begun = await engine.subscribe(text, self._watcher, variables=variables, operation_name=name)
        if isinstance(begun, Answer):
            await self._write(self._frame(begun))
            return
        # An event without data says where the stream begins, so that a client that loses it before the first event misses nothing.
        await self._write(f"id: {self._watcher.begins}\n\n".encode())
        await self._follow(begun)

    async def _follow(self, subscription: Subscription) -> None:
        """Write what the subscription tells, until it ends with an error."""
        box = Mailbox()
        following = asyncio.create_task(box.fill(subscription))
        try:
            while not isinstance(told := await box.waiting.get(), Exception):
                if told.codes:
                    self._state["codes"] = told.codes
                await self._write(_event(told.body, told.cursor))
            raise told
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    def _ends(self) -> Iterator[Coroutine[Any, Any, None]]:
        viewer = self._ctx.viewer
        if viewer.user_id is not None:
            yield _signed_out(until_token_ends(viewer))
            yield _signed_out(until_session_ends(self._watcher, viewer, self._runtime.stream, self._since))

    def _endings_of_server(self) -> Iterator[Coroutine[Any, Any, None]]:
        if self._line:
            yield _server_ends(self._line)

    async def _show_life(self) -> None:
        """Say now and then that the connection lives, which also finds out whether it does."""
        while True:
            await asyncio.sleep(self._runtime.settings.stream_pause)
            await self._write(ALIVE)

    async def _write(self, frame: bytes) -> None:
        async with asyncio.timeout(self._runtime.settings.socket_send_timeout):
            await self._send({"type": "http.response.body", "body": frame, "more_body": True})

    def _frame(self, answer: Answer) -> bytes:
        """One answer as an event; its lines end in LF, which some clients insist on."""
        body = answer.body(self._ctx)
        if answer.errors:
            self._state["codes"] = [each["extensions"]["code"] for each in body["errors"]]
        return _event(written(body))


class Mailbox:
    """What waits for one stream."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Told | Exception] = asyncio.Queue(WAITING_EVENTS)

    async def fill(self, subscription: Subscription) -> None:
        """Take what a subscription tells, and in the end why it ended."""
        try:
            await subscription.run(self)
        except Exception as error:  # told to the client, after what waits
            await self.waiting.put(error)

    def tell(self, told: Told) -> bool:
        """Take an event without waiting; false when too much waits already."""
        if self.waiting.full():
            return False
        self.waiting.put_nowait(told)
        return True

    async def wait_and_tell(self, told: Told) -> None:
        """Take an event once there is room for it."""
        await self.waiting.put(told)


class ServerEnds(Exception):
    """The server is stopping."""


def _event(body: bytes, cursor: str | None = None) -> bytes:
    id = f"id: {cursor}\n".encode() if cursor else b""
    return b"event: next\n" + id + b"data: " + body + b"\n\n"


async def _server_ends(line: Line) -> None:
    await line.is_ending.wait()
    raise ServerEnds


async def _until_it_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _signed_out(end: Coroutine[Any, Any, None]) -> None:
    await end
    raise Unauthenticated


def _failed(error: Exception) -> Answer:
    located = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
    return Answer(errors=[located], was_run=False)
