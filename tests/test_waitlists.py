"""Waiting lists: what becomes free is kept for the next in line, for a while, and never sold twice."""

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import clock
from errors import AlreadyExists, ApiError, BadUserInput, Conflict, EventFull, NotFound, SlotTaken
from gateways.all import open_gateways
from models.bookings import Booking
from models.database import Database
from models.events import Event, Facilitator
from models.identity import Role, User
from models.keys import Key
from models.waitlists import WAITLIST_MOVES, WaitlistEntry, WaitlistStatus
from resolvers import appointments, bookings, event_changes, holds, scheduling, seats, waitlists
from resolvers.context import Context, Viewer
from resolvers.inputs.events import EventPatch
from resolvers.letters import spell_day, spell_hour
from resolvers.waitlist_mails import tell_about_offer
from settings import Settings
from tests.attending import make_event, make_facilitator
from tests.people import call
from tests.sql import sql, value
from tests.worlds import Spa, make_person, make_spa, soon

HOUR = timedelta(hours=1)
TAKEN = """
SELECT e.max_participants AS seats, e.current_participants AS counted,
  (SELECT coalesce(sum(b.seats), 0) FROM event_bookings b WHERE b.event_id = e.id AND b.released_at IS NULL) AS booked,
  (SELECT coalesce(sum(w.quantity), 0) FROM waitlist_entries w WHERE w.event_id = e.id AND w.status = 'offered') AS kept
FROM events e
"""


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def jane(database: Database) -> Facilitator:
    return await make_facilitator(database)


@pytest.fixture
def _later() -> Any:
    yield
    clock.set_ahead(0)


def by(ctx: Context, person: User, *roles: Role) -> Context:
    return dataclasses.replace(ctx, viewer=Viewer(person.id, frozenset(roles or (Role.CUSTOMER,))))


async def people(database: Database, ctx: Context, count: int) -> list[Context]:
    return [by(ctx, await make_person(database, f"person{number}")) for number in range(count)]


async def book(ctx: Context, event: Event, count: int = 1) -> Booking:
    booked = await call(seats.book_event, ctx, event_id=Key(number=event.id), seats=count)
    made: Booking = booked.booking
    return made


async def join(ctx: Context, event: Event, count: int = 1) -> WaitlistEntry:
    entry: WaitlistEntry = await call(waitlists.join_event_waitlist, ctx, event_id=Key(number=event.id), seats=count)
    return entry


async def cancel(ctx: Context, booking: Booking) -> None:
    await call(seats.cancel_event_booking, ctx, id=Key(number=booking.id))


async def standing(database: Database) -> list[str]:
    return [each["status"] for each in await sql(database, "SELECT status FROM waitlist_entries ORDER BY id")]


async def counted(database: Database) -> tuple[int, int, int]:
    [row] = await sql(database, TAKEN)
    assert row["counted"] == row["booked"] + row["kept"] <= row["seats"]
    return row["counted"], row["booked"], row["kept"]


async def test_a_freed_seat_is_kept_for_the_next_in_line_and_for_nobody_else(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=1)
    ann, bob, cid, passer_by = await people(database, world, 4)
    booking = await book(ann, event)
    await join(bob, event)
    await join(cid, event)
    await cancel(ann, booking)
    assert await standing(database) == ["offered", "waiting"]
    assert await counted(database) == (1, 0, 1)
    with pytest.raises(EventFull):
        await book(passer_by, event)
    with pytest.raises(EventFull):
        await book(cid, event)
    await book(bob, event)
    assert await standing(database) == ["taken", "waiting"]
    assert await counted(database) == (1, 1, 0)
    kinds = [each["kind"] for each in await sql(database, "SELECT kind FROM event_log WHERE kind LIKE 'waitlist.%' ORDER BY id")]
    assert kinds == ["waitlist.joined", "waitlist.joined", "waitlist.offered", "waitlist.taken"]


