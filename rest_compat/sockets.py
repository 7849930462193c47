"""WebSockets of older systems: who connects, what they are told, and when they are shown out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import orjson
from starlette.websockets import WebSocket

from engine.runtime import runtime_of
from engine.seats import TooManyConnections
from errors import ApiError, Unauthenticated
from resolvers.authentication import authenticate, authenticate_again
from resolvers.context import Context
from resolvers.tokens import moment
from subscriptions.log import Record

log = logging.getLogger("atrium.rest")
UNAUTHENTICATED, NOT_FOUND, TRY_AGAIN = 4401, 4404, 1013

Said = Callable[[Record], dict[str, Any] | None]
"""What an event is for this client; none when it is not for them."""
SINCE = "since"
"""Under this name a connection keeps where the log stood when it was opened."""
May = Callable[[Context], Awaitable[bool]]


async def entered(websocket: WebSocket, ctx: Context) -> Context | None:
    """Accept the connection and see who it is; without a good token it is closed again with 4401."""
    token, protocol = _token(websocket)
    # From here on: whoever sees that the connection is accepted misses nothing that happens afterwards.
    websocket.scope["state"][SINCE] = runtime_of(websocket.scope).stream.cursor
    await websocket.accept(subprotocol=protocol)
    try:
        ctx = ctx.with_viewer(await authenticate(ctx.database, ctx.settings, token or None))
        if ctx.viewer.user_id is None:
            raise Unauthenticated
    except Unauthenticated:
        await websocket.close(UNAUTHENTICATED, "A good token is needed.")
        return None
    return ctx


async def follow(websocket: WebSocket, ctx: Context, topics: Sequence[str], said: Said, may: May) -> None:
    """Tell the client what happens, until it leaves, its token ends, or it may not know any more."""
    runtime = runtime_of(websocket.scope)
    try:
        with runtime.seats.of_user(ctx.viewer.id, runtime.settings):
            await _follow(websocket, ctx, topics, said, may)
    except TooManyConnections as refusal:
        await websocket.close(TRY_AGAIN, refusal.message)


async def _follow(websocket: WebSocket, ctx: Context, topics: Sequence[str], said: Said, may: May) -> None:
    ends = ctx.viewer.token_ends_at
    left = (ends - moment()).total_seconds() if ends else None
    telling = asyncio.create_task(_tell(websocket, ctx, topics, said, may))
    listening = asyncio.create_task(_listen(websocket))
    try:
        done, _ = await asyncio.wait({telling, listening}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        telling.cancel()
        listening.cancel()
        await asyncio.gather(telling, listening, return_exceptions=True)
    if not done:
        await websocket.close(UNAUTHENTICATED, "The token has ended.")
    elif listening not in done:
        await websocket.close(*_why(telling.exception()))


async def _tell(websocket: WebSocket, ctx: Context, topics: Sequence[str], said: Said, may: May) -> None:
    runtime = runtime_of(websocket.scope)
    async with aclosing(runtime.stream.follow(topics, websocket.scope["state"][SINCE])) as records:
        async for record in records:
            message = said(record)
            if message is None:
                continue
            # Roles, sessions and memberships may have ended since the last event.
            ctx = ctx.with_viewer(await authenticate_again(ctx.database, ctx.viewer))
            if not await may(ctx):
                raise Unauthenticated
            async with asyncio.timeout(runtime.settings.socket_send_timeout):
                await websocket.send_text(orjson.dumps(message).decode())


async def _listen(websocket: WebSocket) -> None:
    """Nothing that a client says changes anything, except that it goes."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _why(error: BaseException | None) -> tuple[int, str]:
    if isinstance(error, Unauthenticated):
        return UNAUTHENTICATED, "You may not follow this any more."
    if isinstance(error, ApiError):
        return TRY_AGAIN, error.message
    log.error("a socket failed", exc_info=error)
    return TRY_AGAIN, "Connect again."


def _token(websocket: WebSocket) -> tuple[str, str | None]:
    """The token, from the header, the query or the subprotocol, and the subprotocol to answer with."""
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    offered: list[str] = websocket.scope.get("subprotocols", [])
    answered = offered[0] if offered else None
    if scheme.lower() == "bearer":
        return token.strip(), answered
    if given := websocket.query_params.get("token"):
        return given, answered
    # Browsers can set no header: they offer the token itself, perhaps after the word bearer.
    return (offered[-1] if offered else ""), answered
