"""What may be kept of an answer, and by whom: public reads carry a validator, everything else says no-store."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from engine.asked import READING

PUBLIC, PRIVATE = "public, no-cache", "no-store"
VARY = "Accept, Accept-Language, Authorization, Cookie"
KEPT_IN_304 = ("etag", "cache-control", "vary", "x-request-id", "link")
OK, NOT_MODIFIED = 200, 304


def mark(request: Request, answer: Response) -> Response:
    """The answer with what caches must know; a 304 where the client has the very bytes already.

    Public is what anybody gets: a read that succeeded without anything in the request that says who asks.
    """
    answer.headers.setdefault("Cache-Control", PRIVATE)
    if request.method not in READING:
        return answer
    answer.headers.add_vary_header(VARY)
    asks_as_somebody = "authorization" in request.headers or "cookie" in request.headers
    if answer.status_code != OK or asks_as_somebody or "set-cookie" in answer.headers:
        return answer
    answer.headers["Cache-Control"] = PUBLIC
    answer.headers["ETag"] = etag = _validator(answer)
    if not _has(request.headers.get("if-none-match", ""), etag):
        return answer
    return Response(status_code=NOT_MODIFIED, headers={name: answer.headers[name] for name in KEPT_IN_304 if name in answer.headers})


def _validator(answer: Response) -> str:
    """Strong: of the bytes and of what they are said to be."""
    hashed = hashlib.blake2b(bytes(answer.body), digest_size=16, key=answer.headers.get("content-type", "").encode()[:64])
    return f'"{hashed.hexdigest()}"'


def _has(if_none_match: str, etag: str) -> bool:
    said = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in said or said == ["*"]
