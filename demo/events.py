"""Sessions and retreats of the last weeks and of those to come, who holds them, and who has booked."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import FIRST_GUEST, GUESTS, JANE
from demo.world import World, put
from models.bookings import Booking, BookingKind, BookingStatus
from models.events import Event, EventBooking, EventStatus, EventType, Facilitator
from models.identity import Role, User, UserRole
from models.scheduling import Reservation, Resource, ResourceKind
from resolvers.context import Context, Viewer
from resolvers.event_changes import create_event
from resolvers.inputs.events import EventInput
from resolvers.operations import perform

ZONE, WELLNESS_CENTER = "America/New_York", "Wellness Center"
S, R = EventType.SESSION, EventType.RETREAT
OTHERS = [
    ("Mara", "Lindqvist", "mara.lindqvist@facilitators.example.com", "Teaches breathwork and cold immersion since 2011."),
    ("Tomas", "Rivera", "tomas.rivera@facilitators.example.com", "Sound healer with forty bowls and one gong."),
    ("Ines", "Okafor", "ines.okafor@facilitators.example.com", "Leads silent retreats in the mountains."),
]
BIO = "Certified meditation instructor"


@dataclass(frozen=True)
class Planned:
    """One event, by its day from the first one of the world."""

    day: int
    hour: int
    minutes: int
    kind: EventType
    facilitator: int
    title: str
    description: str
    venue: str | None
    seats: int
    price: int
    attendees: int
    requirements: str | None = None


def _day(day: int, hour: int, facilitator: int, title: str, description: str, **more: Any) -> Planned:
    usual = {
        "minutes": 60,
        "kind": S,
        "venue": WELLNESS_CENTER,
        "seats": 20,
        "price": 25,
        "attendees": 6,
        "requirements": "Comfortable clothes",
    }
    return Planned(day, hour, facilitator=facilitator, title=title, description=description, **{**usual, **more})


DAY = 24 * 60
PLANNED = [
    _day(20, 7, 1, "Morning Meditation Session", "Start your day with mindfulness", attendees=5, requirements="Bring your own mat"),
    _day(3, 18, 2, "Breathwork for Beginners", "An hour of slow breath, lying down.", seats=12, attendees=12, price=30,
         requirements="Nothing but a blanket"),
    _day(4, 19, 3, "Sound Bath", "Forty bowls, a gong, and nothing to do.", seats=24, price=35, attendees=15),
    _day(5, 12, 1, "Lunch Break Reset", "Half an hour without a screen.", minutes=30, price=10, attendees=4),
    _day(6, 9, 2, "Cold Immersion Workshop", "Breath first, then two minutes in the ice bath.", minutes=120, seats=8, price=60),
    _day(8, 17, 1, "Mindful Evening", "Sitting, walking, sitting.", minutes=90, attendees=9),
    _day(10, 8, 4, "Silent Breakfast", "An hour of eating slowly, together, without words.", seats=10, price=20, attendees=7),
    _day(12, 19, 3, "New Moon Gong Night", "Two hours on the floor in the dark.", minutes=120, seats=30, price=45, attendees=18),
    _day(15, 18, 1, "Meditation Online", "The morning session for those who wake up elsewhere.", venue=None, seats=100,
         price=5, attendees=22),
    _day(18, 10, 2, "Breath and Movement", "Flowing exercises that begin with the breath.", seats=16, price=28, attendees=8),
    _day(25, 15, 4, "Catskills Weekend", "Two nights in the mountains, most of them in silence.", kind=R, minutes=2 * DAY, seats=14,
         price=480, attendees=6, venue="Catskills Lodge", requirements="Warm clothes and good boots"),
    _day(32, 14, 1, "Meditation Immersion", "Four days of practice with Jane.", kind=R, minutes=4 * DAY, seats=18, price=890,
         attendees=4, venue="Hudson Valley House"),
    _day(39, 16, 3, "Sound and Sea", "Three days by the ocean, two concerts a day.", kind=R, minutes=3 * DAY, seats=20, price=720,
         attendees=5, venue="Montauk"),
    _day(46, 15, 4, "Winter Silence", "Five days without a word.", kind=R, minutes=5 * DAY, seats=12, price=950, attendees=3,
         venue="Catskills Lodge"),
    _day(28, 18, 2, "Advanced Breathwork", "For those who know the first hour.", minutes=90, seats=10, price=40, attendees=5),
    _day(41, 7, 1, "Sunrise on the Roof", "Meditation while the city wakes up.", seats=15, price=25, attendees=2),
    _day(-4, 7, 1, "Morning Meditation", "Start your day with mindfulness"),
    _day(-9, 19, 3, "Sound Bath", "Forty bowls, a gong, and nothing to do.", attendees=9, price=35),
    _day(-13, 18, 2, "Breathwork for Beginners", "An hour of slow breath, lying down.", seats=12, price=30),
    _day(-18, 7, 1, "Morning Meditation", "Start your day with mindfulness", attendees=5),
    _day(-30, 15, 4, "Autumn Silence", "Three days without a word.", kind=R, minutes=3 * DAY, seats=12, price=690, attendees=5,
         venue="Catskills Lodge"),
]  # fmt: skip

# Guests who are nowhere else then, in an order that is the same in every demo.
FREE = text("""
SELECT u.id, u.resource_id FROM users u
WHERE u.id BETWEEN :first AND :last AND NOT EXISTS (
  SELECT FROM reservations v WHERE int8range(v.resource_id, v.resource_id, '[]') && int8range(u.resource_id, u.resource_id, '[]')
    AND v.during && tstzrange(:starts_at, :ends_at)
) ORDER BY md5(u.id::text || :salt) LIMIT :seats
""")


async def fill(db: AsyncSession, world: World) -> None:
    """Facilitators, events and bookings as rows, since some of them are over."""
    resources = await put(db, Resource, [{"kind": ResourceKind.PERSON}] * len(OTHERS))
    people = [{"first_name": first, "last_name": last, "email": email} for first, last, email, _ in OTHERS]
    numbers = await put(db, User, [{**row, "resource_id": resource} for row, resource in zip(people, resources, strict=True)])
    await put(db, UserRole, [{"user_id": number, "role": Role.FACILITATOR} for number in numbers])
    bios = [(JANE, BIO), *zip(numbers, (bio for *_, bio in OTHERS), strict=True)]
    await put(db, Facilitator, [{"id": place, "user_id": user, "bio": bio} for place, (user, bio) in enumerate(bios, start=1)])
    janes = (await db.scalars(select(User.resource_id).where(User.id == JANE))).one()
    times = [_times(world, each) for each in PLANNED]
    attendees = await _seat(db, times)
    await put(db, Event, [
        {**_event(world, each, times[place]), "id": place + 1, "current_participants": len(attendees[place])}
        for place, each in enumerate(PLANNED)
    ])  # fmt: skip
    await put(db, Reservation, [
        {"resource_id": [janes, *resources][each.facilitator - 1], "during": Range(*times[place]), "event_id": place + 1}
        for place, each in enumerate(PLANNED)
    ])  # fmt: skip
    await _book(db, world, times, attendees)


async def play(ctx: Context, world: World) -> None:
    """A session of Jane's that recurs."""
    jane = ctx.with_viewer(Viewer(JANE, frozenset({Role.FACILITATOR})))
    starts_at = world.moment(1 + (7 - world.day(1).weekday()) % 7, time(20), ZONE)
    weekly = EventInput(
        title="Monday Wind-down", description="The week begins slowly.", starts_at=starts_at, ends_at=starts_at + timedelta(minutes=45),
        max_participants=16, price=Decimal("15.00"), venue=WELLNESS_CENTER, time_zone=ZONE, recurrence="FREQ=WEEKLY;BYDAY=MO;COUNT=4",
    )  # fmt: skip
    await perform(create_event, jane, {"input": weekly}, key="demo weekly")


