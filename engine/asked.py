"""What a request asks for: the parameters of a POST's body or of a GET's address, checked before anything reads them."""

import re
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from engine.guard import parse_json
from engine.headers import headers_of
from errors import ApiError, MalformedRequest, PayloadTooLarge

JSON = "application/json"
CHARSET = re.compile(r"charset\s*=\s*\"?(?P<name>[\w-]+)", re.IGNORECASE)
READING = ("GET", "HEAD")
TEXT, OBJECT = ((str, NoneType), "a text"), ((dict, NoneType), "an object")
PARAMETERS = {"query": TEXT, "variables": OBJECT, "operationName": TEXT, "extensions": OBJECT, "documentId": TEXT}


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
        for name, (kind, called) in PARAMETERS.items():
            if not isinstance(body.get(name), kind):
                raise MalformedRequest(f"{name} must be {called}.")
        query, extensions = body.get("query"), body.get("extensions") or {}
        if query is None and body.get("documentId") is None and extensions.get("persistedQuery") is None:
            raise MalformedRequest("query is missing.")
        return cls(query, body.get("variables"), body.get("operationName"), extensions, body.get("documentId"))


async def read_asked(scope: Scope, receive: Receive, largest: int) -> Asked:
    """The parameters of a GET or a POST."""
    if scope["method"] in READING:
        return _from_address(QueryParams(scope["query_string"]))
    kind = headers_of(scope).get("content-type", "")
    if kind != JSON:
        kind, _, parameters = kind.partition(";")
        charset = CHARSET.search(parameters)
        if kind.strip().lower() != JSON or (charset and charset["name"].lower() not in ("utf-8", "utf8")):
            raise UnsupportedMedia
    return Asked.of(parse_json(await read_body(scope, receive, largest)))


def _from_address(given: QueryParams) -> Asked:
    body: dict[str, Any] = {name: given.get(name) for name in ("query", "operationName", "documentId")}
    for name in ("variables", "extensions"):
        if given.get(name):
            body[name] = parse_json(given[name].encode("utf-8", "surrogatepass"))
    return Asked.of(body)


async def read_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """The body of a request; PayloadTooLarge as soon as it is longer than allowed."""
    declared = headers_of(scope).get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        raise PayloadTooLarge
    parts, length, has_more = [], 0, True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > largest:
            raise PayloadTooLarge
        has_more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)
