"""The staff's console at /admin/: who asks, a transaction that can only read, and the policy of its pages."""

import asyncio
import secrets

from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from engine.request import begin_context
from engine.runtime import runtime_of
from errors import ApiError
from models.refusals import refusal
from settings import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NEAR = frozenset({b"same-origin", b"none"})


class Console:
    """The ASGI app of /admin; what it shows is made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Starlette | None = None
        self._making = asyncio.Lock()

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes of the console, so that its pages can name each other."""
        return self._app.routes if self._app else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose(4404)(scope, receive, send)
            return
        if scope["method"] not in SAFE and _fetch_site(scope) not in NEAR:
            await PlainTextResponse("Only pages of this server may do that.", 403)(scope, receive, send)
            return
        app = await self._made()
        nonce = secrets.token_urlsafe(16)
        ctx = begin_context(scope, "admin")
        read_only = runtime_of(scope).database.engine.execution_options(postgresql_readonly=True)
        async with AsyncSession(read_only, expire_on_commit=False) as session:
            scope["state"] |= {"console": ctx, "nonce": nonce, "session": session}
            await app(scope, receive, _with_policy(send, nonce))

    async def _made(self) -> Starlette:
        async with self._making:
            if self._app is None:
                self._app = await asyncio.to_thread(self._make)
            return self._app

    def _make(self) -> Starlette:
        # Imported here, since it takes half a second in all that neither a start nor a worker should wait for.
        from web.admin.panel import Panel

        panel = Panel(self._settings)
        panel.mount_to(Starlette())
        for kind in (DBAPIError, TimeoutError, ApiError, Exception):
            panel.app.add_exception_handler(kind, _sorry)
        return panel.app


def _fetch_site(scope: Scope) -> bytes:
    """What the browser says of the page that asks; one that says nothing is held to the token of its form alone."""
    return next((value for name, value in scope["headers"] if name == b"sec-fetch-site"), b"none")


def _with_policy(send: Send, nonce: str) -> Send:
    policy = (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers["Content-Security-Policy"] = policy
            headers["Referrer-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            if headers.get("content-type", "").startswith(("text/html", "application/json")):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return tell


def _sorry(_: Request, error: Exception) -> Response:
    """What a person reads where a page fails; what failed is logged by whoever sees it next."""
    found = refusal(error) if isinstance(error, DBAPIError | TimeoutError) else error
    told = found if isinstance(found, ApiError) else ApiError()
    return PlainTextResponse(" ".join([told.message, *told.fields.values()]), told.status)


async def _to_console(_: Request) -> Response:
    return RedirectResponse("/admin/", 307)


def admin_routes(settings: Settings) -> list[BaseRoute]:
    """The console, and the addresses that lead to it."""
    mount = Mount("/admin", app=Console(settings), name="admin")
    return [mount, *(Route(path, _to_console) for path in ("/admin", "/coresync/admin/", "/coresync/admin"))]
