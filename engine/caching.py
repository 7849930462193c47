"""What may be kept of an answer, and by whom: public reads carry a validator, everything else says no-store."""

import hashlib

from starlette.responses import Response
from starlette.types import Scope

from engine.asked import READING
from engine.headers import headers_of
from engine.reply import NOT_MODIFIED, Reply

PUBLIC, PRIVATE = "public, no-cache", "no-store"
VARY = "Accept, Accept-Language, Authorization, Cookie"
KEPT_IN_304 = ("etag", "cache-control", "vary", "link")
OK = 200


def mark(scope: Scope, answer: Reply | Response) -> Reply | Response:
    """The answer with what caches must know; a 304 where the client has the very bytes already.

    Public is what anybody gets: a read that succeeded without anything in the request that says who asks.
    """
    told = answer.headers
    if "cache-control" not in told:
        told["cache-control"] = PRIVATE
    if scope["method"] not in READING:
        return answer
    told["vary"] = f"{told['vary']}, {VARY}" if "vary" in told else VARY
    asked = headers_of(scope)
    if answer.status_code != OK or "authorization" in asked or "cookie" in asked or "set-cookie" in told:
        return answer
    told["cache-control"] = PUBLIC
    told["etag"] = etag = _validator(answer)
    if not _has(asked.get("if-none-match", ""), etag):
        return answer
    same = Reply(b"", NOT_MODIFIED, "")
    same.headers = {name: told[name] for name in KEPT_IN_304 if name in told}
    return same


def _validator(answer: Reply | Response) -> str:
    """Strong: of the bytes and of what they are said to be."""
    hashed = hashlib.blake2b(bytes(answer.body), digest_size=16, key=answer.headers.get("content-type", "").encode()[:64])
    return f'"{hashed.hexdigest()}"'


def _has(if_none_match: str, etag: str) -> bool:
    said = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in said or said == ["*"]
