"""Receipts behind signed links, for people who follow them from an app without signing in."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from engine.request import begin_context
from errors import ApiError
from resolvers.receipts import open_receipt

HEADERS = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""The address is the key, so it is kept nowhere and told nobody."""


async def receipt(request: Request) -> Response:
    """The PDF that the link opens; its proof is in the query, which no log shows."""
    try:
        name, content = await open_receipt(begin_context(request.scope, "pages"), request.query_params.get("token", ""))
    except ApiError as refusal:
        return JSONResponse({"error": {"code": refusal.code, "message": refusal.message}}, refusal.status, HEADERS)
    return Response(content, media_type="application/pdf", headers={**HEADERS, "Content-Disposition": f'inline; filename="{name}"'})


def receipt_routes() -> list[BaseRoute]:
    return [Route("/receipts", receipt, methods=["GET"])]
