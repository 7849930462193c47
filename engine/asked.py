"""What a request asks for: the parameters of a POST's body or of a GET's address, checked before anything reads them."""

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from engine.guard import parse_json
from errors import ApiError, MalformedRequest, PayloadTooLarge

JSON = "application/json"
CHARSET = re.compile(r"charset\s*=\s*\"?(?P<name>[\w-]+)", re.IGNORECASE)
READING = ("GET", "HEAD")


class UnsupportedMedia(ApiError):
    """The body is not JSON in UTF-8, which also keeps foreign forms from posting here."""

    code, status, message = "UNSUPPORTED_MEDIA_TYPE", 415, "Send application/json in UTF-8."


@dataclass(frozen=True)
class Asked:
    """The parameters of one GraphQL request; without a query, an id or a hash names it."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
    document_id: str | None = None

    @classmethod
    def of(cls, body: Any) -> "Asked":
        """Check the shape of a body; MalformedRequest says what is wrong with it."""
        if not isinstance(body, dict):
            raise MalformedRequest("The body must be a JSON object with a query; batches are not taken.")
        for name, kind, called in (
            ("query", str, "a text"),
            ("variables", dict, "an object"),
            ("operationName", str, "a text"),
            ("extensions", dict, "an object"),
            ("documentId", str, "a text"),
        ):
            if not isinstance(body.get(name), kind | None):
                raise MalformedRequest(f"{name} must be {called}.")
        extensions = body.get("extensions") or {}
        if all(each is None for each in (body.get("query"), body.get("documentId"), extensions.get("persistedQuery"))):
            raise MalformedRequest("query is missing.")
        return cls(body.get("query"), body.get("variables"), body.get("operationName"), extensions, body.get("documentId"))


async def read_asked(request: Request, largest: int) -> Asked:
    """The parameters of a GET or a POST."""
    if request.method in READING:
        return _from_address(request)
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = CHARSET.search(parameters)
    if kind.strip().lower() != JSON or (charset and charset["name"].lower() not in ("utf-8", "utf8")):
        raise UnsupportedMedia
    return Asked.of(parse_json(await read_body(request, largest)))


def _from_address(request: Request) -> Asked:
    given = request.query_params
    body: dict[str, Any] = {name: given.get(name) for name in ("query", "operationName", "documentId")}
    for name in ("variables", "extensions"):
        if given.get(name):
            body[name] = parse_json(given[name].encode("utf-8", "surrogatepass"))
    return Asked.of(body)


async def read_body(request: Request, largest: int) -> bytes:
    """The body of a request; PayloadTooLarge as soon as it is longer than allowed."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        raise PayloadTooLarge
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > largest:
            raise PayloadTooLarge
        parts.append(part)
    return b"".join(parts)
