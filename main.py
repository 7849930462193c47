"""The ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from models.database import Database
from settings import Settings


async def livez(_: Request) -> PlainTextResponse:
    """The process is alive."""
    return PlainTextResponse("alive\n")


def create_app(settings: Settings, database_url: str) -> Starlette:
    """The app over one database; its lifespan opens what the doors need."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with Database(database_url, settings) as database:
            app.state.settings = settings
            app.state.database = database
            yield

    return Starlette(routes=[Route("/livez", livez)], lifespan=lifespan)