@pytest.mark.usefixtures("_later")
async def test_an_offer_that_nobody_takes_goes_to_the_next_and_in_the_end_to_everybody(
    world: Context, database: Database, jane: Facilitator
) -> None:
    event = await make_event(database, jane, seats=1)
    ann, bob, cid = await people(database, world, 3)
    booking = await book(ann, event)
    await join(bob, event)
    await join(cid, event)
    await cancel(ann, booking)
    await waitlists.expire_waitlist_offers(world)
    assert await standing(database) == ["offered", "waiting"], "not before its time"
    clock.set_ahead(60 * world.settings.waitlist_offer_minutes + 1)
    await waitlists.expire_waitlist_offers(world)
    assert await standing(database) == ["expired", "offered"]
    with pytest.raises(EventFull):
        await book(bob, event)
    clock.set_ahead(120 * world.settings.waitlist_offer_minutes + 2)
    await waitlists.expire_waitlist_offers(world)
    assert await standing(database) == ["expired", "expired"]
    assert await counted(database) == (0, 0, 0)
    await join_refused(bob, event)
    await book(bob, event)


async def join_refused(ctx: Context, event: Event) -> None:
    with pytest.raises(Conflict, match="There are seats left"):
        await join(ctx, event)


async def test_the_wish_for_more_seats_than_are_free_waits_while_others_are_served(
    world: Context, database: Database, jane: Facilitator
) -> None:
    event = await make_event(database, jane, seats=4)
    ann, bob, cid, dan = await people(database, world, 4)
    first, second = await book(ann, event), await book(bob, event, 3)
    await join(cid, event, 3)
    await join(dan, event, 1)
    await cancel(ann, first)
    assert await standing(database) == ["waiting", "offered"]
    await cancel(bob, second)
    assert await standing(database) == ["offered", "offered"]
    await book(cid, event, 2)
    assert await counted(database) == (3, 2, 1), "the third seat of the offer is free again"


async def test_leaving_passes_the_offer_on(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=1)
    ann, bob, cid = await people(database, world, 3)
    booking = await book(ann, event)
    mine, theirs = await join(bob, event), await join(cid, event)
    await cancel(ann, booking)
    with pytest.raises(NotFound):
        await call(waitlists.leave_waitlist, ann, id=Key(number=mine.id))
    await call(waitlists.leave_waitlist, bob, id=Key(number=mine.id))
    assert await standing(database) == ["left", "offered"]
    await call(waitlists.leave_waitlist, cid, id=Key(number=theirs.id))
    assert await counted(database) == (0, 0, 0)
    with pytest.raises(Conflict):
        await call(waitlists.leave_waitlist, cid, id=Key(number=theirs.id))


async def test_what_cannot_be_waited_for_is_refused(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=2)
    over = await make_event(database, jane, seats=1, starts_at=soon(-1))
    ann, bob = await people(database, world, 2)
    await join_refused(ann, event)
    await book(ann, event, 2)
    with pytest.raises(AlreadyExists, match="booked"):
        await join(ann, event)
    await join(bob, event)
    with pytest.raises(AlreadyExists, match="waiting"):
        await join(bob, event)
    for wrong in (0, 11, 3):
        with pytest.raises(BadUserInput):
            await join(ann, event, wrong)
    with pytest.raises(Conflict):
        await join(bob, over)
    with pytest.raises(NotFound):
        await call(waitlists.join_event_waitlist, bob, event_id=Key(number=999))


async def test_more_seats_are_offered_and_a_cancelled_event_closes_its_line(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=1)
    ann, bob, cid = await people(database, world, 3)
    await book(ann, event)
    await join(bob, event)
    await join(cid, event)
    staff = by(world, await make_person(database, "sue", Role.ADMIN), Role.ADMIN)
    await call(event_changes.update_event, staff, id=Key(number=event.id), patch=EventPatch(max_participants=2))
    assert await standing(database) == ["offered", "waiting"]
    await call(event_changes.cancel_event, staff, id=Key(number=event.id))
    assert await standing(database) == ["closed", "closed"]
    await waitlists.expire_waitlist_offers(world)
    assert await value(database, "SELECT current_participants FROM events") == 0


@pytest.mark.usefixtures("_later")
async def test_a_line_closes_when_its_event_begins(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=1)
    ann, bob = await people(database, world, 2)
    await book(ann, event)
    await join(bob, event)
    clock.set_ahead((event.starts_at - clock.now()).total_seconds() + 1)
    await waitlists.expire_waitlist_offers(world)
    assert await standing(database) == ["closed"]


