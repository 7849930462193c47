"""Booking, moving and cancelling appointments, and who wins when many want the same hour."""

import asyncio
import dataclasses
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.execute import Engine
from errors import BadUserInput, Conflict, IdempotencyKeyReused, NotFound, SlotTaken, Unavailable
from gateways.all import open_gateways
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.memberships import MembershipCredit
from models.payments import Refund
from models.scheduling import Reservation
from resolvers import appointments, bookings, holds, scheduling
from resolvers.context import Context, Viewer
from resolvers.operations import perform
from resolvers.refunds import finish_refund
from settings import Settings
from tests.paying import begin, confirm
from tests.sql import sql
from tests.worlds import Spa, make_member, make_person, make_spa, soon


def by(ctx: Context, person: User, *roles: Role) -> Context:
    return dataclasses.replace(ctx, viewer=Viewer(person.id, frozenset(roles or (Role.CUSTOMER,))))


async def book(ctx: Context, spa: Spa, *, key: str | None = None, **more: Any) -> Booking:
    arguments: dict[str, Any] = {
        "service_id": Key(number=spa.service.id),
        "starts_at": soon(),
        "room_id": Key(number=spa.rooms[0].id),
        **more,
    }
    made: Booking = await perform(appointments.book_appointment, ctx, arguments, key=key)
    return made


async def test_a_booking_under_a_key_is_told_to_come_back_while_all_connections_are_taken(database_url: str, settings: Settings) -> None:
    crowded = settings.model_copy(update={"database_pool": 2, "pool_timeout": 0.1})
    async with Database(database_url, crowded) as database, open_gateways(crowded, database) as gateways:
        spa, ann = await make_spa(database), await make_person(database)
        async with database.reading(), database.reading():
            with pytest.raises(Unavailable):
                await book(by(Context(crowded, database, gateways), ann), spa, key="once")


async def count(database: Database, table: Any) -> int:
    async with database.sessions() as db:
        return (await db.scalars(select(func.count()).select_from(table))).one()


async def test_a_booking_has_its_price_reference_and_reservations(world: Context, database: Database, spa: Spa) -> None:
    ann = await make_person(database)
    made = await book(by(world, ann), spa, addon_ids=[Key(number=each.id) for each in spa.addons], programme="deep_relaxation")
    async with database.sessions() as db:
        stored = await db.get_one(Booking, made.id)
        taken = (await db.scalars(select(Reservation).where(Reservation.booking_id == made.id))).all()
    assert (stored.total_amount, stored.status) == (Decimal("275.50"), BookingStatus.PENDING)
    assert stored.reference == f"CS-{stored.created_at.year}-{stored.id}"
    assert {each.resource_id for each in taken} == {spa.rooms[0].resource_id, ann.resource_id}


async def test_members_pay_the_member_price_and_less_for_addons(world: Context, database: Database, spa: Spa) -> None:
    ann = await make_person(database)
    await make_member(database, ann)
    made = await book(by(world, ann), spa, addon_ids=[Key(number=spa.addons[0].id)])
    assert made.total_amount == Decimal("190.00")


async def test_a_credit_pays_for_the_service_until_none_is_left_and_comes_back_on_cancelling(
    world: Context, database: Database, spa: Spa
) -> None:
    ann = await make_person(database)
    await make_member(database, ann, credits=1)
    first = await book(by(world, ann), spa)
    second = await book(by(world, ann), spa, starts_at=soon() + timedelta(hours=2))
    assert (first.total_amount, first.status, second.total_amount) == (Decimal(0), BookingStatus.CONFIRMED, Decimal("150.00"))
    await perform(bookings.cancel_booking, by(world, ann), {"id": Key(number=first.id)})
    async with database.sessions() as db:
        assert (await db.scalars(select(MembershipCredit.used))).all() == [0]


async def test_two_hundred_people_want_one_slot_and_one_gets_it(world: Context, database: Database, spa: Spa) -> None:
    people = [await make_person(database, f"p{number}") for number in range(200)]
    outcomes = await asyncio.gather(*[book(by(world, each), spa) for each in people], return_exceptions=True)
    won = [each for each in outcomes if isinstance(each, Booking)]
    lost = [each for each in outcomes if isinstance(each, SlotTaken)]
    assert (len(won), len(lost)) == (1, 199), [each for each in outcomes if not isinstance(each, Booking | SlotTaken)][:3]
    assert all(len(each.details["next_slots"]) == 3 for each in lost)  # type: ignore[arg-type]
    assert await count(database, Booking) == 1


async def test_one_person_cannot_be_in_two_rooms_whatever_the_order(world: Context, database: Database, spa: Spa) -> None:
    ann = await make_person(database)
    attempts = [book(by(world, ann), spa, room_id=Key(number=spa.rooms[number % 2].id)) for number in range(40)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(each, Booking) for each in outcomes) == 1
    assert sum(isinstance(each, SlotTaken) for each in outcomes) == 39


