"""What machines ask: is the process alive, may it get requests, how is it doing."""

import contextlib
import secrets
from functools import cache
from ipaddress import ip_address

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import migrations
from engine.request import open_context
from engine.runtime import runtime_of
from errors import ApiError, Forbidden, Unauthenticated, Unavailable
from jobs.queue import measure_jobs
from models.database import Database
from settings import Settings
from subscriptions.crm import measure_backlog
from subscriptions.log import measure_lag

newest_revision = cache(migrations.newest)


async def livez(_: Request) -> Response:
    """The process is alive."""
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> Response:
    """The database answers, and its schema is the one this program was written for."""
    database: Database = request.app.state.database
    try:
        async with database.reading() as connection:
            revision = await migrations.applied(connection)
    except Unavailable as error:
        return JSONResponse({"status": "not ready", "reason": error.message}, 503, {"Retry-After": "2"})
    if revision != newest_revision():
        return JSONResponse({"status": "not ready", "reason": "Migrations are missing."}, 503)
    return JSONResponse({"status": "ready", "revision": revision, "devices": _broker(request)})


def _broker(request: Request) -> str:
    """Whether the devices' broker is there; without it everything but devices works, so it makes nobody unready."""
    devices = runtime_of(request.scope).gateways.devices
    return "none" if devices is None else "connected" if devices.is_connected else "away"


async def metrics(request: Request) -> Response:
    """Counters and gauges in Prometheus' text format; for staff, for this machine, and for whoever knows METRICS_TOKEN."""
    database: Database = request.app.state.database
    try:
        await _admit(request)
    except ApiError as refusal:
        return JSONResponse({"error": {"code": refusal.code, "message": refusal.message}}, refusal.status)
    with contextlib.suppress(Unavailable):  # the last measures stand while the database is away
        await measure_lag(database)
        async with database.reading() as connection:
            await measure_jobs(connection)
            await measure_backlog(connection)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _admit(request: Request) -> None:
    settings: Settings = request.app.state.settings
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else ""
    shown = request.headers.get("authorization", "").removeprefix("Bearer ")
    if _is_this_machine(request) or (token and secrets.compare_digest(shown.encode(), token.encode())):
        return
    viewer = (await open_context(request.scope, "metrics")).viewer
    if viewer.user_id is None:
        raise Unauthenticated
    if not viewer.is_staff:
        raise Forbidden


def _is_this_machine(request: Request) -> bool:
    # What a proxy on this machine passes on comes from elsewhere.
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ip_address(request.client.host.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False


def health_routes() -> list[BaseRoute]:
    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
