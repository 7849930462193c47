"""What only a demo server offers: its outbox, its clock, and a way to forget limits."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.clock import LONGEST_LEAP, move_clock
from engine.runtime import runtime_of
from errors import ApiError, BadUserInput, MalformedRequest
from gateways.simulators.faces import synthetic_face
from models.notifications import OutboxMessage
from resolvers.limits import forget_counters

Handler = Callable[[Request], Awaitable[Any]]
MOST_MESSAGES = 100


def demo_routes() -> list[Route]:
    """The routes; whoever mounts them has made sure that this is a demo."""
    return [
        Route("/demo/outbox", _answering(read_outbox), methods=["GET"]),
        Route("/demo/clock", _answering(advance_clock), methods=["POST"]),
        Route("/demo/clock", _answering(reset_clock), methods=["DELETE"]),
        Route("/demo/face", _answering(make_face), methods=["POST"]),
        Route("/demo/limits/reset", _answering(reset_limits), methods=["POST"]),
    ]


async def read_outbox(request: Request) -> dict[str, Any]:
    """The newest messages to somebody, or to anybody."""
    found = select(OutboxMessage).order_by(OutboxMessage.id.desc()).limit(MOST_MESSAGES)
    if to := request.query_params.get("to"):
        # A plus in an address that was not escaped arrives as a space.
        found = found.where(func.lower(OutboxMessage.to).in_([to.lower(), to.lower().replace(" ", "+")]))
    rows = await runtime_of(request.scope).database.fetch(found)
    kept = ("id", "channel", "to", "subject", "body", "code", "link")
    return {"messages": [{**{name: row[name] for name in kept}, "sent_at": _spell(row["sent_at"] or row["created_at"])} for row in rows]}


async def advance_clock(request: Request) -> dict[str, Any]:
    """Move the business clock ahead."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise MalformedRequest from None
    seconds = body.get("advance_seconds") if isinstance(body, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds) or not 0 <= seconds <= LONGEST_LEAP:
        raise BadUserInput(advance_seconds=f"Give 0 to {LONGEST_LEAP:.0f} seconds.")
    return {"ahead_seconds": await move_clock(runtime_of(request.scope).database, seconds)}


async def reset_clock(request: Request) -> dict[str, Any]:
    """Let the business clock show the real time again."""
    return {"ahead_seconds": await move_clock(runtime_of(request.scope).database, None)}


async def make_face(request: Request) -> dict[str, Any]:
    """A synthetic face, the same one whenever the name is the same."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise MalformedRequest from None
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise BadUserInput(name="Say whose face it is.")
    return {"face_data": synthetic_face(name)}


async def reset_limits(request: Request) -> dict[str, Any]:
    """Forget every rate limit and every lockout."""
    await forget_counters(runtime_of(request.scope).database)
    return {"reset": True}


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return _json(await handler(request))
        except ApiError as refusal:
            return _json({"error": {"code": refusal.code, "message": refusal.message, "details": refusal.fields}}, refusal.status)

    return answer


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _spell(moment: Any) -> str:
    return str(moment.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
