"""Payments that nobody tells of are asked about, and what was cancelled here ends at Stripe too."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gateways.all import open_gateways
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.database import Database
from models.identity import User
from models.keys import Key
from models.payments import Payment
from resolvers.appointments import book_appointment
from resolvers.bookings import cancel_booking
from resolvers.context import Context
from resolvers.looking_up import look_up_payments
from resolvers.operations import perform
from settings import Settings
from tests.members import run_jobs
from tests.paying import begin, booking_now, by, hook, make_booking, posted, queued, simulator, stored
from tests.worlds import make_person, make_spa, soon


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def ann(database: Database) -> User:
    return await make_person(database)


@pytest.fixture
async def appointment(world: Context, database: Database, ann: User) -> Booking:
    spa = await make_spa(database)
    wish = {"service_id": Key(number=spa.service.id), "starts_at": soon()}
    booked: Booking = await perform(book_appointment, by(world, ann), wish)
    return booked


async def begun_before(database: Database, age: timedelta) -> None:
    async with database.sessions.begin() as db:
        await db.execute(update(Payment).values(created_at=datetime.now(UTC) - age))


async def look(ctx: Context) -> int:
    await look_up_payments(ctx)
    return await run_jobs(ctx, "look_up_payment")


async def test_money_whose_webhook_never_came_is_counted(world: Context, database: Database, ann: User) -> None:
    booking = await make_booking(database, ann)
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    await simulator(world).pay(intent, hold=True)
    assert await look(world) == 0  # the webhook may still come
    await begun_before(database, timedelta(minutes=16))
    assert await look(world) == 1
    assert (await booking_now(database, booking)).status is BookingStatus.CONFIRMED
    assert await look(world) == 0
    assert sum(await posted(database)) == 0


async def test_who_only_thinks_it_over_is_asked_about_now_and_then(world: Context, database: Database, ann: User) -> None:
    intent = (await begin(by(world, ann), await make_booking(database, ann))).payment_intent_id
    await begun_before(database, timedelta(minutes=16))
    assert [await look(world) for _ in range(3)] == [1, 0, 0]
    assert (await stored(database, intent)).status is PaymentStatus.PENDING
    async with database.sessions.begin() as db:
        await db.execute(update(Payment).values(looked_up_at=datetime.now(UTC) - timedelta(minutes=16)))
    assert await look(world) == 1
    await begun_before(database, timedelta(days=9))
    assert await look(world) == 0


async def test_what_was_cancelled_at_stripe_has_failed(world: Context, database: Database, ann: User) -> None:
    intent = (await begin(by(world, ann), await make_booking(database, ann))).payment_intent_id
    await world.gateways.stripe.cancel_intent(intent)
    await begun_before(database, timedelta(minutes=16))
    await look(world)
    assert (await stored(database, intent)).status is PaymentStatus.FAILED


async def test_a_cancelled_booking_cannot_be_paid_any_more(world: Context, database: Database, ann: User, appointment: Booking) -> None:
    intent = (await begin(by(world, ann), appointment)).payment_intent_id
    await perform(cancel_booking, by(world, ann), {"id": Key(number=appointment.id)})
    assert await queued(database) == ["stop_payment"]
    assert await run_jobs(world, "stop_payment") == 1
    assert (await world.gateways.stripe.get_intent(intent)).status == "canceled"
    assert (await stored(database, intent)).status is PaymentStatus.FAILED


async def test_money_that_overtakes_the_cancellation_goes_back(world: Context, database: Database, ann: User, appointment: Booking) -> None:
    intent = (await begin(by(world, ann), appointment)).payment_intent_id
    held = (await simulator(world).pay(intent, hold=True))["webhook"]
    await perform(cancel_booking, by(world, ann), {"id": Key(number=appointment.id)})
    await asyncio.gather(run_jobs(world, "stop_payment"), hook(world, **held), hook(world, **held))
    assert await run_jobs(world, "finish_refund") == 1
    now = await booking_now(database, appointment)
    assert (now.status, now.payment_status) == (BookingStatus.CANCELLED, PaymentStatus.REFUNDED)
    assert sum(await posted(database)) == 0


async def test_a_booking_without_a_payment_under_way_ends_none(world: Context, database: Database, ann: User, appointment: Booking) -> None:
    await perform(cancel_booking, by(world, ann), {"id": Key(number=appointment.id)})
    assert await queued(database) == []
