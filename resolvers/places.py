"""Where and when something can take place: a room at a moment, with the hours of its location."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from errors import BadUserInput
from models.keys import Key
from models.rooms import Room
from models.scheduling import Hold
from resolvers.context import Context

FARTHEST_DAYS = 366
TAKEN = """
SELECT EXISTS (
  SELECT FROM reservations v LEFT JOIN holds h ON h.id = v.hold_id
  WHERE int8range(v.resource_id, v.resource_id, '[]') && int8range($1, $1, '[]') AND v.during && tstzrange($2, $3)
    AND (h.id IS NULL OR h.expires_at > $4) AND h.id IS DISTINCT FROM $5 AND h.uuid IS DISTINCT FROM $6
)
"""
PLACE = """
SELECT r.id AS room_id, r.resource_id, r.category_id, r.location_id, l.time_zone, at.begins,
  opening_hours(l.schedule_id, (at.begins AT TIME ZONE l.time_zone)::date, l.time_zone) @> tstzrange(at.begins, at.begins + $6) AS is_open,
  u.resource_id AS person, u.email IS NOT NULL AND u.email_notifications AS wants_mail
FROM rooms r JOIN locations l ON l.id = r.location_id JOIN users u ON u.id = $7
CROSS JOIN LATERAL (SELECT coalesce($3::timestamptz, ($4::date + $5::time) AT TIME ZONE l.time_zone) AS begins) at
WHERE r.is_active AND (r.id = $1 OR r.uuid = $2)
"""


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
    async with ctx.database.reading() as connection:
        row = await connection.fetchrow(PLACE, room.number, room.uuid, when.starts_at, when.day, when.hour, length, person_id)
    if row is None or row["category_id"] not in (None, category_id):
        raise BadUserInput(room_id="This room does not suit the service.")
    _check(ctx.now(), row, when)
    return Place(
        row["room_id"],
        row["location_id"],
        row["time_zone"],
        row["begins"],
        row["begins"] + length,
        (row["resource_id"], row["person"]),
        row["wants_mail"],
    )


def _check(now: datetime, row: Any, when: When) -> None:
    begins: datetime = row["begins"]
    if begins <= now:
        raise BadUserInput(start_time="This time has passed.")
    if begins > now + timedelta(days=FARTHEST_DAYS):
        raise BadUserInput(date="This day is too far away.")
    if when.starts_at is None and begins.astimezone(ZoneInfo(row["time_zone"])).time() != when.hour:
        raise BadUserInput(start_time="There is no such hour on that day.")
    if not row["is_open"]:
        raise BadUserInput(start_time="The location is closed then.")


async def is_taken(ctx: Context, place: Place, own_hold: Key[Hold] | None) -> bool:
    """Whether the room is reserved by now, so that who comes too late need not begin a transaction."""
    own = own_hold or Key()
    found = await ctx.database.run(TAKEN, [place.resources[0], place.starts_at, place.ends_at, ctx.now(), own.number, own.uuid])
    return bool(found[0][0])
