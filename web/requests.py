"""Each request once: a line in the log, a count and a duration in the metrics, a request id on the answer."""

import logging
import time
from collections.abc import Mapping, MutableMapping
from functools import cache
from typing import Any

import orjson
import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.headers import headers_of, request_id_of
from engine.proxies import networks, uncover
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


@cache
def _counter(door: str, operation: str, outcome: str) -> Counter:
    return REQUESTS.labels(door, operation, outcome)


@cache
def _histogram(door: str, operation: str) -> Histogram:
    return SECONDS.labels(door, operation)


class Requests:
    """The outermost layer of the app; what it knows of a request, the doors wrote into the request's state.

    `direct` are the doors by their exact path that need nothing of the app's router.
    """

    def __init__(self, app: ASGIApp, settings: Settings, direct: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._settings = settings
        self._direct = direct
        self._trusted = networks(settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if self._trusted:
            uncover(scope, self._trusted)
        asked = headers_of(scope)
        state: MutableMapping[str, Any] = scope["state"]
        request_id = state["request_id"] = request_id_of(asked)
        origin = asked.get("origin")
        # Never unbound: each request runs in a context of its own, and whatever fails after it still belongs to it.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began, status = time.perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers: Raw = message.setdefault("headers", [])
                headers.append((b"x-request-id", request_id.encode()))
                headers += added(self._settings, scope, state, origin)
            elif message["type"] == "websocket.close":
                status = message.get("code", 1000)
            await send(message)

        try:
            if origin is not None and is_preflight(scope, asked):
                state["door"] = _door(scope, asked["access-control-request-method"])
                await _allow(note, preflight(self._settings, origin, state["door"]))
                return
            app = self._direct.get(scope["path"], self._app) if scope["type"] == "http" else self._app
            await app(scope, receive, note)
        except Exception:  # the last resort of the app: the failure is logged here, and the client told of it without details
            log.exception("unexpected failure", path=scope["path"])
            if scope["type"] == "http" and not status:
                await _say_failed(note, request_id)
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
    _counter(door, operation, outcome).inc()
    if scope["type"] == "http":
        _histogram(door, operation).observe(seconds)
    if not log.is_enabled_for(logging.INFO) or (outcome == "answered" and scope["path"].startswith(QUIET)):
        return
    line = {"method": scope.get("method", "WS"), "path": scope["path"], "status": status, "ms": round(seconds * 1000, 1), "door": door}
    if operation != "other":
        line["operation"] = operation
    if codes:
        line["codes"] = codes
    if ctx and ctx.viewer.user_id:
        line["actor"] = ctx.viewer.user_id
    log.info("request", **line)
