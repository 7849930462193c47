"""A year of appointments, thought up the same way in every demo: who came when, for what, and how they liked it."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from demo.catalogue import MENSUITE, SPA, Offered
from demo.people import FIRST_GUEST, GUESTS, JOHN
from demo.rooms import MANHATTAN, ROOMS, SPAS, closed_days
from demo.world import World

DAYS_BACK, DAYS_AHEAD = 365, 75
QUIET_ROOMS = {1, 2}
"""Rooms with much free time in the weeks to come, so that whoever tries the demo finds a slot."""
QUIET_DAYS = range(3, 41)
BUSY: dict[int, tuple[int, int]] = {0: (4, 6), 1: (4, 6), 2: (4, 6), 3: (4, 7), 4: (6, 8), 5: (7, 9), 6: (5, 7)}
"""Fewest and most appointments, by weekday."""
COMPANIONS = {1: 8, 3: 2, 5: 15, 9: 4, 19: 23, 22: 30}
"""What many guests come for within days of something else, by the numbers of the services."""
TRIES = 30
HALF_HOUR = timedelta(minutes=30)
PRAISE = [
    "Excellent experience!", "The best hour of my week.", "Left two inches taller.", "The room was warm before I came in. Small thing, big "
    "difference.", "Booked the next one on the way out.", "Quiet, clean, exactly on time.", "My shoulders say thank you.",
    "We forgot our phones for two hours.",
]  # fmt: skip
GRUMBLE = ["Good, but we started ten minutes late.", "The music was too loud at first.", "Nice, a little rushed at the end."]
NOTES = [
    "Preferred medium pressure",
    "Left shoulder is sensitive",
    "Likes the room at 74",
    "Allergic to almond oil",
    "Asked for no talking",
]
REASONS = ["Caught a cold", "Work ran late", "Plans changed", "Flight was moved"]
REQUESTS = ["Prefer warm towels", "Please no strong scents", "A glass of water at the start", "It is our anniversary"]


@dataclass(frozen=True)
class Visit:
    """One appointment."""

    customer: int
    offered: Offered
    room: int
    location: int
    starts_at: datetime
    is_cancelled: bool
    is_paid: bool
    is_cash: bool
    has_addon: bool
    rating: int | None
    feedback: str | None
    staff_notes: str | None
    special_requests: str | None
    cancel_reason: str | None
    booked_ahead: timedelta

    @property
    def ends_at(self) -> datetime:
        """When it is over."""
        return self.starts_at + timedelta(minutes=self.offered.treatment.minutes)


JOHNS_DAYS = [
    (-351, 18, 1), (-330, 18, 4), (-316, 12, 3), (-302, 18, 1), (-287, 17, 8), (-270, 18, 5), (-259, 18, 1), (-241, 11, 2),
    (-227, 18, 1), (-210, 18, 14), (-196, 19, 1), (-180, 18, 3), (-166, 18, 1), (-151, 17, 17), (-139, 18, 1), (-122, 12, 19),
    (-108, 18, 1), (-94, 18, 5), (-80, 18, 1), (-66, 18, 3), (-52, 17, 1), (-38, 18, 4), (-24, 18, 1), (-17, 18, 3), (-10, 18, 1),
]  # fmt: skip
"""John's appointments until now: day, hour at Manhattan, number of the service."""
JOHNS_PLANS = [(1, 18, 1), (44, 18, 1), (58, 17, 5), (72, 12, 19)]
"""And those to come, which demo/plans.py books."""


class Diary:
    """Who and which room is busy when, while the year is made up."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._busy: defaultdict[tuple[str, int], list[tuple[datetime, datetime]]] = defaultdict(list)
        self._closed = {day for day, _ in closed_days(world.today)}
        self.dice = random.Random("visits")  # noqa: S311 - the same visits in every demo

    def open_hours(self, location: int, day: date) -> tuple[time, time] | None:
        """The hours of a spa on a day, unless it is closed."""
        spa = SPAS[location - 1]
        if day in self._closed:
            return None
        return spa.weekends if day.weekday() > 4 else spa.weekdays

    def take(self, customer: int, room: int, starts: datetime, ends: datetime) -> bool:
        """Write an appointment down, if room and customer are free."""
        lists = [self._busy["person", customer], self._busy["room", room]]
        if any(begins < ends and starts < over for busy in lists for begins, over in busy):
            return False
        for busy in lists:
            busy.append((starts, ends))
        return True


def visits(world: World) -> list[Visit]:
    """Every appointment of the demo, John's first."""
    diary = Diary(world)
    return [*_johns(diary, world), *_guests(diary, world)]


@dataclass(frozen=True)
class Slot:
    """A time of John's."""

    offered: Offered
    room: int
    starts_at: datetime


