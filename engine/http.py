"""GraphQL over HTTP: POST for everything, GET for reads, in the media type that the client accepts."""

from typing import Any

from graphql import GraphQLError
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.answers import Answer, refusal_of, written
from engine.asked import READING, Asked, read_asked
from engine.caching import PRIVATE, mark
from engine.cost import NAME as COST
from engine.cost import CostExceeded, told
from engine.explaining import NAME as EXPLAIN
from engine.explaining import explained
from engine.headers import headers_of
from engine.media import EVENTS, MODERN, PLAIN, Media, choose
from engine.parts import MEDIA, multipart
from engine.reply import Reply
from engine.request import begin_context, open_context
from engine.runtime import Runtime, runtime_of
from engine.sse import Stream, seated
from errors import ApiError, MethodNotAllowed, Unauthenticated, Unavailable, retry_after
from resolvers.context import Context

METHODS = (*READING, "POST")
SPOKEN = (f"{PLAIN}; charset=utf-8", f"{MODERN}; charset=utf-8")


class NotAcceptable(ApiError):
    """The client takes none of the media types that answers have."""

    code, status, message = "NOT_ACCEPTABLE", 406, f"This door answers {MODERN}, {PLAIN} or {EVENTS}."


class Door:
    """The endpoint of every operation. An ASGI app, since a route with methods would answer the others without a code."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        runtime = runtime_of(scope)
        since = runtime.stream.cursor
        media = choose(headers_of(scope).get("accept"), whole=scope["method"] == "HEAD")
        try:
            ctx, asked = await _enter(scope, receive, runtime, media)
            if media.kind == EVENTS:
                with seated(runtime, ctx):
                    await Stream(scope, ctx, asked, since)(scope, receive, send)
                return
            answer = await _answer(scope, runtime, ctx, asked, media)
        except Exception as failure:  # the last resort of the door: what is no refusal is masked, and logged with the request's id
            ctx = scope["state"].get("context") or begin_context(scope)
            status = failure.status if isinstance(failure, ApiError) else ApiError.status
            answer = _respond(scope, _refused(failure), ctx, media, status)
        await answer(scope, receive, send)


graphql_door = Door()


async def _enter(scope: Scope, receive: Receive, runtime: Runtime, media: Media) -> tuple[Context, Asked]:
    """Who asks for what."""
    if scope["method"] not in METHODS:
        raise MethodNotAllowed("Use POST, or GET to read.")
    if media.kind is None:
        raise NotAcceptable
    ctx = await open_context(scope)
    return ctx, await read_asked(scope, receive, runtime.settings.max_body)


async def _answer(scope: Scope, runtime: Runtime, ctx: Context, asked: Asked, media: Media) -> ASGIApp:
    engine, name = runtime.engine, asked.operation_name
    given: Any = {"variables": asked.variables, "operation_name": name, "reads_only": scope["method"] in READING}
    statements = None
    try:
        text = runtime.persisted.text_of(asked)
        if asked.extensions.get(EXPLAIN):
            ctx, statements = explained(ctx)
    except ApiError as refusal:
        answer = _refused(refusal)
        return _respond(scope, answer, ctx, media, _status(answer, media))
    document = engine.documents.get(text)
    scope["state"]["operation"] = document.label(name)
    if media.in_parts and document.in_parts and not document.errors:
        found = await engine.run_in_parts(document, ctx, **given)
        if not isinstance(found, Answer):
            return StreamingResponse(multipart(found), 200, {"Cache-Control": PRIVATE, "X-Accel-Buffering": "no"}, MEDIA)
    else:
        found = await engine.run_document(document, ctx, **given)
    if asked.extensions.get("cost") and COST in ctx.quotas:
        found.extensions["cost"] = told(ctx.quotas[COST])
    if statements is not None:
        found.extensions[EXPLAIN] = statements
    return _respond(scope, found, ctx, media, _status(found, media))


def _status(answer: Answer, media: Media) -> int:
    """What becomes of an operation: nobody is told 4xx in application/json, as its older clients would not look into the body."""
    refusal = refusal_of(answer.errors[0]) if answer.errors and answer.data is None else None
    if isinstance(refusal, MethodNotAllowed | Unavailable | CostExceeded):
        return refusal.status
    return 400 if media.kind == MODERN and not answer.was_run else 200


def _refused(failure: Exception) -> Answer:
    return Answer(errors=[GraphQLError(str(failure), original_error=failure)], was_run=False)


def _respond(scope: Scope, answer: Answer, ctx: Context, media: Media, status: int) -> ASGIApp:
    body = answer.body(ctx)
    reply = Reply(written(body), status, SPOKEN[media.kind == MODERN])
    if answer.errors:
        scope["state"]["codes"] = [each["extensions"]["code"] for each in body["errors"]]
        _tell_refused(scope, reply, answer)
        if scope["method"] in READING:
            reply.headers["cache-control"] = PRIVATE
            return reply
    return mark(scope, reply)


def _tell_refused(scope: Scope, reply: Reply, answer: Answer) -> None:
    """Tell a client of HTTP what to do next."""
    for each in answer.errors:
        if seconds := retry_after(refusal_of(each)):
            reply.headers["retry-after"] = str(seconds)
    refusal = None if answer.was_run else refusal_of(answer.errors[0])
    if isinstance(refusal, MethodNotAllowed):
        reply.headers["allow"] = "POST" if scope["method"] in READING else ", ".join(METHODS)
    elif isinstance(refusal, Unauthenticated) and reply.status_code == Unauthenticated.status:
        reply.headers["www-authenticate"] = "Bearer"
