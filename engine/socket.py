"""GraphQL over WebSocket: the protocol graphql-transport-ws, strictly. Its close codes are explained in docs/subscriptions.md."""

import asyncio
import dataclasses
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import orjson
from graphql import GraphQLError, OperationType
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.answers import Answer, spell, written
from engine.asked import Asked
from engine.audiences import Told
from engine.ending import until_session_ends, until_token_ends
from engine.guard import parse_json
from engine.handshake import check_origin, given_token
from engine.line import socket_line_of
from engine.request import begin_context
from engine.runtime import Runtime, runtime_of
from engine.watching import Watcher
from errors import ApiError, MalformedRequest, Unauthenticated
from resolvers.authentication import authenticate
from resolvers.context import Context, Viewer
from subscriptions.log import Cursor

PROTOCOL = "graphql-transport-ws"
WAITING_MESSAGES = 32
"""Messages that wait for one client; whatever has more to say to it waits too."""
LONGEST_ID = 255
LONGEST_REASON = 123
FAREWELL_SECONDS = 2.0


async def graphql_socket(websocket: WebSocket) -> None:
    """The endpoint of subscriptions; queries and mutations work over it too."""
    runtime, ctx = runtime_of(websocket.scope), begin_context(websocket.scope)
    with ExitStack() as seats:
        try:
            check_origin(websocket, runtime.settings)
            seats.enter_context(runtime.seats.at_address(ctx.address, runtime.settings))
        except ApiError as refusal:
            body = {"errors": [spell(GraphQLError(refusal.message, original_error=refusal), ctx)]}
            await websocket.send_denial_response(JSONResponse(body, refusal.status))
            return
        if PROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(4406, "Subprotocol not acceptable")
            return
        await websocket.accept(PROTOCOL)
        # Without the handshake's key, which would be the same for every write on this connection.
        await Socket(websocket, runtime, ctx.but(idempotency_key=None), seats).serve()


