"""What people are told, and what a demo shows of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette

import clock
from demo.clock import read_clock
from demo.routes import demo_routes
from errors import Unavailable, Undeliverable
from gateways.all import open_gateways
from jobs.queue import enqueue
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.database import Database
from models.identity import User
from models.notifications import Channel, OutboxMessage
from resolvers.booking_mails import News, tell_about_booking
from resolvers.context import Context
from resolvers.delivery import send_message
from resolvers.notifications import send, send_code
from settings import Settings
from tests.telling import Post, bell, in_production, outbox, work_off
from tests.worlds import make_person, make_spa


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


async def queue(ctx: Context, **message: Any) -> int:
    async with ctx.writing() as db:
        return (await send(db, **{"to": "Ann@Example.com", "body": "Your code is 123456.", **message})).id


async def kept(ctx: Context) -> OutboxMessage:
    async with ctx.database.sessions() as db:
        return (await db.scalars(select(OutboxMessage))).one()


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
    number = await queue(ctx, subject="Your code", code="123456", html="<p>123456</p>")
    for _ in range(2):
        await send_message(in_production(ctx, mail=post), number)
    [mail] = post.sent
    assert (mail.to, mail.subject, mail.text, mail.html) == ("Ann@Example.com", "Your code", "Your code is 123456.", "<p>123456</p>")
    message = await kept(ctx)
    assert (message.body, message.html, message.code) == ("", None, None)
    assert message.sent_at is not None


@pytest.mark.parametrize("gateways", [{}, {"mail": Post(Unavailable())}])
async def test_what_cannot_be_sent_now_stays_queued_and_may_be_tried_at_once(ctx: Context, gateways: dict[str, Post]) -> None:
    number = await queue(ctx)
    with pytest.raises(Unavailable):
        await send_message(in_production(ctx, **gateways), number)
    message = await kept(ctx)
    assert (message.sent_at, message.begun_at, message.body) == (None, None, "Your code is 123456.")
    await send_message(in_production(ctx, mail=Post()), number)
    assert (await kept(ctx)).sent_at is not None


async def test_what_can_never_be_sent_is_given_up_with_its_reason(ctx: Context) -> None:
    number = await queue(ctx, code="123456")
    post = Post(Undeliverable("No such mailbox."))
    for _ in range(2):
        await send_message(in_production(ctx, mail=post), number)
    message = await kept(ctx)
    assert (message.failure, message.body, message.code, message.sent_at) == ("No such mailbox.", "", None, None)
    assert post.sent == []


@pytest.mark.parametrize(("channel", "to"), [(Channel.SMS, "+15550100"), (Channel.EMAIL, "ann@example.com")])
async def test_a_code_goes_to_where_it_was_asked_for_and_is_forgotten(ctx: Context, channel: Channel, to: str) -> None:
    async with ctx.writing() as db:
        await send_code(db, to=to, channel=channel, code="123456", minutes=5)
    text, mail = Post(), Post()
    assert "123456" in (await kept(ctx)).body
    await work_off(in_production(ctx, sms=text, mail=mail))
    if channel is Channel.SMS:
        assert text.sent == [(to, "Your CoreSync code is 123456. It is good for 5 minutes. Give it to nobody.")]
    else:
        assert "  123456\n" in mail.sent[0].text
    assert (await kept(ctx)).body == ""
    assert (await kept(ctx)).code is None


class Slow(Post):
    """A mail gateway that takes its time."""

    async def send(self, mail: Any, *rest: Any) -> None:
        await asyncio.sleep(0.2)
        await super().send(mail, *rest)


async def test_two_workers_at_one_message_send_it_once(ctx: Context) -> None:
    post, number = Slow(), await queue(ctx)
    tries = [send_message(in_production(ctx, mail=post), number) for _ in range(5)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert len(post.sent) == 1
    assert [each for each in ends if each is not None and not isinstance(each, Unavailable)] == []
    assert (await kept(ctx)).sent_at is not None


@pytest.mark.parametrize("at_most_once", [False, True])
async def test_what_a_dead_worker_had_begun_is_sent_again_unless_it_is_rather_lost(ctx: Context, at_most_once: bool) -> None:
    async with ctx.writing() as db:
        message = await send(db, to="ann@example.com", body="Hello", is_at_most_once=at_most_once)
        message.begun_at = datetime.now(UTC) - timedelta(minutes=4)
    post = Post()
    await send_message(in_production(ctx, mail=post), message.id)
    assert len(post.sent) == (0 if at_most_once else 1)
    assert (await kept(ctx)).failure == ("Nobody knows whether it was sent." if at_most_once else None)


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
    await work_off(ctx)
    async with ctx.writing() as db:
        await db.execute(update(User).where(User.id == john.id).values(email_notifications=False))
        await db.execute(update(Booking).values(status=BookingStatus.CANCELLED))
    await tell_about_booking(ctx, booking.id, News.MOVED, "overtaken")
    await tell_about_booking(ctx, booking.id, News.CANCELLED, "another cause")
    await work_off(ctx)
    [message] = await outbox(ctx.database)
    assert (message.to, message.subject) == ("john@example.com", f"Your booking {booking.reference} is received: AI Massage Therapy")
    for part in ("Dear John", "AI Massage Therapy", "Friday, 15 January 2027", "2:00 PM (America/New_York)", "Downtown", "187.50 USD"):
        assert part in message.body
    assert [each.title for each in await bell(ctx.database, john)] == ["Booking received", "Appointment cancelled"]


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