def johns(world: World, days: list[tuple[int, int, int]]) -> Iterator[Slot]:
    """John's times; a day on which the spa is closed gives way to the next."""
    closed = {day for day, _ in closed_days(world.today)}
    for day, hour, number in days:
        offered = SPA[number - 1]
        starts = world.moment(day + (world.day(day) in closed), time(hour), SPAS[MANHATTAN - 1].time_zone)
        yield Slot(offered, 2 if offered.category == MENSUITE else 3, starts)


def _johns(diary: Diary, world: World) -> Iterator[Visit]:
    for is_planned, days in ((False, JOHNS_DAYS), (True, JOHNS_PLANS)):
        for slot in johns(world, days):
            length = timedelta(minutes=slot.offered.treatment.minutes)
            if diary.take(JOHN, slot.room, slot.starts_at, slot.starts_at + length) and not is_planned:
                yield _visit(diary, JOHN, slot.offered, slot.room, MANHATTAN, slot.starts_at, is_johns=True)


def _guests(diary: Diary, world: World) -> Iterator[Visit]:
    dice = diary.dice
    for offset in range(-DAYS_BACK, DAYS_AHEAD):
        fewest, most = BUSY[world.day(offset).weekday()]
        count = dice.randint(fewest, most)
        for _ in range(count if offset < 14 else count // 3):
            if visit := _somebody(diary, world, offset):
                yield visit
                companion = COMPANIONS.get(visit.offered.number)
                if companion and dice.random() < 0.3:
                    later = offset + dice.randint(1, 4)
                    if second := _somewhere(diary, world, later, visit.customer, SPA[companion - 1]):
                        yield second


def _somebody(diary: Diary, world: World, offset: int) -> Visit | None:
    """One guest on one day, if a room can be found for them."""
    dice = diary.dice
    for _ in range(TRIES):
        regular = dice.random() < 0.6
        guest = FIRST_GUEST + dice.randrange(GUESTS // 4 if regular else GUESTS)
        offered = SPA[0] if dice.random() < 0.12 else dice.choice(SPA)
        if visit := _somewhere(diary, world, offset, guest, offered):
            return visit
    return None


def _somewhere(diary: Diary, world: World, offset: int, guest: int, offered: Offered) -> Visit | None:
    """A guest's visit at their spa, if a room that is tried happens to be free."""
    dice = diary.dice
    location = (1, 1, 1, 1, 2, 2, 2, 3, 3, 3)[guest % 10]
    hours = diary.open_hours(location, world.day(offset))
    room = dice.choice([room for room, suits in _rooms(location) if suits in (None, offered.category)])
    if hours is None or (room in QUIET_ROOMS and offset in QUIET_DAYS):
        return None
    opens, closes = (world.moment(offset, each, SPAS[location - 1].time_zone) for each in hours)
    length = timedelta(minutes=offered.treatment.minutes)
    starts = opens + HALF_HOUR * dice.randrange(int((closes - opens - length) / HALF_HOUR) + 1)
    return _visit(diary, guest, offered, room, location, starts) if diary.take(guest, room, starts, starts + length) else None


def _visit(diary: Diary, customer: int, offered: Offered, room: int, location: int, starts: datetime, *, is_johns: bool = False) -> Visit:
    dice = diary.dice
    is_cancelled = dice.random() < 0.09 and not is_johns
    rating = dice.choices([5, 4, 3, 2], [62, 27, 8, 3])[0] if is_johns or dice.random() < 0.6 else None
    words = PRAISE if (rating or 0) > 3 else GRUMBLE
    return Visit(
        customer=customer,
        offered=offered,
        room=room,
        location=location,
        starts_at=starts,
        is_cancelled=is_cancelled,
        is_paid=is_johns or dice.random() < (0.3 if is_cancelled else 0.6),
        is_cash=dice.random() < 0.15 and not is_johns,
        has_addon=dice.random() < 0.4,
        rating=rating,
        feedback=dice.choice(words) if rating and dice.random() < 0.4 else None,
        staff_notes=NOTES[0] if is_johns else dice.choice(NOTES) if dice.random() < 0.15 else None,
        special_requests=dice.choice(REQUESTS) if dice.random() < 0.2 else None,
        cancel_reason=dice.choice(REASONS) if is_cancelled else None,
        booked_ahead=timedelta(minutes=dice.randint(90, 14 * 24 * 60)),
    )


def _rooms(location: int) -> list[tuple[int, int | None]]:
    """Numbers of a spa's rooms, with the category that each suits."""
    before = sum(len(ROOMS[each]) for each in ROOMS if each < location)
    return [(before + number, space.category) for number, space in enumerate(ROOMS[location], start=1)]
