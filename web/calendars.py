"""The addresses that calendar programs fetch: each answers what GraphQL tells whoever knows its secret."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from engine.request import begin_context
from errors import ApiError, retry_after
from resolvers.calendars import FEED_PATH, get_calendar
from resolvers.operations import perform

HEADERS = {"Cache-Control": "private, max-age=300", "Referrer-Policy": "no-referrer"}


async def calendar(request: Request) -> Response:
    """A calendar as text/calendar; 304 when the program has it already, 404 once its address was revoked."""
    secret = request.query_params.get("secret", "")  # in the query, which no log shows
    try:
        text = await perform(get_calendar, begin_context(request.scope, "calendars"), {"secret": secret})
    except ApiError as refusal:
        wait = retry_after(refusal)
        return Response(refusal.message, refusal.status, {"Retry-After": str(wait)} if wait else None, media_type="text/plain")
    content = text.encode()
    headers = {**HEADERS, "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="text/calendar; charset=utf-8")


def calendar_routes() -> list[BaseRoute]:
    return [Route(FEED_PATH, calendar, methods=["GET"])]
