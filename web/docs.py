"""The documentation of the older systems: OpenAPI and Swagger UI for each, through each of its doors."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from rest_compat.doors import Doors
from rest_compat.openapi import as_json, describe
from rest_compat.system import System
from web.doors import systems_of
from web.pages import HEADERS, TEMPLATES


async def docs(request: Request) -> ASGIApp:
    """The pages of the system whose door it is; at the root the list of all systems."""
    owner, server = _asked(request)
    if owner is not None:
        page = TEMPLATES.get_template("docs.html")
        return HTMLResponse(page.render(title=owner.dialect.title, document=f"{server}/docs/openapi.json"), headers=HEADERS)
    if "system" in request.path_params:
        return _doors(request)  # no such system: it may be a path of one
    return HTMLResponse(TEMPLATES.get_template("docs_index.html").render(systems=systems_of(request.app)), headers=HEADERS)


async def document(request: Request) -> ASGIApp:
    """The OpenAPI document of the system whose door it is."""
    owner, server = _asked(request)
    if owner is None:
        return _doors(request)
    return Response(_written(owner, server), media_type="application/json", headers={"Cache-Control": "no-cache"})


def _doors(request: Request) -> Doors:
    doors: Doors = request.app.state.doors
    return doors


def _asked(request: Request) -> tuple[System | None, str]:
    """The system, and under what its paths stand at this door."""
    owner, path = _doors(request).owner(request.scope, request.url.path)
    return owner, request.url.path.removesuffix(path)


@lru_cache(maxsize=16)
def _written(system: System, server: str) -> str:
    return as_json(describe(system, server=server))


def docs_routes() -> list[BaseRoute]:
    """The routes of all doors."""
    places = ("/docs", "/{system}/docs")
    pages: list[BaseRoute] = [Route(f"{place}{slash}", docs) for place in places for slash in ("/", "")]
    return [*pages, *(Route(f"{place}/openapi.json", document) for place in places)]