async def test_without_a_room_every_room_is_used_before_anybody_is_refused(world: Context, database: Database, spa: Spa) -> None:
    people = [await make_person(database, f"p{number}") for number in range(10)]
    outcomes = await asyncio.gather(*[book(by(world, each), spa, room_id=None) for each in people], return_exceptions=True)
    assert sum(isinstance(each, Booking) for each in outcomes) == 2
    assert sum(isinstance(each, SlotTaken) for each in outcomes) == 8


async def test_a_cancelled_slot_is_free_again(world: Context, database: Database, spa: Spa) -> None:
    ann, bob = await make_person(database), await make_person(database, "bob")
    made = await book(by(world, ann), spa)
    await perform(bookings.cancel_booking, by(world, ann), {"id": Key(number=made.id), "reason": "Ill"})
    assert (await book(by(world, bob), spa)).id != made.id
    with pytest.raises(Conflict):
        await perform(bookings.cancel_booking, by(world, ann), {"id": Key(number=made.id)})


async def test_a_paid_appointment_that_is_cancelled_gives_the_money_back(world: Context, database: Database, spa: Spa) -> None:
    ann = by(world, await make_person(database))
    made = await book(ann, spa)
    await confirm(ann, (await begin(ann, made)).payment_intent_id)
    cancelled = await perform(bookings.cancel_booking, ann, {"id": Key(number=made.id)})
    [refund] = await world.fetch(select(Refund.id, Refund.amount))
    await finish_refund(world, refund["id"])
    async with database.sessions() as db:
        stored = await db.get_one(Booking, cancelled.id)
    assert refund["amount"] == Decimal("200.00")
    assert (stored.status, stored.payment_status) == (BookingStatus.CANCELLED, PaymentStatus.REFUNDED)


async def test_rescheduling_frees_the_old_slot_and_takes_the_new_one(world: Context, database: Database, spa: Spa) -> None:
    ann, bob = await make_person(database), await make_person(database, "bob")
    made = await book(by(world, ann), spa)
    later = soon() + timedelta(hours=3)
    moved = await perform(bookings.reschedule_booking, by(world, ann), {"id": Key(number=made.id), "starts_at": later})
    assert (moved.starts_at, moved.ends_at) == (later, later + timedelta(hours=1))
    other = await book(by(world, bob), spa)
    with pytest.raises(SlotTaken) as lost:
        await perform(bookings.reschedule_booking, by(world, bob), {"id": Key(number=other.id), "starts_at": later})
    assert lost.value.details["next_slots"]


async def test_a_stranger_can_neither_see_move_nor_cancel_my_booking(world: Context, database: Database, spa: Spa) -> None:
    made = await book(by(world, await make_person(database)), spa)
    bob = by(world, await make_person(database, "bob"))
    for operation, more in ((bookings.cancel_booking, {}), (bookings.reschedule_booking, {"starts_at": soon() + timedelta(hours=1)})):
        with pytest.raises(NotFound):
            await perform(operation, bob, {"id": Key(number=made.id), **more})
    assert await bob.fetch(bookings.get_booking(bob, id=Key(number=made.id))) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"starts_at": soon(-1)}, "start_time"),
        ({"starts_at": soon(7, 3)}, "start_time"),
        ({"starts_at": soon(400)}, "date"),
        ({"addon_ids": [Key(number=999)]}, "addon_ids"),
        ({"programme": "no such"}, "programme"),
        ({"scene": "no such"}, "scene"),
        ({"room_id": Key(number=999)}, "room_id"),
        ({"starts_at": None}, "date"),
    ],
)
async def test_nonsense_is_refused_and_leaves_nothing(
    world: Context, database: Database, spa: Spa, wrong: dict[str, Any], field: str
) -> None:
    ann = await make_person(database)
    with pytest.raises(BadUserInput) as refused:
        await book(by(world, ann), spa, **wrong)
    assert field in refused.value.fields
    assert await count(database, Booking) == 0


async def test_a_held_slot_is_kept_for_its_holder_until_it_expires(world: Context, database: Database, spa: Spa) -> None:
    ann, bob = by(world, await make_person(database)), by(world, await make_person(database, "bob"))
    wanted = {"service_id": Key(number=spa.service.id), "room_id": Key(number=spa.rooms[0].id), "starts_at": soon()}
    hold = await perform(holds.hold_slot, ann, wanted)
    with pytest.raises(SlotTaken):
        await book(bob, spa)
    made = await book(ann, spa, hold_id=Key(number=hold.id))
    assert made.starts_at == hold.starts_at
    second = await perform(holds.hold_slot, ann, {**wanted, "starts_at": soon() + timedelta(hours=2)})
    async with database.sessions.begin() as db:
        (await db.get_one(type(second), second.id)).expires_at = world.now() - timedelta(seconds=1)
    assert (await book(bob, spa, starts_at=second.starts_at)).customer_id == bob.viewer.id


