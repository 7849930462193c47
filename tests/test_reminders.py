"""Reminders: the day before, by the clock of the place, once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

import clock
from gateways.all import open_gateways
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.database import Database
from models.identity import User
from models.notifications import Notification
from resolvers.context import Context
from resolvers.reminders import remind_of_visits
from settings import Settings
from tests.telling import bell, outbox, work_off
from tests.worlds import Spa, make_person, make_spa

ZONE = "America/New_York"


@pytest.fixture
async def ctx(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)
    clock.set_ahead(0)


@pytest.fixture
async def spa(database: Database) -> Spa:
    return await make_spa(database, time_zone=ZONE)


@pytest.fixture
async def ann(database: Database) -> User:
    return await make_person(database)


def here() -> datetime:
    return datetime.now(ZoneInfo(ZONE))


def local(days: int, hour: int) -> datetime:
    """An hour at the place, so many days from today there."""
    return datetime.combine(here().date() + timedelta(days=days), datetime.min.time(), ZoneInfo(ZONE)).replace(hour=hour)


def turn_to(moment: datetime) -> None:
    """Let the business clock show a moment."""
    clock.set_ahead((moment - here()).total_seconds())


async def book(database: Database, spa: Spa, person: User, starts: datetime, status: BookingStatus = BookingStatus.CONFIRMED) -> Booking:
    async with database.sessions.begin() as db:
        booking = Booking(
            kind=BookingKind.APPOINTMENT,
            customer_id=person.id,
            service_id=spa.service.id,
            location_id=spa.location.id,
            status=status,
            starts_at=starts,
            ends_at=starts + timedelta(hours=1),
            total_amount=Decimal(100),
        )
        db.add(booking)
        await db.flush()
        db.add(Appointment(booking_id=booking.id, room_id=spa.rooms[0].id))
    return booking


async def test_a_visit_is_reminded_of_on_the_day_before_from_ten_by_the_place_s_clock(
    ctx: Context, database: Database, spa: Spa, ann: User
) -> None:
    booking = await book(database, spa, ann, local(3, 0) + timedelta(minutes=15))
    for moment, expected in ((local(1, 23), 0), (local(2, 9), 0), (local(2, 10), 1), (local(2, 12), 1), (local(3, 10), 1)):
        turn_to(moment)
        await remind_of_visits(ctx)
        assert len(await bell(database, ann)) == expected, moment
    [told] = await bell(database, ann)
    assert (told.title, told.message) == ("Appointment Tomorrow", "Your AI Massage Therapy appointment is tomorrow at 12:15 AM.")
    assert told.action_url == f"/bookings/{booking.id}"
    await work_off(ctx)
    [mail] = await outbox(database)
    assert mail.subject == "Tomorrow at 12:15 AM: AI Massage Therapy"


async def test_two_workers_remind_once(ctx: Context, database: Database, spa: Spa, ann: User) -> None:
    for hour in (9, 11, 13):
        await book(database, spa, ann, local(3, hour))
    turn_to(local(2, 11))
    await asyncio.gather(*(remind_of_visits(ctx) for _ in range(4)))
    assert len(await bell(database, ann)) == 3


async def test_who_cancelled_or_was_told_just_now_is_not_reminded(ctx: Context, database: Database, spa: Spa, ann: User) -> None:
    await book(database, spa, ann, local(3, 9), BookingStatus.CANCELLED)
    await book(database, spa, ann, local(4, 9))
    await book(database, spa, ann, local(2, 15))
    late = await book(database, spa, ann, local(3, 12))
    async with database.sessions.begin() as db:
        await db.execute(update(Booking).where(Booking.id == late.id).values(created_at=local(2, 11)))
    turn_to(local(2, 12))
    await remind_of_visits(ctx)
    assert await bell(database, ann) == []


async def test_a_visit_that_moves_to_another_day_is_reminded_of_again(ctx: Context, database: Database, spa: Spa, ann: User) -> None:
    booking = await book(database, spa, ann, local(3, 9))
    turn_to(local(2, 11))
    await remind_of_visits(ctx)
    async with database.sessions.begin() as db:
        await _move(db, booking.id, local(6, 9))
    turn_to(local(5, 11))
    await remind_of_visits(ctx)
    assert len(await bell(database, ann)) == 2


async def _move(db: AsyncSession, number: int, starts: datetime) -> None:
    await db.execute(update(Booking).where(Booking.id == number).values(starts_at=starts, ends_at=starts + timedelta(hours=1)))


async def test_however_many_visits_there_are_all_are_reminded_of(
    ctx: Context, database: Database, spa: Spa, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.reminders.PER_TRANSACTION", 2)
    for hour in range(9, 14):
        await book(database, spa, ann, local(3, hour))
    turn_to(local(2, 11))
    await remind_of_visits(ctx)
    async with database.sessions() as db:
        assert await db.scalar(select(func.count()).select_from(Notification)) == 5
