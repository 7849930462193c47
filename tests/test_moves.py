"""Every edge between statuses, once: the allowed ones are gone, all others are refused, and of two that go at once one is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict
from models.base import Model
from models.bookings import BOOKING_MOVES, Booking, BookingKind, BookingStatus, PaymentStatus
from models.database import Database
from models.payments import PAYMENT_MOVES, REFUND_MOVES, Payment, Provider, Refund, RefundStatus
from models.rooms import COMMAND_MOVES, CommandStatus, Device, DeviceAction, DeviceCommand, DeviceType
from resolvers.moves import move
from tests.worlds import make_person, soon

Moves = Mapping[Any, set[Any]]
Make = Callable[[Database, StrEnum], Awaitable[Model]]


async def stored(database: Database, row: Model) -> Model:
    async with database.sessions.begin() as db:
        db.add(row)
    return row


async def booking(database: Database, status: StrEnum) -> Model:
    person, starts = await make_person(database), soon()
    made = Booking(
        kind=BookingKind.EVENT, customer_id=person.id, starts_at=starts, ends_at=starts + timedelta(hours=1), total_amount=Decimal(9)
    )
    made.status = BookingStatus(status)
    return await stored(database, made)


async def payment(database: Database, status: StrEnum) -> Model:
    person = await make_person(database)
    return await stored(database, Payment(user_id=person.id, provider=Provider.CASH, amount=Decimal(9), status=PaymentStatus(status)))


async def refund(database: Database, status: StrEnum) -> Model:
    paid = await payment(database, PaymentStatus.CHARGED)
    return await stored(database, Refund(payment_id=paid.id, amount=Decimal(9), status=RefundStatus(status)))


async def command(database: Database, status: StrEnum) -> Model:
    device = await stored(
        database, Device(name="Lamp", device_type=DeviceType.LIGHTING, zone="room", min_value=0, max_value=100, default_value=50)
    )
    order = DeviceCommand(device_id=device.id, action=DeviceAction.TURN_ON, value={"power": True}, previous_state={})
    order.status = CommandStatus(status)
    return await stored(database, order)


MACHINES: list[tuple[Make, type[StrEnum], Moves]] = [
    (booking, BookingStatus, BOOKING_MOVES),
    (payment, PaymentStatus, PAYMENT_MOVES),
    (refund, RefundStatus, REFUND_MOVES),
    (command, CommandStatus, COMMAND_MOVES),
]
EDGES = [
    pytest.param(make, before, after, moves, id=f"{make.__name__} {before} to {after}")
    for make, statuses, moves in MACHINES
    for before in statuses
    for after in statuses
]


async def status_of(database: Database, row: Model) -> Any:
    async with database.sessions() as db:
        return (await db.get_one(type(row), row.id)).status  # type: ignore[attr-defined]


@pytest.mark.parametrize(("make", "before", "after", "moves"), EDGES)
async def test_only_what_the_table_allows_is_done(database: Database, make: Make, before: StrEnum, after: StrEnum, moves: Moves) -> None:
    row = await make(database, before)
    is_allowed = after in moves.get(before, set())
    async with database.sessions.begin() as db:
        mine = await db.get_one(type(row), row.id)
        if is_allowed:
            await move(db, mine, after, moves)
            assert mine.status == after  # type: ignore[attr-defined]
        else:
            with pytest.raises(Conflict, match=f"{before} cannot become {after}"):
                await move(db, mine, after, moves)
    assert await status_of(database, row) == (after if is_allowed else before)


@pytest.mark.parametrize(("make", "statuses", "moves"), MACHINES, ids=lambda each: getattr(each, "__name__", ""))
def test_moves_name_each_status_they_know_and_lead_nowhere_else(make: Make, statuses: type[StrEnum], moves: Moves) -> None:
    assert {*moves, *(after for each in moves.values() for after in each)} == set(statuses)
    assert all(before not in after for before, after in moves.items())


async def test_whoever_looked_before_another_moved_is_refused(database: Database) -> None:
    row = await booking(database, BookingStatus.PENDING)
    async with database.sessions() as db:
        late = await db.get_one(Booking, row.id)
        async with database.sessions.begin() as other:
            await other.execute(update(Booking).where(Booking.id == row.id).values(status=BookingStatus.CANCELLED))
        with pytest.raises(Conflict):
            await move(db, late, BookingStatus.CONFIRMED, BOOKING_MOVES)
    assert await status_of(database, row) == BookingStatus.CANCELLED


async def test_of_many_that_move_at_once_one_does(database: Database) -> None:
    row = await booking(database, BookingStatus.CONFIRMED)
    looked = asyncio.Barrier(6)

    async def go(db: AsyncSession, to: BookingStatus) -> None:
        async with db.begin():
            mine = await db.get_one(Booking, row.id)
            await looked.wait()
            await move(db, mine, to, BOOKING_MOVES)

    goals = [BookingStatus.COMPLETED, BookingStatus.CANCELLED] * 3
    sessions = [database.sessions() for _ in goals]
    ends = await asyncio.gather(*map(go, sessions, goals), return_exceptions=True)
    await asyncio.gather(*(each.close() for each in sessions))
    assert sorted(type(end).__name__ for end in ends) == ["Conflict"] * 5 + ["NoneType"]
    assert await status_of(database, row) == goals[ends.index(None)]
