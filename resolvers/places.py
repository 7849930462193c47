"""Where and when something can take place: a room at a moment, with the hours of its location."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Date, DateTime, Interval, Time, and_, bindparam, cast, func, select

from errors import BadUserInput
from models.database import Fixed
from models.identity import User
from models.keys import Key, is_named, naming
from models.notifications import Channel, NotificationKind, NotificationPreference
from models.rooms import Room
from models.scheduling import Hold, Location
from resolvers.context import Context

FARTHEST_DAYS = 366
TAKEN = """
SELECT EXISTS (
  SELECT FROM reservations v LEFT JOIN holds h ON h.id = v.hold_id
  WHERE int8range(v.resource_id, v.resource_id, '[]') && int8range($1, $1, '[]') AND v.during && tstzrange($2, $3)
    AND (h.id IS NULL OR h.expires_at > $4) AND h.id IS DISTINCT FROM $5 AND h.uuid IS DISTINCT FROM $6
)
"""
WANTS_NO_MAIL = (
    select(NotificationPreference.id)
    .where(
        NotificationPreference.user_id == User.id,
        NotificationPreference.kind == NotificationKind.BOOKING_CONFIRMED,
        NotificationPreference.channel == Channel.EMAIL,
        ~NotificationPreference.is_wanted,
    )
    .correlate(User)
    .exists()
)
BEGINS = func.coalesce(
    bindparam("starts_at", type_=DateTime(timezone=True)),
    func.timezone(Location.time_zone, bindparam("day", type_=Date) + bindparam("hour", type_=Time)),
)


def place_columns(length: ColumnElement[timedelta]) -> list[Any]:
    """What is asked about a room, its location, a person, and a time of that length; the time is a parameter of the statement."""
    hours = func.opening_hours(Location.schedule_id, cast(func.timezone(Location.time_zone, BEGINS), Date), Location.time_zone)
    return [
        Room.id.label("room_id"),
        Room.resource_id,
        Room.category_id.label("room_category_id"),
        Room.location_id,
        Location.time_zone,
        BEGINS.label("begins"),
        hours.bool_op("@>")(func.tstzrange(BEGINS, BEGINS + length)).label("is_open"),
        User.resource_id.label("person"),
        and_(User.email.is_not(None), User.email_notifications, ~WANTS_NO_MAIL).label("wants_mail"),
    ]


IN_ROOM = and_(Room.is_active, is_named(Room, "room"))
PLACE = Fixed(
    select(*place_columns(bindparam("length", type_=Interval)))
    .select_from(Room)
    .join(Location, Location.id == Room.location_id)
    .join(User, User.id == bindparam("person", type_=BigInteger))
    .where(IN_ROOM)
)


@dataclass(frozen=True)
class When:
    """A time as a client gives it: a moment, or a day and an hour in the location's own time."""

    starts_at: datetime | None = None
    day: date | None = None
    hour: time | None = None

    def check(self) -> None:
        """Refuse a time of which a part is missing."""
        if self.starts_at is None and (self.day is None or self.hour is None):
            missing = (("date", self.day), ("start_time", self.hour))
            raise BadUserInput(**{name: "This field is required." for name, value in missing if value is None})

    def parameters(self) -> dict[str, Any]:
        """The time as the statements take it."""
        return {"starts_at": self.starts_at, "day": self.day, "hour": self.hour}


@dataclass(frozen=True)
class Place:
    """A room at a time, with the resources that are taken when a person is there."""

    room_id: int
    location_id: int
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    resources: tuple[int, int]
    wants_mail: bool

    @property
    def day(self) -> date:
        """The day in the location's calendar."""
        return self.starts_at.astimezone(ZoneInfo(self.time_zone)).date()


async def find_place(ctx: Context, room: Key[Room], category_id: int, when: When, length: timedelta, person_id: int) -> Place:
    """The room at that time, for that person; BadUserInput when it does not suit, is closed, or the time is past or too far away."""
    when.check()
    rows = await ctx.fetch(PLACE, person=person_id, length=length, **when.parameters(), **naming("room", room))
    return check_place(rows[0] if rows else None, category_id, when, length, ctx.now())


def check_place(row: Mapping[str, Any] | None, category_id: int, when: When, length: timedelta, now: datetime) -> Place:
    """The place that was found, unless something speaks against it."""
    if row is None or row["room_id"] is None or row["room_category_id"] not in (None, category_id):
        raise BadUserInput(room_id="This room does not suit the service.")
    begins: datetime = row["begins"]
    if begins <= now:
        raise BadUserInput(start_time="This time has passed.")
    if begins > now + timedelta(days=FARTHEST_DAYS):
        raise BadUserInput(date="This day is too far away.")
    if when.starts_at is None and begins.astimezone(ZoneInfo(row["time_zone"])).time() != when.hour:
        raise BadUserInput(start_time="There is no such hour on that day.")
    if not row["is_open"]:
        raise BadUserInput(start_time="The location is closed then.")
    resources = row["resource_id"], row["person"]
    return Place(row["room_id"], row["location_id"], row["time_zone"], begins, begins + length, resources, row["wants_mail"])


async def is_taken(ctx: Context, place: Place, own_hold: Key[Hold] | None) -> bool:
    """Whether the room is reserved by now, so that who comes too late need not begin a transaction."""
    own = own_hold or Key()
    found = await ctx.database.run(TAKEN, [place.resources[0], place.starts_at, place.ends_at, ctx.now(), own.number, own.uuid])
    return bool(found[0][0])
