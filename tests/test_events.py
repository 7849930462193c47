"""Booking seats at events, and what happens when many want the last ones."""

import asyncio
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import httpx2
import pytest
from sqlalchemy import func, select

import clock
from engine.execute import Engine
from errors import AlreadyExists, ApiError, BadUserInput, Conflict, EventFull, Forbidden, NotFound, SlotTaken
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.database import Database
from models.events import Event, EventBooking, EventStatus
from models.identity import Role, Session, User, UserRole
from models.keys import Key
from models.notifications import Notification
from models.scheduling import Reservation, Resource, ResourceKind
from resolvers.context import Context
from resolvers.event_changes import cancel_event, create_event, update_event
from resolvers.event_completion import complete_events
from resolvers.event_mails import tell_about_event
from resolvers.facilitators import create_facilitator, update_facilitator
from resolvers.inputs.events import EventInput, EventPatch
from resolvers.letters import spell_day, spell_hour
from resolvers.operations import perform
from resolvers.seats import _offer, _take, book_event, cancel_event_booking
from resolvers.tokens import Use, issue
from settings import Settings
from tests.gatherings import as_facilitator, book, make_event, make_facilitator
from tests.paying import announced, begin, by, confirm, queued
from tests.people import call
from tests.sql import sql, value
from tests.worlds import Spa, make_person, make_spa, soon

CROWD, SEATS = 500, 20
HELD = "SELECT coalesce(sum(seats), 0) FROM event_bookings WHERE event_id = $1 AND released_at IS NULL"


async def stored(database: Database, event: Event) -> Event:
    async with database.sessions() as db:
        return await db.get_one(Event, event.id)


async def told(ctx: Context, person: User | None = None) -> list[Notification]:
    """What people find in the app once the waiting jobs have run."""
    for name, payload in await sql(ctx.database, "SELECT entrypoint, convert_from(payload, 'UTF8')::jsonb FROM pgqueuer ORDER BY id"):
        if name == "tell_about_event":
            await tell_about_event(ctx, **payload)
    found = select(Notification).order_by(Notification.id)
    async with ctx.database.sessions() as db:
        return list(await db.scalars(found.where(Notification.user_id == person.id) if person else found))


async def crowd(database: Database, settings: Settings, size: int) -> list[str]:
    """Access tokens of many people."""
    async with database.sessions.begin() as db:
        resources = [Resource(kind=ResourceKind.PERSON) for _ in range(size)]
        db.add_all(resources)
        await db.flush()
        people = [User(email=f"crowd{number}@example.com", resource_id=each.id) for number, each in enumerate(resources)]
        db.add_all(people)
        await db.flush()
        tokens = []
        for each in people:
            family = uuid4()
            fresh = issue(settings, Use.REFRESH, each.id, family)
            db.add_all([
                UserRole(user_id=each.id, role=Role.CUSTOMER),
                Session(family=family, user_id=each.id, refresh_jti=fresh.jti, expires_at=fresh.ends_at),
            ])  # fmt: skip
            tokens.append(issue(settings, Use.ACCESS, each.id, family).text)
    return tokens


