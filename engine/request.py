"""From a connection to the context of its operations: request id, address, language, who asks."""

from starlette.types import Scope

from engine.headers import headers_of, request_id_of
from engine.runtime import runtime_of
from resolvers.context import Context


def begin_context(scope: Scope, door: str = "graphql") -> Context:
    """The context of a request, before it is known who asks; kept on the connection for its error answers."""
    headers, state, client = headers_of(scope), scope["state"], scope.get("client")
    ctx = runtime_of(scope).context(
        request_id=state.get("request_id") or request_id_of(headers),
        address=client[0] if client else "unknown",
        door=door,
        idempotency_key=headers.get("idempotency-key") or headers.get("x-idempotency-key"),
    )
    state["context"] = ctx
    return ctx


async def open_context(scope: Scope, door: str = "graphql") -> Context:
    """The context with its viewer; Unauthenticated when a token was sent that is not good."""
    ctx: Context = scope.get("state", {}).get("context") or begin_context(scope, door)
    scheme, _, token = headers_of(scope).get("authorization", "").partition(" ")
    if token and scheme.lower() == "bearer":
        ctx = ctx.with_viewer(await runtime_of(scope).authority.viewer(token.strip()))
        scope["state"]["context"] = ctx
    return ctx
