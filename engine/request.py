"""From a connection to the context of its operations: request id, address, language, who asks."""

import re
from collections.abc import Mapping
from uuid import uuid4

from starlette.requests import HTTPConnection

from engine.runtime import runtime_of
from resolvers.context import Context

REQUEST_ID = re.compile(r"[\w.-]{1,64}")


def request_id_of(headers: Mapping[str, str]) -> str:
    """The client's own id of a request if it is a plain one, or a new one."""
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else f"req_{uuid4().hex}"


def begin_context(connection: HTTPConnection, door: str = "graphql") -> Context:
    """The context of a request, before it is known who asks; kept on the connection for its error answers."""
    ctx = runtime_of(connection).context(
        request_id=getattr(connection.state, "request_id", None) or request_id_of(connection.headers),
        address=connection.client.host if connection.client else "unknown",
        door=door,
    )
    key = connection.headers.get("idempotency-key") or connection.headers.get("x-idempotency-key")
    ctx = ctx.but(idempotency_key=key)
    connection.state.context = ctx
    return ctx


async def open_context(connection: HTTPConnection, door: str = "graphql") -> Context:
    """The context with its viewer; Unauthenticated when a token was sent that is not good."""
    ctx = begin_context(connection, door)
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        ctx = ctx.with_viewer(await runtime_of(connection).authority.viewer(token.strip()))
        connection.state.context = ctx
    return ctx
