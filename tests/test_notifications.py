"""What people are told, and what a demo shows of it."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import httpx2
import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette

import clock
from demo.clock import read_clock
from demo.routes import demo_routes
from errors import Unavailable
from gateways.all import open_gateways
from jobs.queue import enqueue
from models.bookings import Appointment, Booking, BookingKind
from models.database import Database
from models.identity import User
from models.notifications import Channel, OutboxMessage
from resolvers.booking_mails import News, tell_about_booking
from resolvers.context import Context
from resolvers.notifications import send, send_message
from settings import Mode, Settings
from tests.worlds import make_person, make_spa


class Post:
    """A mail gateway that keeps what it is given."""

    def __init__(self, *, is_down: bool = False) -> None:
        self.is_down = is_down
        self.sent: list[tuple[str, str, str]] = []

    async def send(self, to: str, subject: str, body: str, pdf: tuple[str, bytes] | None = None) -> None:
        if self.is_down:
            raise Unavailable
        self.sent.append((to, subject, body))


@pytest.fixture
async def ctx(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def client(ctx: Context) -> AsyncIterator[httpx2.AsyncClient]:
    app = Starlette(routes=demo_routes())
    app.state.runtime = SimpleNamespace(database=ctx.database)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://atrium.test") as client:
        yield client


async def queue(ctx: Context, **message: str) -> int:
    async with ctx.writing() as db:
        return (await send(db, **{"to": "Ann@Example.com", "body": "Your code is 123456.", **message})).id  # type: ignore[arg-type]


async def kept(ctx: Context) -> OutboxMessage:
    async with ctx.database.sessions() as db:
        return (await db.scalars(select(OutboxMessage))).one()


def in_production(ctx: Context, post: Post | None) -> Context:
    """The same context as a production server with this mail gateway would have it."""
    settings = ctx.settings.model_copy(update={"mode": Mode.PRODUCTION})
    settings.__dict__.pop("is_demo", None)
    return dataclasses.replace(ctx, settings=settings, gateways=dataclasses.replace(ctx.gateways, mail=post))  # type: ignore[arg-type]


async def test_a_message_of_a_transaction_that_fails_is_not_queued(ctx: Context) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with ctx.writing() as db:
            await send(db, to="ann@example.com", body="Hello")
            raise ZeroDivisionError
    assert await ctx.fetch(select(OutboxMessage.id)) == []


async def test_a_demo_keeps_messages_in_its_outbox(ctx: Context, client: httpx2.AsyncClient) -> None:
    await queue(ctx, subject="Welcome")
    await send_message(ctx, await queue(ctx, subject="Your code", code="123456", link="https://demo.test/?token=t"))
    await queue(ctx, to="bob+spa@example.com", channel=Channel.SMS)
    answer = await client.get("/demo/outbox", params={"to": "ann@example.com"})
    newest, oldest = answer.json()["messages"]
    assert newest["subject"] == "Your code"
    assert (newest["code"], newest["link"], newest["channel"]) == ("123456", "https://demo.test/?token=t", "email")
    assert newest["sent_at"].endswith("Z")
    assert oldest["subject"] == "Welcome"
    plus = await client.get("/demo/outbox?to=bob+spa@example.com")
    assert [each["channel"] for each in plus.json()["messages"]] == ["sms"]


async def test_a_sent_message_is_sent_once_and_its_secrets_are_forgotten(ctx: Context) -> None:
    post = Post()
    number = await queue(ctx, subject="Your code", code="123456")
    for _ in range(2):
        await send_message(in_production(ctx, post), number)
    assert post.sent == [("Ann@Example.com", "Your code", "Your code is 123456.")]
    message = await kept(ctx)
    assert (message.body, message.code) == ("", None)
    assert message.sent_at is not None


@pytest.mark.parametrize("post", [None, Post(is_down=True)])
async def test_what_cannot_be_sent_now_stays_queued(ctx: Context, post: Post | None) -> None:
    number = await queue(ctx)
    with pytest.raises(Unavailable):
        await send_message(in_production(ctx, post), number)
    assert (await kept(ctx)).sent_at is None


async def test_a_mail_about_a_booking_says_what_when_and_where_in_local_time_once(ctx: Context) -> None:
    spa = await make_spa(ctx.database, rooms=1, time_zone="America/New_York")
    john = await make_person(ctx.database, "john")
    async with ctx.writing() as db:
        starts = datetime(2027, 1, 15, 19, 0, tzinfo=UTC)
        booking = Booking(
            kind=BookingKind.APPOINTMENT,
            customer_id=john.id,
            service_id=spa.service.id,
            location_id=spa.location.id,
            starts_at=starts,
            ends_at=starts + timedelta(hours=1),
            total_amount=Decimal("187.50"),
        )
        db.add(booking)
        await db.flush()
        db.add(Appointment(booking_id=booking.id, room_id=spa.rooms[0].id))
    for _ in range(2):
        await tell_about_booking(ctx, booking.id, News.RECEIVED, "a cause")
    async with ctx.writing() as db:
        await db.execute(update(User).where(User.id == john.id).values(email_notifications=False))
    await tell_about_booking(ctx, booking.id, News.CANCELLED, "another cause")
    async with ctx.database.sessions() as db:
        message = (await db.scalars(select(OutboxMessage).where(OutboxMessage.subject.contains(booking.reference)))).one()
    assert message.to == "john@example.com"
    for part in ("Dear John", "AI Massage Therapy", "Friday, 15 January 2027, 14:00", "Downtown", "187.50 USD"):
        assert part in message.body


async def test_what_is_due_later_comes_with_the_clock(ctx: Context, client: httpx2.AsyncClient) -> None:
    async with ctx.writing() as db:
        await enqueue(db, "send_message", {"message_id": 1}, after=timedelta(hours=1))

    async def is_due() -> bool:
        async with ctx.database.reading() as connection:
            return bool(await connection.fetchval("SELECT execute_after <= now() FROM pgqueuer"))

    assert not await is_due()
    await client.post("/demo/clock", json={"advance_seconds": 3601})
    assert await is_due()
    await client.delete("/demo/clock")
    assert not await is_due()


async def test_the_clock_moves_for_every_process_and_back(ctx: Context, client: httpx2.AsyncClient) -> None:
    assert (await client.post("/demo/clock", json={"advance_seconds": 3600})).json() == {"ahead_seconds": 3600}
    assert (await client.post("/demo/clock", json={"advance_seconds": 60})).json() == {"ahead_seconds": 3660}
    clock.set_ahead(0)  # another process, which has not looked yet
    assert await read_clock(ctx.database) == 3660
    assert ctx.now() - datetime.now(UTC) > timedelta(seconds=3650)
    assert (await client.delete("/demo/clock")).json() == {"ahead_seconds": 0}
    assert abs(ctx.now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"advance_seconds": "1"}', 422), (b'{"advance_seconds": -1}', 422),
     (b'{"advance_seconds": 1e300}', 422), (b'{"advance_seconds": true}', 422)],
)  # fmt: skip
async def test_a_clock_is_moved_by_seconds_only(client: httpx2.AsyncClient, body: bytes, status: int) -> None:
    answer = await client.post("/demo/clock", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]


async def test_limits_are_forgotten_on_demand(ctx: Context, client: httpx2.AsyncClient) -> None:
    async with ctx.database.reading() as connection:
        await connection.execute("INSERT INTO sign_in_failures (subject, failures, window_ends_at) VALUES ('x', 5, now())")
    assert (await client.post("/demo/limits/reset")).status_code == 200
    async with ctx.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM sign_in_failures") == 0
