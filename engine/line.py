"""What an answer without an end must know of the connection that carries it."""

import asyncio
from typing import Protocol

from starlette.types import Scope

LINE = "atrium.line"
"""Under this name the server puts itself into the extensions of a request's scope."""


class Line(Protocol):
    """One connection of the HTTP server."""

    is_ending: asyncio.Event

    def let_go(self) -> None:
        """Forget a client that does not read."""


class SocketLine(Protocol):
    """One WebSocket connection of the server."""

    def post(self, text: bytes) -> bool:
        """Write a text message at once; false when the client must read first, or is gone."""


def socket_line_of(scope: Scope) -> SocketLine | None:
    """The connection below a WebSocket; none where no server is."""
    found: SocketLine | None = scope.get("extensions", {}).get(LINE)
    return found


def line_of(scope: Scope) -> Line | None:
    """The connection below a request; none where no server is, as in tests."""
    found: Line | None = scope.get("extensions", {}).get(LINE)
    return found