async def test_everybody_sees_their_place_and_the_facilitator_the_line(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=1)
    ann, bob, cid = await people(database, world, 3)
    await book(ann, event)
    await join(bob, event)
    await join(cid, event)
    holder = dataclasses.replace(world, viewer=Viewer(jane.user_id, frozenset({Role.CUSTOMER, Role.FACILITATOR})))
    other = await make_facilitator(database, "joe")
    stranger = dataclasses.replace(world, viewer=Viewer(other.user_id, frozenset({Role.CUSTOMER, Role.FACILITATOR})))
    assert len(await world.fetch(waitlists.list_waitlist(holder, event_id=Key(number=event.id)))) == 2
    assert len(await world.fetch(waitlists.list_waitlist(stranger, event_id=Key(number=event.id)))) == 0
    assert len(await world.fetch(waitlists.list_my_waitlist(cid))) == 1


async def test_an_offer_is_told_once_with_the_hour_until_which_it_holds(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=1)
    ann, bob = await people(database, world, 2)
    booking = await book(ann, event)
    entry = await join(bob, event)
    await cancel(ann, booking)
    assert await value(database, "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'tell_about_offer'") == 1
    await tell_about_offer(world, entry.id)
    await tell_about_offer(world, entry.id)
    [told] = await sql(database, "SELECT * FROM notifications WHERE kind = 'waitlist_offered'")
    until = (await value(database, "SELECT offer_ends_at FROM waitlist_entries")).astimezone(ZoneInfo(event.time_zone))
    assert (told["user_id"], told["action_url"]) == (bob.viewer.id, f"/events/{event.id}")
    assert event.title in told["message"]
    assert f"until {spell_day(until.date())}, {spell_hour(until)}" in told["message"]


async def test_cancelling_and_offering_under_load_never_oversells(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=5)
    crowd = await people(database, world, 40)
    seen: list[str] = []

    async def come(ctx: Context) -> None:
        for _ in range(4):
            await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - spreads load
            try:
                await cancel(ctx, await book(ctx, event, random.choice((1, 1, 2))))  # noqa: S311 - spreads load
                seen.append("booked")
            except EventFull:
                try:
                    entry = await join(ctx, event)
                    if random.random() < 0.3:  # noqa: S311 - spreads load
                        await call(waitlists.leave_waitlist, ctx, id=Key(number=entry.id))
                except Conflict as refused:
                    seen.append(refused.code)
            except ApiError as refused:
                seen.append(refused.code)

    async def watch() -> None:
        while True:
            await counted(database)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*map(come, crowd))
    watching.cancel()
    [watched] = await asyncio.gather(watching, return_exceptions=True)
    assert isinstance(watched, asyncio.CancelledError), watched
    assert seen.count("booked") > 5
    total, booked, kept = await counted(database)
    assert booked == 0
    assert total == kept
    for ctx in crowd:
        if await value(database, "SELECT count(*) FROM waitlist_entries WHERE status = 'offered' AND user_id = $1", ctx.viewer.id):
            await book(ctx, event)
    assert (await counted(database))[2] == 0


async def test_of_a_crowd_that_comes_at_once_nobody_overtakes_the_line(world: Context, database: Database, jane: Facilitator) -> None:
    event = await make_event(database, jane, seats=20)
    crowd = await people(database, world, 120)
    made = await asyncio.gather(*[book(each, event) for each in crowd], return_exceptions=True)
    lucky = [(ctx, each) for ctx, each in zip(crowd, made, strict=True) if isinstance(each, Booking)]
    late = [ctx for ctx, each in zip(crowd, made, strict=True) if isinstance(each, EventFull)]
    assert (len(lucky), len(late)) == (20, 100)
    await asyncio.gather(*[join(each, event) for each in late[:30]])
    begun = asyncio.gather(*[book(each, event) for each in late[30:]], return_exceptions=True)
    await asyncio.gather(*[cancel(ctx, each) for ctx, each in lucky])
    refused = await begun
    assert all(isinstance(each, EventFull) for each in refused), "whoever comes by never overtakes the line"
    assert await counted(database) == (20, 0, 20)
    assert (await standing(database)).count("offered") == 20


# The spa ----------------------------------------------------------------------------------------------------------------------


async def take(ctx: Context, spa: Spa, *, hour: int = 14, room: int = 0, **more: Any) -> Booking:
    about: dict[str, Any] = {
        "service_id": Key(number=spa.service.id),
        "room_id": Key(number=spa.rooms[room].id),
        "starts_at": soon(7, hour),
    }
    booking: Booking = await call(appointments.book_appointment, ctx, **about, **more)
    return booking


