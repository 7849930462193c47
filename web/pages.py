"""The pages for people: the landing page and GraphiQL, both without anything from another host."""

from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from engine.request import open_context
from engine.runtime import runtime_of
from errors import ApiError, Forbidden, NotFound, Unauthenticated
from settings import Introspection, Settings
from web.doors import ACCOUNTS, DEMO_TOOLS, TOOLS, systems_of

WEB = Path(__file__).parent
TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(WEB / "templates"), autoescape=True, undefined=jinja2.StrictUndefined)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Assets(StaticFiles):
    """Style sheets and scripts; vendored ones bear their version in their names and so never change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if path.startswith("vendor") else "no-cache"
        return response


async def landing(request: Request) -> Response:
    """Every door of this server on one page."""
    app: Starlette = request.app
    settings: Settings = app.state.settings
    page = TEMPLATES.get_template("landing.html").render(
        settings=settings,
        tools=(*TOOLS, *DEMO_TOOLS) if settings.is_demo else TOOLS,
        systems=systems_of(app),
        accounts=ACCOUNTS if settings.is_demo else (),
    )
    return HTMLResponse(page, headers=HEADERS)


async def graphiql(request: Request) -> Response:
    """The GraphQL editor, for whoever may look at the schema; a form to sign in with where that is the staff."""
    refusal = await _refusal(request)
    if refusal is None:
        return HTMLResponse(TEMPLATES.get_template("graphiql.html").render(), headers=HEADERS)
    if runtime_of(request.scope).settings.introspection_for is not Introspection.STAFF:
        return _refused(refusal)
    return HTMLResponse(TEMPLATES.get_template("sign_in.html").render(), refusal.status, HEADERS | {"Cache-Control": "no-store"})


def example_operations() -> list[dict[str, str]]:
    """What the editor's tabs show at first, in their order; a leading comment block says what it does."""
    return [{"name": path.stem, "query": path.read_text()} for path in sorted((WEB / "examples").glob("*.graphql"))]


async def examples(request: Request) -> Response:
    """The example operations for the editor."""
    refusal = await _refusal(request)
    return _refused(refusal) if refusal else JSONResponse(example_operations())


async def _refusal(request: Request) -> ApiError | None:
    """Why the editor is not shown to the caller."""
    runtime = runtime_of(request.scope)
    try:
        ctx = await open_context(request.scope, "pages")
    except Unauthenticated as refusal:
        return refusal
    if runtime.engine.may_introspect(ctx):
        return None
    if runtime.settings.introspection_for is Introspection.NOBODY:
        return NotFound()
    return Forbidden("GraphiQL is for the staff.") if ctx.viewer.user_id else Unauthenticated()


def _refused(refusal: ApiError) -> Response:
    return JSONResponse({"error": {"code": refusal.code, "message": refusal.message}}, refusal.status)


def page_routes() -> list[BaseRoute]:
    return [
        Route("/", landing),
        Route("/graphiql", graphiql),
        Route("/graphiql/examples.json", examples),
        Mount("/static", Assets(directory=WEB / "static"), name="static"),
    ]
