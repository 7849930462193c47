"""When a service can be had: the free slots of a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from errors import BadUserInput, NotFound
from models.catalogue import Category, Service
from models.keys import Key
from models.memberships import Membership, Plan, is_current
from models.rooms import Room
from models.scheduling import Location
from resolvers.context import Context
from resolvers.operations import ANYONE, allow
from resolvers.places import FARTHEST_DAYS
from resolvers.turns import shared

# Opening hours less what is reserved; slots start on the half hour from opening. $6: whether priority slots are shown.
# MATERIALIZED, or the reservations of a room would be read again for each of its slots.
FREE_SLOTS = """
WITH open AS MATERIALIZED (
  SELECT l.id, l.time_zone, opening_hours(l.schedule_id, $1, l.time_zone) AS hours
  FROM locations l WHERE $7::bigint IS NULL OR l.id = $7
), free AS MATERIALIZED (
  SELECT r.id, open.time_zone, open.hours, open.hours - coalesce((
      SELECT range_agg(v.during) FROM reservations v LEFT JOIN holds h ON h.id = v.hold_id
      WHERE int8range(v.resource_id, v.resource_id, '[]') && int8range(r.resource_id, r.resource_id, '[]')
        AND v.during && range_merge(open.hours) AND (h.id IS NULL OR h.expires_at > $4)
    ), '{}') AS free
  FROM open JOIN rooms r ON r.location_id = open.id
  WHERE r.is_active AND (r.category_id IS NULL OR r.category_id = $2) AND ($5::bigint IS NULL OR r.id = $5) AND NOT isempty(open.hours)
), slots AS (
  SELECT free.id AS room_id, slot AS starts_at, slot + $3::interval AS ends_at, free.time_zone,
    slot < lower(free.hours) + interval '1 hour' OR extract(hour FROM slot AT TIME ZONE free.time_zone) = 12 AS is_priority
  FROM free, unnest(free.hours) piece, generate_series(lower(piece), upper(piece) - $3::interval, interval '30 minutes') slot
  WHERE free.free @> tstzrange(slot, slot + $3::interval) AND slot > $4
)
SELECT * FROM slots WHERE ($6 OR NOT is_priority) AND ($9::timestamptz IS NULL OR starts_at >= $9) ORDER BY starts_at, room_id LIMIT $8
"""
SLOTS_SHOWN, SUGGESTIONS, DAYS_SEARCHED = 1000, 3, 7


@dataclass(frozen=True)
class Slot:
    """A time at which a room is free; start and end are also spelled in the location's own time."""

    starts_at: datetime
    ends_at: datetime
    start_time: time
    end_time: time
    is_priority: bool
    room: Room


@dataclass(frozen=True)
class Availability:
    """The free slots of a day."""

    date: date
    slots: list[Slot]


@allow(ANYONE)
async def find_availability(
    ctx: Context,
    *,
    service_id: Key[Service],
    date: date,
    duration: int | None = None,
    room_id: Key[Room] | None = None,
    location_id: Key[Location] | None = None,
) -> Availability:
    """Free slots for a service on a day of the location's calendar; `duration` in minutes is the service's unless given."""
    service = await bookable(ctx, service_id)
    minutes = service["duration_minutes"] if duration is None else duration
    if not 5 <= minutes <= 24 * 60:
        raise BadUserInput(duration="A duration is between 5 and 1440 minutes.")
    slots = await free_slots(
        ctx,
        date,
        service["category_id"],
        timedelta(minutes=minutes),
        room_id=await _number(ctx, room_id, Room),
        location_id=await _number(ctx, location_id, Location),
        with_priority=await sees_priority(ctx),
    )
    return Availability(date, slots)


async def free_slots(
    ctx: Context,
    day: date,
    category_id: int,
    length: timedelta,
    *,
    room_id: int | None = None,
    location_id: int | None = None,
    with_priority: bool = True,
    limit: int = SLOTS_SHOWN,
    not_before: datetime | None = None,
) -> list[Slot]:
    """Free slots of rooms that suit a category; none on days too far away."""
    if abs((day - ctx.now().date()).days) > FARTHEST_DAYS:
        return []
    async with ctx.database.reading() as connection:
        rows = await connection.fetch(
            FREE_SLOTS, day, category_id, length, ctx.now(), room_id, with_priority, location_id, limit, not_before
        )
    rooms = {row["room_id"]: Room(id=row["room_id"]) for row in rows}
    return [_slot(row, rooms[row["room_id"]]) for row in rows]


async def next_slots(ctx: Context, category_id: int, starts_at: datetime, length: timedelta) -> list[dict[str, object]]:
    """The first free slots from a moment on, for whoever came too late; looked for once for a whole crowd."""
    priority = await sees_priority(ctx)
    found = await shared(
        ("next slots", category_id, starts_at, length, priority), lambda: _next_slots(ctx, category_id, starts_at, length, priority)
    )
    return [{"room_id": each.room.id, "starts_at": _spell(each.starts_at), "ends_at": _spell(each.ends_at)} for each in found]


async def _next_slots(ctx: Context, category_id: int, starts_at: datetime, length: timedelta, priority: bool) -> list[Slot]:
    found: list[Slot] = []
    for offset in range(DAYS_SEARCHED):
        day = starts_at.date() + timedelta(days=offset)
        left = SUGGESTIONS - len(found)
        found += await free_slots(ctx, day, category_id, length, with_priority=priority, limit=left, not_before=starts_at)
        if len(found) >= SUGGESTIONS:
            break
    return found


def _spell(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


async def sees_priority(ctx: Context) -> bool:
    """Whether the viewer's membership, or work, opens the priority slots."""
    if ctx.viewer.user_id is None:
        return False
    if ctx.viewer.is_staff:
        return True
    plan = await ctx.fetch(
        select(Plan.priority_booking)
        .join(Membership, Membership.plan_id == Plan.id)
        .where(Membership.user_id == ctx.viewer.id, is_current(Membership, ctx.moment()))
    )
    return bool(plan and plan[0][0])


def _slot(row: Mapping[str, Any], room: Room) -> Slot:
    zone = ZoneInfo(row["time_zone"])
    return Slot(
        row["starts_at"],
        row["ends_at"],
        row["starts_at"].astimezone(zone).time(),
        row["ends_at"].astimezone(zone).time(),
        row["is_priority"],
        room,
    )


async def bookable(ctx: Context, id: Key[Service]) -> Mapping[str, Any]:
    """The service that a client named; NotFound when there is none to book."""
    rows = await ctx.fetch(
        select(Service.id, Service.category_id, Service.duration_minutes).join(Category).where(id.names(Service), Service.is_active)
    )
    if not rows:
        raise NotFound("There is no such service.")
    found: Mapping[str, Any] = rows[0]
    return found


async def _number(ctx: Context, id: Key[Any] | None, table: Any) -> int | None:
    if id is None or id.number is not None:
        return id.number if id else None
    rows = await ctx.fetch(select(table.id).where(id.names(table)))
    return int(rows[0][0]) if rows else -1
