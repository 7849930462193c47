"""The opponent: hand-written endpoints on the same HTTP server, with one statement each that answers JSON, and nothing around it.

No GraphQL, no authentication, no limits, no request id, no metrics. /bare/* has not even Starlette.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bench import statements

POOL = 16
BARE = "/bare/"
Handler = Callable[[Request], Awaitable[Response]]


class Floor:
    """The database, and the statements that were seen of the product."""

    pool: asyncpg.Pool
    seen: dict[str, list[str]]


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """asyncpg's pool as it comes, as large as the product's."""
    with open(os.environ["BENCH_STATEMENTS"], "rb") as file:  # noqa: ASYNC230 - before anything is served
        Floor.seen = orjson.loads(file.read())
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=POOL, max_size=POOL) as Floor.pool:
        yield


def one_statement(statement: str, arguments: Callable[[dict[str, Any]], tuple[Any, ...]]) -> Handler:
    """An endpoint that runs one statement and answers its text."""

    async def handle(request: Request) -> Response:
        body = orjson.loads(await request.body())
        found = await Floor.pool.fetchval(statement, *arguments(body["variables"]))
        if found is None:
            found = '{"data":null,"errors":[{"message":"Room is taken"}]}'
        return Response(found.encode(), media_type="application/json")

    return handle


async def book_by_list(request: Request) -> Response:
    """The fixed list of statements of a booking, in one transaction."""
    given = orjson.loads(await request.body())["variables"]
    known: dict[str, Any] = {**given, "starts_at": datetime.fromisoformat(given["startsAt"])}
    async with Floor.pool.acquire() as connection, connection.transaction():
        for name, statement, needs in statements.BOOKING_NEEDS:
            known[name] = await connection.fetchval(statement, *(known[each] for each in needs))
    return Response(known["answer"].encode(), media_type="application/json")


async def hello(_: Request) -> Response:
    """Nothing but the HTTP server and Starlette."""
    return PlainTextResponse("hello")


def _booking(given: dict[str, Any]) -> tuple[Any, ...]:
    return given["person"], given["service"], given["room"], datetime.fromisoformat(given["startsAt"])


starlette = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/catalogue", one_statement(statements.CATALOGUE, lambda given: (given["category"],)), methods=["POST"]),
        Route("/my_bookings", one_statement(statements.MY_BOOKINGS, lambda given: (given["person"],)), methods=["POST"]),
        Route("/one_service", one_statement(statements.ONE_SERVICE, lambda given: (given["service"],)), methods=["POST"]),
        Route("/book", one_statement(statements.BOOK_AT_ONCE, _booking), methods=["POST"]),
        Route("/book_by_list", book_by_list, methods=["POST"]),
    ],
    lifespan=lifespan,
)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Starlette's endpoints, and beside them handlers without any framework that run what the product was seen to run."""
    path = scope.get("path", "")
    if not path.startswith(BARE):
        await starlette(scope, receive, send)
        return
    await receive()
    for each in Floor.seen.get(path.removeprefix(BARE), []):
        await Floor.pool.fetch(each)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})
