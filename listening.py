"""The HTTP server of one process: its ports, its patience, and its way to end."""

import asyncio
import contextlib
import errno
import gc
import json
import signal
import socket
import struct
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from engine.line import LINE
from errors import ApiError
from settings import Settings
from startup import CannotStart, ending

GOODBYE_SECONDS = 5
INVALID_DATA = 1007
COLLECT_AFTER = (10_000, 10, 10)
"""A request makes some hundreds of objects, and nearly all of them end with it."""
SWITCHING = 101
TEXT, MEDIUM, LONG = 0x81, 126, 127
"""Of a frame: that it is a whole text, and that its length takes two bytes more, or eight."""


class RequestTimeout(ApiError):
    """A request did not arrive whole in time."""

    code, status, message = "REQUEST_TIMEOUT", 408, "The request did not arrive in time."


def _raw(refusal: ApiError) -> bytes:
    """A refusal as it is written where there is no request yet."""
    body = json.dumps({"error": {"code": refusal.code, "message": refusal.message}})
    head = [f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}", "content-type: application/json", "connection: close"]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", body]).encode()


TOO_LATE = _raw(RequestTimeout())


class PatientHttp(HttpToolsProtocol):
    """Closes a connection whose request has not shown all its headers, or its body, in time; uvicorn itself would wait for ever."""

    _deadline: TimerHandle | None = None
    _is_new_part = False
    _patience: float | None = None
    """Seconds that the present part of the request may take; none between requests that have come whole."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.is_ending = asyncio.Event()
        self._settings: Settings = cast(Starlette, self.config.app).state.settings
        self._has_heard = False

    def shutdown(self) -> None:
        self.is_ending.set()
        super().shutdown()

    def let_go(self) -> None:
        """Forget a client that does not read, and what was written to it."""
        drop(self.transport)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = self._settings.header_timeout
        self._wait()

    def data_received(self, data: bytes) -> None:
        before, self._is_new_part = self._patience, False
        super().data_received(data)
        # Most requests come whole, in one piece, and need no timer at all.
        if self._is_new_part or self._patience is not before:
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_heard = True
        self._patience, self._is_new_part = self._settings.header_timeout, True

    def on_headers_complete(self) -> None:
        # For answers without an end: they end when the server does, and with a client that reads nothing.
        self.scope["extensions"] = cast(Any, {LINE: self})
        super().on_headers_complete()
        self._patience, self._is_new_part = None if self.parser.should_upgrade() else self._settings.body_timeout, True

    def on_message_complete(self) -> None:
        self._patience, self._has_heard = None, False
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience = None
        self._wait()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        """Say why, if something was asked and nothing is being answered, and close."""
        if self._has_heard and not (self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete):
            self.transport.write(TOO_LATE)
        self.transport.close()

    def _wait(self) -> None:
        """Give the client its time from now on, if it has begun something."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._patience is not None:
            self._deadline = self.loop.call_later(self._patience, self._give_up)


class PatientSocket(WebSocketsSansIOProtocol):
    """Lets go of a client that does not read its last messages; uvicorn itself would wait for it for ever."""

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:  # uvicorn itself would write a traceback into the log
                self.frames = []
                self.conn.fail(INVALID_DATA, "Invalid UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.response.status_code == SWITCHING:
            self.scope["extensions"][LINE] = cast(Any, self)

    def post(self, text: bytes) -> bool:
        """Write a text message without the ways and checks that it needs while a connection opens or closes; false when it must wait."""
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        self.transport.write(framed(text))
        return True

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(GOODBYE_SECONDS, self._let_go)

    def _let_go(self) -> None:
        if not self.disconnected:
            drop(self.transport)


def framed(text: bytes) -> bytes:
    """A text message of a server, whole and not masked, as RFC 6455 writes it."""
    length = len(text)
    if length < MEDIUM:
        return bytes((TEXT, length)) + text
    if length < 1 << 16:
        return bytes((TEXT, MEDIUM)) + length.to_bytes(2, "big") + text
    return bytes((TEXT, LONG)) + length.to_bytes(8, "big") + text


def drop(transport: Transport) -> None:
    """End a connection with all that waits to be read from it."""
    at_once = struct.pack("ii", 1, 0)  # so that the kernel does not keep what nobody reads either
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    transport.abort()


class Server(uvicorn.Server):
    """Ends quietly at the first SIGINT or SIGTERM, at once at the second."""

    def __init__(self, app: Starlette, settings: Settings, started: Callable[[], None]) -> None:
        self._say_started = started
        super().__init__(
            uvicorn.Config(
                app,
                http=PatientHttp,
                lifespan="off",  # ours, see serve()
                ws=PatientSocket,
                ws_max_size=settings.max_message,
                ws_per_message_deflate=False,  # compressing each event for each reader would cost more than sending it
                limit_concurrency=settings.limit_concurrency,
                timeout_graceful_shutdown=GOODBYE_SECONDS,
                server_header=False,
                access_log=False,
                log_config=None,
                proxy_headers=False,  # ours, see engine/proxies.py
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        spare_the_collector()
        self._say_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        self.should_exit = self.should_exit or ending.is_set()  # a signal that came before these handlers
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def spare_the_collector() -> None:
    """Keep what the start has made out of every later collection, which would stop all requests for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def bind(host: str, port: int, name: str) -> socket.socket:
    """A port of ours, taken before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1)
    except OSError as error:
        listener.close()
        raise CannotStart(_why(error, host, port, name)) from error
    return listener


def _why(error: OSError, host: str, port: int, name: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is already taken: end what listens there, or choose another one with {name}=…"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} may not be opened by this user: choose one above 1023 with {name}=…"
    return f"HOST {host} is no address of this machine: {error.strerror or error}."


def run(app: Starlette, settings: Settings, listeners: list[socket.socket], started: Callable[[], None]) -> None:
    """Serve on all listeners, in the fastest loop that is installed, until a signal comes."""
    server = Server(app, settings, started)

    async def serve() -> None:
        async with app.router.lifespan_context(app):
            await server.serve(sockets=listeners)

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(serve())