class End(Exception):
    """The socket is to be closed, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason.encode()[:LONGEST_REASON].decode(errors="ignore")


class TooManyOperations(ApiError):
    """As many operations as allowed are running on this connection."""

    code, status, message = "TOO_MANY_OPERATIONS", 429, "Too many operations run on this connection. Complete one first."


class Operation:
    """One operation that a client asked for; silent once the client does not want to hear of it any more."""

    task: asyncio.Task[None]

    def __init__(self, id: str, kind: OperationType | None) -> None:
        self.id = id
        self.is_writing = kind is OperationType.MUTATION
        self.is_following = kind is OperationType.SUBSCRIPTION
        self.is_silent = False

    def stop(self) -> None:
        """Say nothing more of it; what writes still comes to its end, since nobody could tell how far it had come."""
        self.is_silent = True
        if not self.is_writing:
            self.task.cancel()


class Socket:
    """One connection, from its acceptance to its end."""

    def __init__(self, websocket: WebSocket, runtime: Runtime, ctx: Context, seats: ExitStack) -> None:
        self._websocket, self._runtime, self._ctx, self._seats = websocket, runtime, ctx, seats
        self._watcher: Watcher | None = None
        self._operations: dict[str, Operation] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._beside: list[asyncio.Task[None]] = []
        self._outbox: asyncio.Queue[tuple[Operation | None, bytes]] = asyncio.Queue(WAITING_MESSAGES)
        self._is_sending = False
        self._line = socket_line_of(websocket.scope)
        self._is_heard = True
        self._has_begun = False
        self._ended: asyncio.Future[End | None] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Talk until one side ends it, and leave nothing running."""
        sender = asyncio.create_task(self._send())
        self._do_beside(self._receive())
        self._do_beside(self._expect_init())
        try:
            end = await self._ended
            for operation in self._operations.values():
                if not operation.is_writing:
                    operation.stop()
            if end is not None:
                await self._say_goodbye(end)
        finally:
            self._is_heard = False
            for task in self._beside:
                task.cancel()
            await asyncio.gather(*self._beside, *self._running, return_exceptions=True)
            sender.cancel()

    async def _say_goodbye(self, end: End) -> None:
        with suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(FAREWELL_SECONDS):
                if self._running:  # the sign-out that ends this connection should still be answered
                    await asyncio.wait(self._running, timeout=FAREWELL_SECONDS / 10)
                await self._outbox.join()
                self._is_heard = False
                await self._websocket.close(end.code, end.reason)

    def _do_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the operations; what it raises ends the connection."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._is_done)
        self._beside.append(task)

    def _is_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, End):
            self._end(error)
        elif isinstance(error, WebSocketDisconnect):
            self._end(None)
        elif isinstance(error, Unauthenticated):
            self._end(End(4401, "Session ended"))
        elif isinstance(error, Exception):
            spell(GraphQLError(str(error), original_error=error), self._ctx)  # logs it
            self._end(End(1011, "Internal error"))

    def _end(self, end: End | None) -> None:
        if not self._ended.done():
            self._ended.set_result(end)

    # What comes in

    async def _receive(self) -> None:
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            try:
                message = parse_json((received.get("text") or "").encode())
            except MalformedRequest as error:
                raise End(4400, error.message) from None
            if not isinstance(message, dict) or not isinstance(message.get("payload"), dict | None):
                raise End(4400, "A message and its payload must be objects.")
            await self._handle(message)

    async def _handle(self, message: dict[str, Any]) -> None:
        payload: dict[str, Any] = message.get("payload") or {}
        match message.get("type"):
            case "connection_init":
                await self._begin(payload)
            case "ping":
                await self._say({"type": "pong", **({"payload": payload} if payload else {})})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(_id(message), payload)
            case "complete":
                operation = self._operations.pop(_id(message), None)
                if operation is not None:
                    operation.stop()
            case _:
                raise End(4400, "Unknown message type")

    async def _begin(self, payload: dict[str, Any]) -> None:
        if self._has_begun:
            raise End(4429, "Too many initialisation requests")
        self._has_begun = True
        runtime, cursor = self._runtime, self._runtime.stream.cursor
        try:
            viewer = await authenticate(runtime.database, runtime.settings, given_token(self._websocket, payload))
            if viewer.user_id is not None:
                self._seats.enter_context(runtime.seats.of_user(viewer.user_id, runtime.settings))
        except TypeError:
            raise End(4400, "A token must be a text.") from None
        except Unauthenticated:
            raise End(4403, "Forbidden") from None
        except ApiError as refusal:
            raise End(1013, refusal.message) from None
        self._watcher = Watcher(self._ctx.with_viewer(viewer), runtime.stream)
        if viewer.user_id is not None:
            self._do_beside(self._end_with_token(viewer))
            self._do_beside(self._end_with_session(self._watcher, viewer, cursor))
        await self._say({"type": "connection_ack"})

    async def _subscribe(self, id: str, payload: dict[str, Any]) -> None:
        if self._watcher is None:
            raise End(4401, "Unauthorized")
        try:
            asked = Asked.of(payload)
        except MalformedRequest as error:
            raise End(4400, error.message) from None
        if id in self._operations:
            raise End(4409, f"Subscriber for {id} already exists")
        if len(self._running) >= self._runtime.settings.socket_operations:
            await self._say(_error(id, [TooManyOperations()], self._ctx))
            return
        try:
            text = self._runtime.persisted.text_of(asked)
        except ApiError as refusal:
            await self._say(_error(id, [refusal], self._ctx))
            return
        operation = Operation(id, self._runtime.engine.kind_of(text, asked.operation_name))
        self._operations[id] = operation
        operation.task = asyncio.create_task(self._run(operation, dataclasses.replace(asked, query=text), self._watcher))
        self._running.add(operation.task)
        operation.task.add_done_callback(self._running.discard)

    # What runs

    async def _run(self, operation: Operation, asked: Asked, watcher: Watcher) -> None:
        try:
            ctx = await watcher.context()
            refused = await (self._follow if operation.is_following else self._answer)(operation, asked, watcher, ctx)
            last = _error(operation.id, refused, ctx) if refused else {"id": operation.id, "type": "complete"}
        except Unauthenticated:
            self._end(End(4401, "Session ended"))
            return
        except Exception as error:  # one operation's failure is told to its client, and does not end the others
            last = _error(operation.id, [error], self._ctx)
        if self._operations.get(operation.id) is operation:
            del self._operations[operation.id]
        await self._say(last, operation)

    async def _answer(self, operation: Operation, asked: Asked, _: Watcher, ctx: Context) -> list[GraphQLError]:
        engine = self._runtime.engine
        answer = await engine.run(asked.query or "", ctx, variables=asked.variables, operation_name=asked.operation_name)
        if answer.was_run:
            await self._say({"id": operation.id, "type": "next", "payload": answer.body(ctx)}, operation)
            return []
        return answer.errors

    async def _follow(self, operation: Operation, asked: Asked, watcher: Watcher, _: Context) -> list[GraphQLError]:
        engine = self._runtime.engine
        begun = await engine.subscribe(asked.query or "", watcher, variables=asked.variables, operation_name=asked.operation_name)
        if isinstance(begun, Answer):
            return begun.errors
        await begun.run(Voice(self, operation))
        return []

    # What goes out

    async def _say(self, message: dict[str, Any], operation: Operation | None = None) -> None:
        await self._outbox.put((operation, written(message)))

    def say_at_once(self, text: bytes, operation: Operation) -> bool:
        """Say something without waiting, and before anything else that comes; false when too much is waiting already."""
        if operation.is_silent or not self._is_heard:
            return True
        if self._line and self._outbox.empty() and not self._is_sending and self._line.post(text):
            return True
        if self._outbox.full():
            return False
        self._outbox.put_nowait((operation, text))
        return True

    async def say_in_turn(self, text: bytes, operation: Operation) -> None:
        """Say something once there is room for it."""
        await self._outbox.put((operation, text))

    async def _send(self) -> None:
        """Send what waits, as fast as the client reads; in the end throw it away, so that nobody waits for ever to say something."""
        while True:
            operation, text = await self._outbox.get()
            if self._is_heard and not (operation and operation.is_silent):
                self._is_sending = True
                try:
                    async with asyncio.timeout(self._runtime.settings.socket_send_timeout):
                        await self._websocket.send_text(text.decode())
                except TimeoutError:
                    self._is_heard = False
                    self._end(End(1013, "Too slow"))
                except WebSocketDisconnect:
                    self._is_heard = False
                    self._end(None)
                finally:
                    self._is_sending = False
            self._outbox.task_done()

    # What ends it

    async def _expect_init(self) -> None:
        await asyncio.sleep(self._runtime.settings.socket_init_timeout)
        if not self._has_begun:
            raise End(4408, "Connection initialisation timeout")

    async def _end_with_token(self, viewer: Viewer) -> None:
        await until_token_ends(viewer)
        raise End(4403, "Token expired")

    async def _end_with_session(self, watcher: Watcher, viewer: Viewer, cursor: Cursor) -> None:
        await until_session_ends(watcher, viewer, self._runtime.stream, cursor)
        raise End(4401, "Session ended")


class Voice:
    """Tells the events of one operation; what is around them is written once."""

    def __init__(self, socket: Socket, operation: Operation) -> None:
        self._socket, self._operation = socket, operation
        self._before = b'{"id":' + orjson.dumps(operation.id) + b',"type":"next","payload":'

    def tell(self, told: Told) -> bool:
        """Take an event without waiting; false when too much waits already."""
        return self._socket.say_at_once(self._before + told.body + b"}", self._operation)

    async def wait_and_tell(self, told: Told) -> None:
        """Take an event once there is room for it."""
        await self._socket.say_in_turn(self._before + told.body + b"}", self._operation)


def _id(message: dict[str, Any]) -> str:
    id = message.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID:
        raise End(4400, "An id must be a text.")
    return id


def _error(id: str, errors: Sequence[Exception], ctx: Context) -> dict[str, Any]:
    located = [each if isinstance(each, GraphQLError) else GraphQLError(str(each), original_error=each) for each in errors]
    return {"id": id, "type": "error", "payload": [spell(each, ctx) for each in located]}
