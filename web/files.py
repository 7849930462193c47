"""The door of files: whoever holds a link that was signed here, and is not too old, may read or write the one file it names."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from engine.runtime import runtime_of
from errors import ApiError, Forbidden, NotFound, PayloadTooLarge

PRIVATE = {"Cache-Control": "private, no-store", "Content-Security-Policy": "sandbox; default-src 'none'", "Referrer-Policy": "no-referrer"}


async def file(request: Request) -> Response:
    """Read a file by its link, or write one by its upload address."""
    try:
        return await (_put(request) if request.method == "PUT" else _get(request))
    except ApiError as error:
        request.state.codes = [error.code]
        body = {"error": {"code": error.code, "message": error.message}}
        return JSONResponse(body, error.status, PRIVATE)


async def _get(request: Request) -> Response:
    key, files = request.path_params["key"], runtime_of(request.scope).gateways.files
    given = request.query_params
    if not files.is_signed("GET", key, given):
        raise Forbidden("This link is not good any more.")
    if address := await files.elsewhere(key):
        return RedirectResponse(address, 302, PRIVATE)
    held = await files.find(key)
    if held is None:
        raise NotFound
    name = quote(given["name"], safe="", errors="replace")
    headers = {**PRIVATE, "Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Content-Length": str(held.size)}
    return StreamingResponse(files.read(key), headers=headers, media_type=given["type"])


async def _put(request: Request) -> Response:
    key, files = request.path_params["key"], runtime_of(request.scope).gateways.files
    given = request.query_params
    if not files.is_signed("PUT", key, given):
        raise Forbidden("This address is not good any more.")
    largest, declared = int(given["largest"]), request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        raise PayloadTooLarge
    size = await files.write(key, request.stream(), content_type=given["type"], largest=largest)
    return JSONResponse({"size": size}, 200, PRIVATE)


def file_routes() -> list[BaseRoute]:
    return [Route("/files/{key:path}", file, methods=["GET", "PUT"])]
