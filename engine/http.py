"""GraphQL over HTTP: POST for everything, GET for reads, in the media type that the client accepts."""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response

from engine.answers import Answer, refusal_of
from engine.cost import NAME as COST
from engine.cost import CostExceeded, told
from engine.guard import parse_json
from engine.request import open_context
from engine.runtime import runtime_of
from errors import ApiError, MalformedRequest, MethodNotAllowed, PayloadTooLarge, Unavailable, retry_after
from resolvers.context import Context

MODERN, PLAIN = "application/graphql-response+json", "application/json"
NOT_ACCEPTABLE, UNSUPPORTED = 406, 415
ENCODING = re.compile(r"charset\s*=\s*\"?(?P<name>[\w-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """The parameters of one GraphQL request."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Any) -> "Asked":
        """Check the shape of a body; MalformedRequest says what is wrong with it."""
        if not isinstance(body, dict):
            raise MalformedRequest("The body must be a JSON object with a query.")
        query, variables, name, extensions = (body.get(each) for each in ("query", "variables", "operationName", "extensions"))
        if not isinstance(query, str):
            raise MalformedRequest("query must be a text.")
        if variables is not None and not isinstance(variables, dict):
            raise MalformedRequest("variables must be an object.")
        if name is not None and not isinstance(name, str):
            raise MalformedRequest("operationName must be a text.")
        if extensions is not None and not isinstance(extensions, dict):
            raise MalformedRequest("extensions must be an object.")
        return cls(query, variables, name, extensions or {})


async def graphql(request: Request) -> Response:
    """The endpoint of every query and mutation."""
    media = _media(request.headers.get("accept"))
    if media is None:
        return Response(f"This door answers {MODERN} or {PLAIN}.\n", NOT_ACCEPTABLE, media_type="text/plain")
    try:
        ctx = await open_context(request)
    except ApiError as refusal:
        return _respond(request, _refused(refusal), request.state.context, media, refusal.status)
    try:
        asked = await _read(request)
    except ApiError as refusal:
        return _respond(request, _refused(refusal), ctx, media, refusal.status)
    engine = runtime_of(request).engine
    answer = await engine.run(
        asked.query, ctx, variables=asked.variables, operation_name=asked.operation_name, reads_only=request.method == "GET"
    )
    request.state.operation = engine.documents.get(asked.query).label(asked.operation_name)
    if asked.extensions.get("cost") and COST in ctx.quotas:
        answer.extensions["cost"] = told(ctx.quotas[COST])
    return _respond(request, answer, ctx, media, _status(answer, media))


async def _read(request: Request) -> Asked:
    if request.method == "GET":
        return _from_query(request)
    if request.method != "POST":
        raise MethodNotAllowed("Use POST, or GET to read.")
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != PLAIN:
        raise UnsupportedMedia
    charset = ENCODING.search(parameters)
    if charset and charset["name"].lower() not in ("utf-8", "utf8"):
        raise UnsupportedMedia
    return Asked.of(parse_json(await read_body(request, runtime_of(request).settings.max_body)))


def _from_query(request: Request) -> Asked:
    given = request.query_params
    body: dict[str, Any] = {"query": given.get("query"), "operationName": given.get("operationName")}
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


class UnsupportedMedia(ApiError):
    """The body is not JSON in UTF-8, which also keeps foreign forms from posting here."""

    code, status, message = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED, "Send application/json in UTF-8."


def _media(accept: str | None) -> str | None:
    """The media type to answer in; the client's order decides between equals."""
    if not accept:
        return MODERN
    best: tuple[float, str] | None = None
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        media = {MODERN: MODERN, PLAIN: PLAIN, "*/*": MODERN, "application/*": MODERN}.get(kind)
        if media and weight > 0 and (best is None or weight > best[0]):
            best = (weight, media)
    return best[1] if best else None


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0


def _refused(refusal: ApiError) -> Answer:
    return Answer(errors=[GraphQLError(refusal.message, original_error=refusal)], was_run=False)


def _status(answer: Answer, media: str) -> int:
    """Nothing but refusals has a status of its own, and of those only what a proxy or a client should know without reading."""
    refusal = refusal_of(answer.errors[0]) if answer.data is None and answer.errors else None
    if isinstance(refusal, Unavailable | CostExceeded):
        return refusal.status
    return 400 if not answer.was_run and media == MODERN else 200


def _respond(request: Request, answer: Answer, ctx: Context, media: str, status: int) -> Response:
    headers = {"X-Request-ID": ctx.request_id}
    if media == PLAIN:
        media = f"{PLAIN}; charset=utf-8"
    for each in answer.errors:
        if seconds := retry_after(refusal_of(each)):
            headers["Retry-After"] = str(seconds)
    body = answer.body(ctx)
    request.state.codes = [each["extensions"]["code"] for each in body.get("errors", ())]
    return Response(orjson.dumps(body, default=str), status, headers, media)
