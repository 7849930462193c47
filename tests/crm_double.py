"""Another CRM for tests: it speaks the documented HTTP, and breaks, is late, or refuses as it is told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateways.crm import Crm

TOKEN = "another-crm-token"


@dataclass
class OtherCrm:
    """What it was told, and how it behaves from now on."""

    notices: dict[int, dict[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    answers: Callable[[], Response | None] = lambda: None
    """What it answers instead of taking a notice."""
    is_gone: bool = False
    pause: float = 0
    """Seconds by which its answers are late, though it has taken the notice."""

    async def notify(self, request: Request) -> Response:
        """The documented endpoint."""
        if self.is_gone:
            raise ConnectionError
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"error": "Authentication is required."}, 401)
        if (refused := self.answers()) is not None:
            return refused
        body = await request.json()
        if request.headers["idempotency-key"] not in self.keys:
            self.notices[body["booking_id"]] = body
        self.keys.append(request.headers["idempotency-key"])
        await asyncio.sleep(self.pause)
        return JSONResponse({"message": "Booking notification received successfully", "notification_id": 1, "status": "success"})

    def app(self) -> Starlette:
        """Its server."""
        return Starlette(routes=[Route("/api/notify", self.notify, methods=["POST"])])


def gateway(address: str, *, token: str = TOKEN, seconds: float = 0.5) -> Crm:
    """A line to it."""
    return Crm(address, token, timeout=httpx2.Timeout(seconds))
