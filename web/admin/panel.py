"""starlette-admin as the console needs it: without pages that write, and with nothing inline but what bears the page's nonce."""

import logging
import re
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.base import BaseAdmin
from starlette_admin.routing import route
from starlette_admin.views import CustomView, DropDown

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