async def wait_for(ctx: Context, spa: Spa, *, hour: int = 14, room: int | None = None) -> WaitlistEntry:
    about: dict[str, Any] = {} if room is None else {"room_id": Key(number=spa.rooms[room].id)}
    entry: WaitlistEntry = await call(
        waitlists.join_slot_waitlist, ctx, service_id=Key(number=spa.service.id), starts_at=soon(7, hour), **about
    )
    return entry


async def test_a_cancelled_appointment_is_held_for_who_waits_and_they_book_it(world: Context, database: Database) -> None:
    spa = await make_spa(database, rooms=1)
    ann, bob, cid = await people(database, world, 3)
    with pytest.raises(Conflict, match="free"):
        await wait_for(bob, spa)
    booking = await take(ann, spa)
    await wait_for(bob, spa)
    await wait_for(cid, spa, room=0)
    await call(bookings.cancel_booking, ann, id=Key(number=booking.id))
    assert await standing(database) == ["offered", "waiting"]
    with pytest.raises(SlotTaken):
        await take(ann, spa)
    [hold] = await world.fetch(holds.list_my_holds(bob))
    await take(bob, spa, hold_id=Key(number=hold["id"]))
    assert await standing(database) == ["taken", "waiting"]


@pytest.mark.usefixtures("_later")
async def test_a_held_time_is_passed_on_when_it_is_given_back_or_not_taken(world: Context, database: Database) -> None:
    spa = await make_spa(database, rooms=1)
    ann, bob, cid, dan = await people(database, world, 4)
    booking = await take(ann, spa)
    for each in (bob, cid, dan):
        await wait_for(each, spa)
    await call(bookings.cancel_booking, ann, id=Key(number=booking.id))
    [hold] = await world.fetch(holds.list_my_holds(bob))
    await call(holds.release_hold, bob, id=Key(number=hold["id"]))
    assert await standing(database) == ["left", "offered", "waiting"]
    clock.set_ahead(60 * world.settings.waitlist_offer_minutes + 1)
    await waitlists.expire_waitlist_offers(world)
    assert await standing(database) == ["left", "expired", "offered"]
    assert len(await world.fetch(holds.list_my_holds(dan))) == 1
    assert await world.fetch(holds.list_my_holds(cid)) == []


async def test_who_is_elsewhere_then_is_passed_over(world: Context, database: Database) -> None:
    spa = await make_spa(database, rooms=2)
    ann, bob, cid = await people(database, world, 3)
    booking = await take(ann, spa)
    await take(bob, spa, room=1)
    await wait_for(bob, spa, room=0)
    await wait_for(cid, spa)
    await call(bookings.cancel_booking, ann, id=Key(number=booking.id))
    assert await standing(database) == ["waiting", "offered"]


async def test_moving_an_appointment_frees_its_old_time_for_who_waits(world: Context, database: Database) -> None:
    spa = await make_spa(database, rooms=1)
    ann, bob = await people(database, world, 2)
    booking = await take(ann, spa)
    await wait_for(bob, spa)
    half = soon(7, 14) + timedelta(minutes=30)
    await call(bookings.reschedule_booking, ann, id=Key(number=booking.id), starts_at=half)
    assert await standing(database) == ["waiting"], "half of the time is of no use"
    await call(bookings.reschedule_booking, ann, id=Key(number=booking.id), starts_at=soon(7, 17))
    assert await standing(database) == ["offered"]


async def test_a_freed_time_at_the_spa_is_never_given_twice(world: Context, database: Database) -> None:
    spa = await make_spa(database, rooms=1)
    ann, *crowd = await people(database, world, 25)
    booking = await take(ann, spa)
    for each in crowd[:5]:
        await wait_for(each, spa)
    done = await asyncio.gather(
        call(bookings.cancel_booking, ann, id=Key(number=booking.id)), *[take(each, spa) for each in crowd[5:]], return_exceptions=True
    )
    assert [type(each) for each in done[1:]] == [SlotTaken] * 19
    assert (await standing(database)).count("offered") == 1
    assert await value(database, "SELECT count(*) FROM holds") == 1
    found = await call(scheduling.find_availability, ann, service_id=Key(number=spa.service.id), date=soon(7).date())
    assert [each for each in found.slots if each.starts_at == soon(7, 14)] == []


def test_every_status_that_is_over_stays_so() -> None:
    assert set(WAITLIST_MOVES) == {WaitlistStatus.WAITING, WaitlistStatus.OFFERED}