async def test_five_hundred_people_at_the_door_take_exactly_the_twenty_seats(
    client: httpx2.AsyncClient, world: Context, database: Database, settings: Settings
) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user, max_participants=SEATS)
    tokens = await crowd(database, settings, CROWD)

    async def want(token: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await client.post("/events/api/bookings/", json={"event_id": event.id}, headers=headers, timeout=60)

    answers = await asyncio.gather(*map(want, tokens))
    assert Counter(each.status_code for each in answers) == {201: SEATS, 409: CROWD - SEATS}
    assert {each.json()["error"] for each in answers if each.status_code == 409} == {"This event is full."}
    assert (await stored(database, event)).current_participants == SEATS == await value(database, HELD, event.id)


async def test_seats_are_never_oversold_past_the_queue_of_one_process(world: Context, database: Database) -> None:
    """Two engines on one database do not share the turns of a process; the update alone decides."""
    user, _ = await make_facilitator(database)
    event = await make_event(world, user, max_participants=3)
    people = [await make_person(database, f"person{number}") for number in range(12)]

    async def take(person: User) -> Booking | ApiError:
        ctx = by(world, person)
        try:
            return (await _take(ctx, await _offer(ctx, Key(number=event.id)), None, 1)).booking
        except ApiError as refusal:
            return refusal

    done = await asyncio.gather(*map(take, people))
    assert Counter(type(each) for each in done) == {Booking: 3, EventFull: 9}
    assert await value(database, HELD, event.id) == 3


async def test_cancelling_while_others_book_never_oversells(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user, max_participants=4)
    people = [await make_person(database, f"person{number}") for number in range(16)]
    held = [await book(world, each, event) for each in people[:4]]

    async def leave(person: User, booking: Booking) -> None:
        await call(cancel_event_booking, by(world, person), id=Key(number=booking.id))

    async def want(person: User) -> bool:
        try:
            await book(world, person, event)
        except EventFull:
            return False
        return True

    leaving = [leave(person, booking) for person, booking in zip(people, held, strict=False)]
    done = await asyncio.gather(*leaving, *map(want, people[4:]))
    now = await stored(database, event)
    assert now.current_participants == await value(database, HELD, event.id) == sum(each is True for each in done)
    assert now.current_participants <= 4


async def test_a_booking_holds_seats_time_price_and_facts(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user)
    made = await book(world, ann, event, notes="Looking forward to this session", seats=2)
    assert (made.status, made.payment_status, made.total_amount) == (BookingStatus.CONFIRMED, PaymentStatus.PENDING, Decimal(50))
    assert (made.starts_at, made.special_requests) == (event.starts_at, "Looking forward to this session")
    assert (await stored(database, event)).current_participants == 2
    async with database.sessions() as db:
        taken = select(func.count(Reservation.id)).where(Reservation.booking_id == made.id, Reservation.resource_id == ann.resource_id)
        assert await db.scalar(taken) == 1
    assert await announced(database) == ["event.created", "booking.confirmed", "event.booked", "crm.received"]
    [news] = await told(world, ann)
    local = event.starts_at.astimezone(ZoneInfo("America/New_York"))
    assert news.title == "Event booked"
    assert news.message == f"You are booked for {event.title} on {spell_day(local.date())} at {spell_hour(local)}."
    assert len(await told(world, ann)) == 1


async def test_the_same_event_twice_is_refused_and_so_is_another_one_at_that_time(world: Context, database: Database, ann: User) -> None:
    jane, _ = await make_facilitator(database)
    mara, _ = await make_facilitator(database, "mara")
    event = await make_event(world, jane)
    overlapping = await make_event(world, mara, event.starts_at + timedelta(minutes=30))
    following = await make_event(world, mara, event.starts_at + timedelta(hours=3))
    await book(world, ann, event)
    with pytest.raises(AlreadyExists):
        await book(world, ann, event)
    with pytest.raises(SlotTaken):
        await book(world, ann, overlapping)
    await book(world, ann, following)
    assert (await stored(database, overlapping)).current_participants == 0


async def test_one_person_who_books_many_times_at_once_is_seated_once(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user)
    done = await asyncio.gather(*(book(world, ann, event) for _ in range(8)), return_exceptions=True)
    assert Counter(isinstance(each, Booking) for each in done) == {True: 1, False: 7}
    assert all(isinstance(each, Booking | Conflict) for each in done)
    assert (await stored(database, event)).current_participants == 1


async def test_what_is_past_cancelled_or_too_much_cannot_be_booked(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user, max_participants=3)
    with pytest.raises(EventFull):
        await book(world, ann, event, seats=4)
    with pytest.raises(BadUserInput):
        await book(world, ann, event, seats=0)
    with pytest.raises(NotFound):
        await call(book_event, by(world, ann), event_id=Key(number=999))
    await call(cancel_event, as_facilitator(world, user), id=Key(number=event.id))
    with pytest.raises(Conflict):
        await book(world, ann, event)
    begun = await make_event(world, user, soon(3))
    clock.set_ahead(timedelta(days=4).total_seconds())
    try:
        with pytest.raises(BadUserInput):
            await book(world, ann, begun)
    finally:
        clock.set_ahead(0)


async def test_a_repeat_under_the_same_key_books_once(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user)
    arguments = {"event_id": Key[Event](number=event.id)}
    first, again = [await perform(book_event, by(world, ann), arguments, key="once") for _ in range(2)]
    assert first.booking.id == again.booking.id
    assert (await stored(database, event)).current_participants == 1


async def test_cancelling_frees_seat_and_time_and_gives_money_back(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user, max_participants=1)
    made = await book(world, ann, event)
    begun = await begin(by(world, ann), made)
    await confirm(by(world, ann), begun.payment_intent_id)
    bob = await make_person(database, "bob")
    with pytest.raises(EventFull):
        await book(world, bob, event)
    with pytest.raises(NotFound):
        await call(cancel_event_booking, by(world, bob), id=Key(number=made.id))
    gone = await call(cancel_event_booking, by(world, ann), id=Key(number=made.id), reason="Caught a cold")
    assert (gone.status, gone.cancel_reason) == (BookingStatus.CANCELLED, "Caught a cold")
    assert "finish_refund" in await queued(database)
    with pytest.raises(Conflict):
        await call(cancel_event_booking, by(world, ann), id=Key(number=made.id))
    await book(world, bob, event)
    left, taken = ["booking.cancelled", "event.booking_cancelled", "crm.changed"], ["booking.confirmed", "event.booked", "crm.received"]
    assert (await announced(database))[-6:] == [*left, *taken]


async def test_a_moved_event_moves_everybody_and_tells_them(world: Context, database: Database, ann: User) -> None:
    jane, _ = await make_facilitator(database)
    mara, _ = await make_facilitator(database, "mara")
    bob = await make_person(database, "bob")
    event = await make_event(world, jane)
    later = await make_event(world, mara, event.starts_at + timedelta(hours=2))
    hers, _his, _ = await book(world, ann, event), await book(world, bob, event), await book(world, bob, later)
    patch = EventPatch(starts_at=later.starts_at, title="Evening Meditation")
    moved = await call(update_event, as_facilitator(world, jane), id=Key(number=event.id), patch=patch)
    assert (moved.starts_at, moved.ends_at - moved.starts_at, moved.changes) == (later.starts_at, timedelta(hours=1), 1)
    async with database.sessions() as db:
        assert (await db.get_one(Booking, hers.id)).starts_at == later.starts_at
        taken = select(func.count(Reservation.id)).where(Reservation.resource_id == ann.resource_id)
        assert await db.scalar(taken.where(func.lower(Reservation.during) == later.starts_at)) == 1
    assert {each.user_id for each in await told(world) if each.title == "Event changed"} == {ann.id, bob.id}
    clashes = "SELECT (convert_from(payload, 'UTF8')::jsonb #>> '{facts,overlaps}') FROM pgqueuer WHERE entrypoint = 'send_notification'"
    assert Counter(each[0] for each in await sql(database, clashes)) == {
        "false": 3,
        "true": 2,
    }  # bob's earlier letter tells what is true by now
    assert "event.changed" in await announced(database)


async def test_more_seats_and_another_price_are_told_to_nobody(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user)
    await book(world, ann, event)
    patch = EventPatch(max_participants=30)
    await call(update_event, as_facilitator(world, user), id=Key(number=event.id), patch=patch)
    assert [each.title for each in await told(world)] == ["Event booked"]
    await book(world, await make_person(database, "bob"), event)
    with pytest.raises(Conflict):
        await call(update_event, as_facilitator(world, user), id=Key(number=event.id), patch=EventPatch(max_participants=1))


async def test_a_cancelled_event_ends_all_its_bookings_and_tells_everybody(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user)
    bob = await make_person(database, "bob")
    paid, free = await book(world, ann, event), await book(world, bob, event)
    await confirm(by(world, ann), (await begin(by(world, ann), paid)).payment_intent_id)
    gone = await call(cancel_event, as_facilitator(world, user), id=Key(number=event.id), reason="The teacher is ill")
    assert (gone.status, gone.current_participants) == (EventStatus.CANCELLED, 0)
    async with database.sessions() as db:
        assert {(await db.get_one(Booking, each.id)).status for each in (paid, free)} == {BookingStatus.CANCELLED}
        assert await db.scalar(select(func.count(Reservation.id))) == 0
        assert await db.scalar(select(func.count(EventBooking.id)).where(EventBooking.released_at.is_(None))) == 0
    assert (await queued(database)).count("finish_refund") == 1
    assert {each.user_id for each in await told(world) if each.title == "Event cancelled"} == {ann.id, bob.id}
    assert (await announced(database)).count("event.booking_cancelled") == 2


async def test_an_event_of_hundreds_is_moved_and_called_off_within_one_short_transaction(
    world: Context, database: Database, settings: Settings
) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user, max_participants=CROWD)
    await crowd(database, settings, CROWD)
    await sql(
        database,
        """
        WITH made AS (
          INSERT INTO bookings (uuid, kind, customer_id, status, payment_status, starts_at, ends_at, total_amount, currency)
          SELECT gen_random_uuid(), 'event', users.id, 'confirmed', 'pending', $2, $3, 25, 'USD' FROM users WHERE email LIKE 'crowd%'
          RETURNING id, customer_id
        ), seated AS (INSERT INTO event_bookings (booking_id, event_id, customer_id) SELECT id, $1, customer_id FROM made)
        INSERT INTO reservations (resource_id, during, booking_id)
        SELECT resource_id, tstzrange($2, $3), made.id FROM made JOIN users ON users.id = customer_id
        """,
        event.id,
        event.starts_at,
        event.ends_at,
    )
    await sql(database, "UPDATE events SET current_participants = $1", CROWD)
    ctx, later = as_facilitator(world, user), event.starts_at + timedelta(hours=3)
    await call(update_event, ctx, id=Key(number=event.id), patch=EventPatch(starts_at=later))
    at_once = "SELECT count(*) FROM reservations WHERE booking_id IS NOT NULL AND lower(during) = $1"
    assert await value(database, at_once, later) == CROWD
    await call(cancel_event, ctx, id=Key(number=event.id))
    assert await value(database, "SELECT count(*) FROM bookings WHERE status = 'cancelled'") == CROWD
    assert await value(database, "SELECT count(*) FROM reservations") == 0
    jobs = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'tell_about_event'"
    assert await value(database, jobs) == 2


