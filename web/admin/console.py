"""The staff's console at /admin/: starlette-admin over our tables, in read-only transactions, with operations as its actions."""

import logging
import re
import secrets
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Message, Receive, Scope, Send
from starlette_admin.base import BaseAdmin
from starlette_admin.routing import route
from starlette_admin.views import CustomView, DropDown

from engine.request import begin_context
from engine.runtime import runtime_of
from errors import ApiError
from models.refusals import refusal
from resolvers.admin import get_dashboard
from resolvers.operations import perform
from settings import Settings
from web.admin.signing_in import StaffSignIn, secret_of
from web.admin.tables import shown_tables, view_of
from web.admin.views import FailedJobs, context_of

TEMPLATES = Path(__file__).parent.parent / "templates" / "admin"
INLINE = re.compile(r"<(script|style)(?=[\s>])")
HANDLERS = {'onchange="window.location = this.value"': "data-goes-there", 'onclick="applyColumnVisibility()"': "data-applies-columns"}
"""Inline handlers of the library, which no nonce covers; web/static/admin.js stands for them."""
WRITING_PAGES = frozenset({"create", "edit", "import", "inline-edit", "inline-edit-row", "api:file"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NEAR = frozenset({b"same-origin", b"none"})

# It would note at every sign-in who tried it; what our log says of a request has no personal data.
logging.getLogger("starlette_admin").setLevel(logging.ERROR)


class Nonced(jinja2.BaseLoader):
    """Templates whose inline scripts and styles bear the nonce of the page's policy, so that no other inline script runs."""

    def __init__(self, inner: jinja2.BaseLoader) -> None:
        self._inner = inner

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str | None, Any]:
        source, name, fresh = self._inner.get_source(environment, template)
        for handler, mark in HANDLERS.items():
            source = source.replace(handler, mark)
        return INLINE.sub(r'<\1 nonce="{{ request.state.nonce }}"', source), name, fresh


class Front(CustomView):
    """The first page: the dashboard."""

    menu_label = "Dashboard"
    icon = "fa-solid fa-gauge"
    path = "/"
    route_name = "index"

    @route("")
    async def index(self, request: Request) -> Response:
        ctx = context_of(request)
        get_dashboard.admit(ctx.viewer)
        found = await perform(get_dashboard, ctx, {})
        assert self.templates is not None  # noqa: S101 - it is mounted
        return self.templates.TemplateResponse(request, "dashboard.html", {"title": "Dashboard", "dashboard": found})


class Panel(BaseAdmin):
    """The library's console without the pages that write."""

    def __init__(self, settings: Settings) -> None:
        core = jinja2.PackageLoader("starlette_admin", "templates")
        super().__init__(
            title="Atrium",
            favicon_url="/static/atrium.svg",
            templates_dir=str(TEMPLATES),
            additional_loaders=[Nonced(jinja2.PrefixLoader({"@core": core})), Nonced(core)],
            index_view=Front(),
            auth_provider=StaffSignIn(),
            secret_key=secret_of(settings),
        )
        self.routes = [each for each in self.routes if each.name not in WRITING_PAGES]
        for domain, tables in shown_tables().items():
            self.add_view(DropDown(domain.replace("_", " ").capitalize(), [view_of(each) for each in tables], always_open=False))
        self.add_view(FailedJobs())


class Console:
    """The ASGI app of /admin: who asks, a read-only session, the policy of the answer; made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _app(self) -> Starlette:
        panel = Panel(self._settings)
        panel.mount_to(Starlette())
        for kind in (DBAPIError, TimeoutError, ApiError, Exception):
            panel.app.add_exception_handler(kind, _sorry)
        return panel.app

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes of the console, so that its pages can name each other."""
        return self._app.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in SAFE and _fetch_site(scope) not in NEAR:
            await PlainTextResponse("Only pages of this server may do that.", 403)(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        ctx = begin_context(scope, "admin")
        read_only = runtime_of(scope).database.engine.execution_options(postgresql_readonly=True)
        async with AsyncSession(read_only, expire_on_commit=False) as session:
            scope["state"] |= {"console": ctx, "nonce": nonce, "session": session}
            await self._app(scope, receive, _with_policy(send, nonce))


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
