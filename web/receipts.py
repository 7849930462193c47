"""Receipts behind signed links, for people who follow them from a mail or an app without signing in."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from engine.request import request_id_of
from engine.runtime import runtime_of
from errors import ApiError
from resolvers.receipts import open_receipt

HEADERS = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""The address is the key, so it is kept nowhere and told nobody."""


async def receipt(request: Request) -> Response:
    """The PDF that the link opens."""
    address = request.client.host if request.client else "unknown"
    ctx = runtime_of(request).context(request_id=request_id_of(request.headers), address=address, door="pages")
    try:
        name, content = await open_receipt(ctx, request.path_params["token"])
    except ApiError as refusal:
        return JSONResponse({"error": {"code": refusal.code, "message": refusal.message}}, refusal.status, HEADERS)
    return Response(content, media_type="application/pdf", headers={**HEADERS, "Content-Disposition": f'inline; filename="{name}"'})


def receipt_routes() -> list[BaseRoute]:
    return [Route("/receipts/{token}", receipt, methods=["GET"])]
