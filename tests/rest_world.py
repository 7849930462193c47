"""An app with older systems of the tests' own making, and a small catalogue to ask them about."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from engine.runtime import running
from main import Atrium
from models.catalogue import Addon, Category, Service, ServiceLine, SpaService
from models.database import Database
from rest_compat.dialect import Dialect
from rest_compat.doors import Doors
from rest_compat.endpoint import read_endpoints
from rest_compat.routes import AnyRoute
from rest_compat.system import System
from rest_compat.usage import Usage
from settings import Settings


@asynccontextmanager
async def app_with(settings: Settings, database_url: str, make_doors: Callable[[Any], Doors]) -> AsyncIterator[Starlette]:
    """An app whose only doors are those of older systems."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.doors(scope, receive, send)

    app = Atrium(routes=[Mount("/", app=front)])
    app.state.settings = settings
    async with running(settings, database_url) as runtime:
        app.state.runtime = runtime
        app.state.doors = make_doors(runtime.raw_engine)
        yield app


def system(
    dialect: Dialect, engine: Any, folder: Path, document: str, routes: Sequence[AnyRoute] = (), usage: Usage | None = None
) -> System:
    """A system with one document."""
    folder = folder / dialect.name
    folder.mkdir(exist_ok=True)
    (folder / "all.graphql").write_text(document)
    endpoints = read_endpoints(folder, engine.schema, spell_enum=dialect.spelling.enum)
    return System(dialect, [*endpoints, *routes], engine, usage or Usage())


def client_of(app: Starlette, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """A client that calls the app without a network."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://atrium.test", headers=headers)


async def add_catalogue(database: Database, services: int = 3) -> None:
    """Spa services named Service 1 and so on, each with one add-on."""
    async with database.sessions.begin() as db:
        category = Category(line=ServiceLine.SPA, name="Mensuite", slug="mensuite", featured_technologies=["smart_mirror"])
        db.add(category)
        await db.flush()
        for number in range(1, services + 1):
            service = Service(
                line=ServiceLine.SPA,
                category_id=category.id,
                name=f"Service {number}",
                slug=f"service-{number}",
                price=Decimal("200.00"),
                is_featured=number == 1,
            )
            db.add(service)
            await db.flush()
            db.add(SpaService(service_id=service.id, member_price=Decimal("150.00")))
            db.add(Addon(service_id=service.id, name="LED Light Therapy", price=Decimal("50.00")))