def _times(world: World, planned: Planned) -> tuple[datetime, datetime]:
    starts_at = world.moment(planned.day, time(planned.hour), ZONE)
    return starts_at, starts_at + timedelta(minutes=planned.minutes)


def _event(world: World, planned: Planned, times: tuple[datetime, datetime]) -> dict[str, Any]:
    return {
        "facilitator_id": planned.facilitator,
        "kind": planned.kind,
        "title": planned.title,
        "description": planned.description,
        "venue": planned.venue,
        "virtual_link": None if planned.venue else "https://meet.example.com/meditation",
        "time_zone": ZONE,
        "max_participants": planned.seats,
        "price": Decimal(planned.price),
        "requirements": planned.requirements,
        "status": EventStatus.COMPLETED if times[1] <= world.now else EventStatus.ACTIVE,
        "starts_at": times[0],
        "ends_at": times[1],
        "created_at": min(times[0], world.now) - timedelta(days=21),
    }


async def _seat(db: AsyncSession, times: list[tuple[datetime, datetime]]) -> list[list[tuple[int, int]]]:
    """Who comes to each event; nobody to two at once."""
    seated: list[list[tuple[int, int]]] = []
    for place, (starts_at, ends_at) in enumerate(times):
        overlapping = [seated[other] for other, (began, ended) in enumerate(times[:place]) if began < ends_at and starts_at < ended]
        busy = {person for people in overlapping for person, _ in people}
        wanted = PLANNED[place].attendees
        values = {"first": FIRST_GUEST, "last": FIRST_GUEST + GUESTS - 1, "starts_at": starts_at, "ends_at": ends_at}
        found = await db.execute(FREE, {**values, "salt": str(place), "seats": wanted + len(busy)})
        seated.append([(person, resource) for person, resource in found if person not in busy][:wanted])
    return seated


async def _book(db: AsyncSession, world: World, times: list[tuple[datetime, datetime]], attendees: list[list[tuple[int, int]]]) -> None:
    seats = [(place, person, resource) for place, people in enumerate(attendees) for person, resource in people]
    numbers = await put(db, Booking, [_booking(world, place, person, times[place]) for place, person, _ in seats])
    booked = list(zip(numbers, seats, strict=True))
    await put(
        db, EventBooking, [{"booking_id": number, "event_id": place + 1, "customer_id": person} for number, (place, person, _) in booked]
    )
    await put(db, Reservation, [
        {"resource_id": resource, "during": Range(*times[place]), "booking_id": number} for number, (place, _, resource) in booked
    ])  # fmt: skip


def _booking(world: World, place: int, person: int, times: tuple[datetime, datetime]) -> dict[str, Any]:
    return {
        "kind": BookingKind.EVENT,
        "customer_id": person,
        "status": BookingStatus.COMPLETED if times[1] <= world.now else BookingStatus.CONFIRMED,
        "starts_at": times[0],
        "ends_at": times[1],
        "total_amount": Decimal(PLANNED[place].price),
        "created_at": min(times[0], world.now) - timedelta(days=1 + person % 12, minutes=person),
    }
