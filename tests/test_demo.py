"""The demo world: loaded once, balanced, without overlaps, and with what its documentation promises."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from demo.load import CHAPTERS, PATIENCE, PLAYED, load_demo
from demo.visits import visits
from demo.world import World
from gateways.all import open_gateways
from models.base import Model
from models.bookings import Booking, BookingKind, BookingStatus
from models.database import Database
from models.events import Event, EventBooking
from models.keys import Key
from models.ledger import Account, AccountKind, Entry
from models.notifications import Notification
from models.payments import Payment, Refund
from models.rooms import Device, Room
from models.scheduling import Reservation
from resolvers import identity, scheduling
from resolvers.context import Context, Viewer
from resolvers.operations import perform
from settings import Settings

TWICE = text("INSERT INTO reservations (resource_id, during, booking_id) SELECT resource_id, during, booking_id FROM reservations LIMIT 1")


@pytest.fixture
async def ctx(database_url: str, settings: Settings) -> AsyncIterator[Context]:
    patient = settings.model_copy(update=PATIENCE)
    async with Database(database_url, patient) as database, open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


async def counts(ctx: Context) -> dict[str, int]:
    async with ctx.database.sessions() as db:
        tables = Model.metadata.sorted_tables
        return {each.name: await db.scalar(select(func.count()).select_from(each)) or 0 for each in tables}


async def test_servers_that_start_together_take_turns_and_a_later_load_changes_nothing(ctx: Context) -> None:
    done = await asyncio.gather(load_demo(ctx), load_demo(ctx))
    assert sorted(done) == [0, len(CHAPTERS) + len(PLAYED)]
    before = await counts(ctx)
    begun = time.perf_counter()
    assert await load_demo(ctx) == 0
    assert time.perf_counter() - begun < 1
    assert await counts(ctx) == before


async def test_the_world_is_what_its_documentation_promises_and_nobody_is_booked_twice(ctx: Context) -> None:
    await load_demo(ctx)
    async with ctx.database.sessions() as db:
        await _check_books(db)
        await _check_bookings(db)
        with pytest.raises(DBAPIError, match="ex_reservations_overlap"):
            await db.execute(TWICE)
    await _check_people(ctx)
    await _check_free_slots(ctx)


async def _check_books(db: AsyncSession) -> None:
    assert await db.scalar(select(func.sum(Entry.amount))) == 0
    sums = await db.execute(select(Account.kind, func.sum(Entry.amount)).join(Entry).group_by(Account.kind))
    by_kind = {kind: total for kind, total in sums}
    charged = await db.scalar(select(func.sum(Payment.amount)).where(Payment.charged_at.is_not(None)))
    refunded = await db.scalar(select(func.sum(Refund.amount)))
    assert -by_kind[AccountKind.REVENUE] == charged
    assert by_kind[AccountKind.REFUNDS] == refunded == await db.scalar(select(func.sum(Payment.refunded_amount)))
    assert charged
    assert refunded
    assert by_kind[AccountKind.CASH] + by_kind[AccountKind.PROVIDER_CLEARING] == charged - refunded


async def _check_bookings(db: AsyncSession) -> None:
    past = await db.scalar(select(func.count(Booking.id)).where(Booking.kind == BookingKind.APPOINTMENT, Booking.starts_at < func.now()))
    assert past is not None
    assert 1800 <= past <= 2400
    statuses = set(await db.scalars(select(Booking.status).distinct()))
    assert {BookingStatus.COMPLETED, BookingStatus.CANCELLED, BookingStatus.CONFIRMED, BookingStatus.PENDING} <= statuses
    for kind, resources in ((BookingKind.APPOINTMENT, 2), (BookingKind.EVENT, 1)):
        kept = (await db.scalars(select(Booking.id).where(Booking.kind == kind, Booking.status != BookingStatus.CANCELLED))).all()
        held = select(func.count(Reservation.id)).join(Booking, Booking.id == Reservation.booking_id).where(Booking.kind == kind)
        assert await db.scalar(held) == resources * len(kept) > 0
    events = (await db.scalars(select(Event).order_by(Event.id))).all()
    assert (events[0].title, events[0].max_participants, events[0].price, events[0].facilitator_id) == (
        "Morning Meditation Session",
        20,
        Decimal(25),
        1,
    )
    assert len(events) >= 25
    assert events[0].starts_at > datetime.now(UTC)
    taken = select(func.sum(EventBooking.seats)).where(EventBooking.released_at.is_(None))
    assert await db.scalar(taken) == sum(each.current_participants for each in events)
    assert await db.scalar(select(func.count(Device.id))) == 51
    device, room = (await db.execute(select(Device, Room).join(Room, Room.id == Device.room_id).where(Device.id == 1))).one()
    assert (device.name, device.zone, room.name, room.number) == ("Main Lighting System", "mensuite_main", "Mensuite Room A", 1)
    mismatched = select(Payment.id).join(Booking, Booking.id == Payment.booking_id).where(Booking.payment_status != Payment.status)
    assert (await db.scalars(mismatched)).all() == []


async def _check_people(ctx: Context) -> None:
    signed_in = await perform(identity.sign_in, ctx, {"email": "user@example.com", "password": "password123"})
    assert signed_in.user.id == 1
    told = [row["read_at"] is not None for row in await ctx.fetch(select(Notification.read_at).where(Notification.user_id == 1))]
    assert {True, False} <= set(told)
    mine = select(Booking.starts_at).where(Booking.customer_id == 1, Booking.starts_at > func.now()).order_by(Booking.starts_at)
    ahead = [row["starts_at"] - ctx.now() for row in await ctx.fetch(mine)]
    assert len(ahead) >= 3
    assert [each for each in ahead if timedelta(days=2) < each < timedelta(days=40)] == []


async def _check_free_slots(ctx: Context) -> None:
    john = ctx.with_viewer(Viewer(1))
    for offset in range(3, 24):
        day = ctx.now().date() + timedelta(days=offset)
        if (day.month, day.day) in ((12, 25), (1, 1), (7, 4)):
            continue
        found = await perform(scheduling.find_availability, john, {"service_id": Key(number=1), "date": day})
        by_room = {room: [slot for slot in found.slots if slot.room.id == room] for room in (1, 2)}
        assert min(map(len, by_room.values())) >= 15, day


def test_everybody_who_visits_is_in_one_place_at_a_time() -> None:

    made = visits(World(date(2026, 11, 20), datetime(2026, 11, 20, tzinfo=UTC), {}))
    assert len(made) > 2000
    for who in ("customer", "room"):
        ordered = sorted(made, key=lambda visit: (getattr(visit, who), visit.starts_at))
        pairs = pairwise(ordered)
        assert not [each for each, after in pairs if getattr(each, who) == getattr(after, who) and each.ends_at > after.starts_at]