async def test_free_slots_leave_out_what_is_taken_and_what_only_priority_members_see(world: Context, database: Database, spa: Spa) -> None:
    ann = by(world, await make_person(database))
    day = soon().date()
    arguments = {"service_id": Key(number=spa.service.id), "date": day, "room_id": Key(number=spa.rooms[0].id)}
    before = await perform(scheduling.find_availability, ann, arguments)
    await book(ann, spa)
    after = await perform(scheduling.find_availability, ann, arguments)
    gone = {each.start_time.isoformat("minutes") for each in before.slots} - {each.start_time.isoformat("minutes") for each in after.slots}
    assert gone == {"13:30", "14:00", "14:30"}
    assert not any(each.is_priority for each in after.slots)
    await make_member(database, await _person(database, ann.viewer.id), priority=True)
    shown = {
        each.start_time.isoformat("minutes")
        for each in (await perform(scheduling.find_availability, ann, arguments)).slots
        if each.is_priority
    }
    assert shown == {"09:00", "09:30", "12:00", "12:30"}


async def _person(database: Database, number: int) -> User:
    async with database.sessions() as db:
        return await db.get_one(User, number)


async def test_a_key_books_once_even_when_two_requests_race(world: Context, database: Database, spa: Spa) -> None:
    ann = by(world, await make_person(database))
    made = await asyncio.gather(*[book(ann, spa, key="once") for _ in range(10)])
    assert len({each.id for each in made}) == 1
    assert await count(database, Booking) == 1
    with pytest.raises(IdempotencyKeyReused):
        await book(ann, spa, key="once", starts_at=soon() + timedelta(hours=4))


async def test_a_repeat_after_a_cancellation_does_not_book_again(world: Context, database: Database, spa: Spa) -> None:
    ann = by(world, await make_person(database))
    made = await book(ann, spa, key="once")
    await perform(bookings.cancel_booking, ann, {"id": Key(number=made.id)})
    assert (await book(ann, spa, key="once")).id == made.id
    assert await count(database, Booking) == 1
    assert await count(database, Reservation) == 0


async def test_a_booking_takes_one_statement_to_ask_and_one_to_write(world: Context, database: Database, spa: Spa) -> None:
    ann = by(world, await make_person(database))
    statements: list[str] = []
    made = await book(_counting(ann, statements), spa)
    assert [each.lstrip()[:11] for each in statements] == ["SELECT next", "WITH part_0"]
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    changes = await sql(
        database, "SELECT table_name, actor_id, request_id FROM history WHERE row_id = $1 AND table_name = 'bookings'", made.id
    )
    assert [tuple(each) for each in changes] == [("bookings", ann.viewer.id, ann.request_id)]


async def test_booking_and_cancelling_at_the_same_time_never_lose_a_credit(world: Context, database: Database, spa: Spa) -> None:
    ann = await make_person(database)
    await make_member(database, ann, credits=1)
    for _ in range(5):
        made = await book(by(world, ann), spa)
        taken = asyncio.create_task(book(by(world, ann), spa, starts_at=soon() + timedelta(hours=4)))
        again = asyncio.create_task(book(by(world, ann), spa))
        await perform(bookings.cancel_booking, by(world, ann), {"id": Key(number=made.id)})
        for each in await asyncio.gather(taken, again, return_exceptions=True):
            if isinstance(each, Booking):
                await perform(bookings.cancel_booking, by(world, ann), {"id": Key(number=each.id)})
            else:
                assert isinstance(each, SlotTaken)
        assert [each["used"] for each in await sql(database, "SELECT used FROM membership_credits")] == [0]


async def test_a_page_of_bookings_with_its_addons_costs_one_statement(
    world: Context, database: Database, spa: Spa, settings: Settings
) -> None:
    ann = by(world, await make_person(database))
    for hour in range(5):
        await book(ann, spa, starts_at=soon(7, 10 + 2 * hour), addon_ids=[Key(number=spa.addons[0].id)])
    document = """{ myBookings(first: 3) { nodes {
      id reference status startsAt date startTime canCancel service { name category { name } ... on SpaService { memberPrice } }
      addons { name price } ... on Appointment { room { name } programme { name } }
    } pageInfo { hasNextPage endCursor } } }"""
    statements: list[str] = []
    counted = _counting(ann, statements)
    answer = await Engine(settings).run(document, counted)
    assert not answer.errors, answer.errors
    assert answer.data is not None
    nodes = answer.data["myBookings"]["nodes"]
    assert [each["addons"][0]["name"] for each in nodes] == ["LED Light Therapy"] * 3
    assert nodes[0]["startTime"] == "18:00"
    assert nodes[0]["canCancel"] is True
    assert len(statements) == 1, statements


def _counting(ctx: Context, statements: list[str]) -> Context:
    class Counting(Database):
        async def run(self, text: str, arguments: list[Any]) -> Any:
            if "limit_counters" not in text:
                statements.append(text)
            return await ctx.database.run(text, arguments)

    counting = object.__new__(Counting)
    counting.__dict__ |= ctx.database.__dict__
    return dataclasses.replace(ctx, database=counting)
