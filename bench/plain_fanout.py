"""The opponent of `make bench-fanout`: Strawberry with broadcaster as their documentation shows it; it knows no people and no database."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import cast

import orjson
import strawberry
from broadcaster import Broadcast, Event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

CHANNEL = "bookings"
broadcast = Broadcast(os.environ.get("BENCH_BROADCAST", "memory://"))


@strawberry.type
class Booking:
    """What of a booking is asked for."""

    reference: str
    status: str
    starts_at: datetime


@strawberry.type
class BookingEvent:
    """Something that happened to a booking."""

    cursor: str
    kind: str
    at: datetime
    booking: Booking


@strawberry.type
class Query:
    """There has to be one."""

    hello: str = "hello"


@strawberry.type
class Subscription:
    """The subscription that is measured."""

    @strawberry.subscription
    async def booking_events(self, after: str | None = None) -> AsyncGenerator[BookingEvent, None]:
        """Every event from now on."""
        async with broadcast.subscribe(channel=CHANNEL) as subscriber:
            async for event in cast(AsyncIterator[Event], subscriber):
                told = orjson.loads(event.message)
                booking = Booking(reference=told["reference"], status=told["status"], starts_at=datetime.fromisoformat(told["startsAt"]))
                yield BookingEvent(cursor=told["cursor"], kind=told["kind"], at=datetime.fromisoformat(told["at"]), booking=booking)


async def publish(request: Request) -> PlainTextResponse:
    """Say as many events as the query asks for."""
    first, count = int(request.query_params["first"]), int(request.query_params["count"])
    for number in range(first, first + count):
        told = {
            "cursor": f"1.{100_000 + number}.{number}", "kind": "CONFIRMED", "at": "2026-11-20T12:00:00.123456+00:00",
            "reference": "AB12CD34", "status": "PENDING", "startsAt": "2026-11-27T14:00:00+00:00",
        }  # fmt: skip
        await broadcast.publish(channel=CHANNEL, message=orjson.dumps(told).decode())
    return PlainTextResponse("said")


async def hello(_: Request) -> PlainTextResponse:
    """Whether it answers."""
    return PlainTextResponse("hello")


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """The broadcaster, open."""
    async with broadcast:
        yield


graphql_app: GraphQL = GraphQL(strawberry.Schema(Query, subscription=Subscription))
app = Starlette(
    routes=[Route("/hello", hello), Route("/publish", publish, methods=["POST"]), WebSocketRoute("/graphql", graphql_app)],
    lifespan=lifespan,
)