async def test_facilitators_change_only_their_own_events_and_the_staff_any(world: Context, database: Database, ann: User) -> None:
    jane, facilitator = await make_facilitator(database)
    mara, _ = await make_facilitator(database, "mara")
    event = await make_event(world, jane)
    patch = EventPatch(title="Mine now")
    with pytest.raises(NotFound):
        await call(update_event, as_facilitator(world, mara), id=Key(number=event.id), patch=patch)
    with pytest.raises(Forbidden):
        await call(update_event, by(world, ann), id=Key(number=event.id), patch=patch)
    with pytest.raises(Forbidden):
        await make_event(world, mara, soon(9), facilitator_id=str(facilitator.id))
    changed = await call(update_event, by(world, ann, Role.ADMIN), id=Key(number=event.id), patch=patch)
    assert changed.title == "Mine now"


async def test_a_facilitator_and_a_room_are_in_one_place_at_a_time(world: Context, database: Database) -> None:
    spa: Spa = await make_spa(database, rooms=1)
    jane, _ = await make_facilitator(database)
    mara, _ = await make_facilitator(database, "mara")
    event = await make_event(world, jane, room_id=str(spa.rooms[0].id))
    with pytest.raises(SlotTaken):
        await make_event(world, jane, event.starts_at + timedelta(minutes=59))
    with pytest.raises(SlotTaken):
        await make_event(world, mara, event.starts_at, room_id=str(spa.rooms[0].id))
    await make_event(world, mara, event.starts_at)
    await make_event(world, jane, event.ends_at, room_id=str(spa.rooms[0].id))


