"""Each request once: a line in the log, a count and a duration in the metrics, a request id on the answer."""

import time
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.proxies import networks, uncover
from engine.request import request_id_of
from errors import ApiError
from settings import Settings
from web.edge import Raw, added, is_preflight, preflight

REQUESTS = Counter("atrium_requests", "Requests by door, operation and what became of them.", ["door", "operation", "outcome"])
SECONDS = Histogram(
    "atrium_request_seconds",
    "How long requests took.",
    ["door", "operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUIET = ("/livez", "/readyz", "/metrics", "/static/")
"""What machines ask all the time is counted, and logged only when it fails."""
log = structlog.get_logger("atrium.requests")


class Requests:
    """The outermost layer of the app; what it knows of a request, the doors wrote into the request's state."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        settings: Settings = scope["app"].state.settings
        uncover(scope, networks(settings.trusted_proxies))
        asked = Headers(scope=scope)
        state["request_id"] = request_id_of(asked)
        origin = asked.get("origin")
        # Never unbound: each request runs in a context of its own, and whatever fails after it still belongs to it.
        structlog.contextvars.bind_contextvars(request_id=state["request_id"])
        began, status = time.perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Request-ID", state["request_id"])
                headers.raw.extend(added(settings, scope, state, origin))
            elif message["type"] == "websocket.close":
                status = message.get("code", 1000)
            await send(message)

        try:
            if origin is not None and is_preflight(scope, asked):
                state["door"] = _door(scope, asked["access-control-request-method"])
                await _allow(note, preflight(settings, origin, state["door"]))
                return
            await self._app(scope, receive, note)
        except Exception:  # the last resort of the app: the failure is logged here, and the client told of it without details
            log.exception("unexpected failure", path=scope["path"])
            if scope["type"] == "http" and not status:
                await _say_failed(note, state["request_id"])
        finally:
            _tell(scope, state, status, time.perf_counter() - began)


def _door(scope: Scope, method: str) -> str:
    """The door that the request would come to which a browser asks about."""
    if scope["path"] == "/graphql":
        return "graphql"
    door: str = scope["app"].state.doors.name_of(scope, method.upper())
    return door


async def _allow(send: Send, headers: Raw) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _say_failed(send: Send, request_id: str) -> None:
    body = orjson.dumps({"error": {"code": ApiError.code, "message": ApiError.message, "requestId": request_id}})
    await send({"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def _tell(scope: Scope, state: MutableMapping[str, Any], status: int, seconds: float) -> None:
    ctx = state.get("context")
    # Labels are names of ours: a route's, a root field's; never a text that a client chose.
    door, operation = ctx.door if ctx else "pages", state.get("operation", "other")
    codes: list[str] = state.get("codes", [])
    is_failed = (scope["type"] == "http" and status >= 500) or ApiError.code in codes
    outcome = "failed" if is_failed else "refused" if codes or 400 <= status < 500 else "answered"
    REQUESTS.labels(door, operation, outcome).inc()
    if scope["type"] == "http":
        SECONDS.labels(door, operation).observe(seconds)
    if outcome == "answered" and scope["path"].startswith(QUIET):
        return
    line = {"method": scope.get("method", "WS"), "path": scope["path"], "status": status, "ms": round(seconds * 1000, 1), "door": door}
    if operation != "other":
        line["operation"] = operation
    if codes:
        line["codes"] = codes
    if ctx and ctx.viewer.user_id:
        line["actor"] = ctx.viewer.user_id
    log.info("request", **line)
