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


def line_of(scope: Scope) -> Line | None:
    """The connection below a request; none where no server is, as in tests."""
    found: Line | None = scope.get("extensions", {}).get(LINE)
    return found