@pytest.mark.parametrize(
    ("field", "about"),
    [
        ("title", {"title": "  "}),
        ("max_participants", {"max_participants": 0}),
        ("virtual_link", {"virtual_link": "javascript:alert(1)"}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("currency", {"currency": "dollars"}),
        ("room_id", {"room_id": "77"}),
        ("recurrence", {"recurrence": "FREQ=SECONDLY"}),
    ],
)
async def test_a_wrong_event_is_refused_by_its_field(world: Context, database: Database, field: str, about: dict[str, Any]) -> None:
    user, _ = await make_facilitator(database)
    with pytest.raises(BadUserInput) as refusal:
        await make_event(world, user, **about)
    assert field in refusal.value.fields


async def test_times_are_checked(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    for starts, minutes in ((soon(-1), 60), (soon(500), 60), (soon(), 0), (soon(), 100 * 24 * 60)):
        wanted = EventInput(title="Odd", starts_at=starts, ends_at=starts + timedelta(minutes=minutes), max_participants=5)
        with pytest.raises(BadUserInput):
            await call(create_event, as_facilitator(world, user), input=wanted)


async def test_what_is_over_is_completed_with_its_bookings(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user, soon(2))
    made = await book(world, ann, event)
    clock.set_ahead(timedelta(days=3).total_seconds())
    try:
        await complete_events(world)
        await complete_events(world)
    finally:
        clock.set_ahead(0)
    assert (await stored(database, event)).status is EventStatus.COMPLETED
    async with database.sessions() as db:
        assert (await db.get_one(Booking, made.id)).status is BookingStatus.COMPLETED
    assert (await announced(database)).count("event.completed") == 1


async def test_staff_makes_facilitators_and_these_describe_themselves(world: Context, database: Database, ann: User) -> None:
    bob = await make_person(database, "bob", Role.ADMIN)
    made = await call(create_facilitator, by(world, bob, Role.ADMIN), user_id=Key(number=ann.id))
    again = await call(create_facilitator, by(world, bob, Role.ADMIN), user_id=Key(number=ann.id))
    assert made.id == again.id
    told = await call(update_facilitator, as_facilitator(world, ann), id=Key(number=made.id), bio="Breathes")
    assert told.bio == "Breathes"
    with pytest.raises(Forbidden):
        await call(update_facilitator, as_facilitator(world, ann), id=Key(number=made.id), is_active=False)
    mara, _ = await make_facilitator(database, "mara")
    with pytest.raises(NotFound):
        await call(update_facilitator, as_facilitator(world, mara), id=Key(number=made.id), bio="Not mine")


async def test_a_page_of_events_costs_one_statement_however_many_there_are(
    world: Context, database: Database, ann: User, settings: Settings
) -> None:
    user, _ = await make_facilitator(database)
    for number in range(5):
        await make_event(world, user, soon(3 + number))
    found = await Engine(settings).run(
        "{ events(first: 10) { nodes { number title facilitator { name } room { name } } } }", by(world, ann)
    )
    assert found.data is not None
    assert [each["facilitator"]["name"] for each in found.data["events"]["nodes"]] == ["Jane"] * 5
    assert len(found.data["events"]["nodes"]) == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET current_participants = max_participants + 1",
        "UPDATE events SET current_participants = -1",
        "UPDATE events SET ends_at = starts_at",
        "UPDATE events SET price = -1",
        "UPDATE event_bookings SET seats = 0",
        "INSERT INTO event_bookings (booking_id, event_id, customer_id) SELECT id, 1, customer_id FROM bookings",
        "DELETE FROM events",
        "UPDATE reservations SET event_id = NULL WHERE event_id IS NOT NULL",
    ],
)
async def test_the_database_itself_refuses_what_must_not_be(world: Context, database: Database, ann: User, statement: str) -> None:
    user, _ = await make_facilitator(database)
    await book(world, ann, await make_event(world, user))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await sql(database, statement)
