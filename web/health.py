"""What machines ask: is the process alive, may it get requests, how is it doing."""

from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import migrations
from errors import Unavailable
from models.database import Database

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
    return JSONResponse({"status": "ready", "revision": revision})


async def metrics(_: Request) -> Response:
    """Counters and gauges in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def health_routes() -> list[BaseRoute]:
    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
