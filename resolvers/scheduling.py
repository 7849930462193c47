"""When a service can be had: free slots, and slots that are held for a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, NotFound, SlotTaken
from models.catalogue import Category, Service
from models.keys import Key
from models.memberships import Membership, MembershipStatus, Plan
from models.rooms import Room
from models.scheduling import Hold, Location, Reservation
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.operations import ANYONE, SIGNED_IN, allow
from resolvers.people import resource_of
from resolvers.reserving import lock, reserve
from subscriptions.bookings import HoldPlaced, HoldReleased
from subscriptions.facts import announce

# Opening hours of the day, or of its exception, less what is reserved; slots start on the half hour from opening.
FREE_SLOTS = """
WITH open AS (
  SELECT l.id AS location_id, l.time_zone, hours.hours
  FROM locations l CROSS JOIN LATERAL (
    SELECT range_agg(
      tstzrange(($1::date + each.opens) AT TIME ZONE l.time_zone, ($1::date + each.closes) AT TIME ZONE l.time_zone)
    ) AS hours
    FROM (
      SELECT e.opens, e.closes FROM schedule_exceptions e WHERE e.schedule_id = l.schedule_id AND e.day = $1 AND e.opens IS NOT NULL
      UNION ALL
      SELECT h.opens, h.closes FROM schedule_hours h
      WHERE h.schedule_id = l.schedule_id AND h.weekday = extract(isodow FROM $1::date) - 1
        AND NOT EXISTS (SELECT FROM schedule_exceptions e WHERE e.schedule_id = l.schedule_id AND e.day = $1)
    ) each
  ) hours
  WHERE hours.hours IS NOT NULL AND ($7::bigint IS NULL OR l.id = $7)
), free AS (
  SELECT r.id, o.time_zone, o.hours, o.hours - coalesce((
      SELECT range_agg(v.during) FROM reservations v LEFT JOIN holds h ON h.id = v.hold_id
      WHERE int8range(v.resource_id, v.resource_id, '[]') && int8range(r.resource_id, r.resource_id, '[]')
        AND v.during && range_merge(o.hours) AND (h.id IS NULL OR h.expires_at > $4)
    ), '{}'::tstzmultirange) AS free
  FROM rooms r JOIN open o ON o.location_id = r.location_id
  WHERE r.is_active AND (r.category_id IS NULL OR r.category_id = $2) AND ($5::bigint IS NULL OR r.id = $5)
)
SELECT free.id AS room_id, slot AS starts_at, slot + $3::interval AS ends_at, free.time_zone,
  slot < lower(free.hours) + interval '1 hour' OR extract(hour FROM slot AT TIME ZONE free.time_zone) = 12 AS is_priority
FROM free, unnest(free.hours) piece, generate_series(lower(piece), upper(piece) - $3::interval, interval '30 minutes') slot
WHERE free.free @> tstzrange(slot, slot + $3::interval) AND slot > $4
  AND ($6 OR NOT (slot < lower(free.hours) + interval '1 hour' OR extract(hour FROM slot AT TIME ZONE free.time_zone) = 12))
ORDER BY slot, free.id
LIMIT $8
"""
SLOTS_SHOWN, SUGGESTIONS, DAYS_SEARCHED = 1000, 3, 7
HOLD_MINUTES = 10
FARTHEST_DAYS = 366


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
    service = await _bookable(ctx, service_id)
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
) -> list[Slot]:
    """Free slots of rooms that suit a category; none on days too far away."""
    if abs((day - ctx.now().date()).days) > FARTHEST_DAYS:
        return []
    async with ctx.database.reading() as connection:
        rows = await connection.fetch(FREE_SLOTS, day, category_id, length, ctx.now(), room_id, with_priority, location_id, limit)
    rooms = {row["room_id"]: Room(id=row["room_id"]) for row in rows}
    return [_slot(row, rooms[row["room_id"]]) for row in rows]


async def next_slots(ctx: Context, category_id: int, starts_at: datetime, length: timedelta) -> list[dict[str, object]]:
    """The first free slots from a moment on, for whoever came too late."""
    found: list[Slot] = []
    priority = await sees_priority(ctx)
    for offset in range(DAYS_SEARCHED):
        day = starts_at.date() + timedelta(days=offset)
        slots = await free_slots(ctx, day, category_id, length, with_priority=priority)
        found += [each for each in slots if each.starts_at >= starts_at]
        if len(found) >= SUGGESTIONS:
            break
    return [
        {
            "room_id": each.room.id,
            "starts_at": each.starts_at.isoformat().replace("+00:00", "Z"),
            "ends_at": each.ends_at.isoformat().replace("+00:00", "Z"),
        }
        for each in found[:SUGGESTIONS]
    ]


async def sees_priority(ctx: Context) -> bool:
    """Whether the viewer's membership, or work, opens the priority slots."""
    if ctx.viewer.user_id is None:
        return False
    if ctx.viewer.is_staff:
        return True
    plan = await ctx.fetch(
        select(Plan.priority_booking)
        .join(Membership, Membership.plan_id == Plan.id)
        .where(Membership.user_id == ctx.viewer.id, Membership.status == MembershipStatus.ACTIVE, Membership.ends_on >= ctx.now().date())
    )
    return bool(plan and plan[0][0])


def local_moment(day: date, hour: time, time_zone: str) -> datetime:
    """The moment of a local day and hour; BadUserInput for an hour that a change of clocks leaves out."""
    zone = ZoneInfo(time_zone)
    moment = datetime.combine(day, hour.replace(tzinfo=None), zone).astimezone(ZoneInfo("UTC"))
    if moment.astimezone(zone).time() != hour.replace(tzinfo=None):
        raise BadUserInput(start_time="There is no such hour on that day.")
    return moment


@allow(SIGNED_IN)
def list_my_holds(ctx: Context) -> Select[Hold]:
    """Slots that are kept for the viewer now."""
    return select(Hold).where(Hold.user_id == ctx.viewer.id, Hold.expires_at > ctx.now()).order_by(Hold.expires_at, Hold.id)


@allow(SIGNED_IN)
async def hold_slot(ctx: Context, *, service_id: Key[Service], room_id: Key[Room], starts_at: datetime) -> Hold:
    """Keep a free slot for ten minutes, so that it can be booked in peace."""
    service = await _bookable(ctx, service_id)
    length = timedelta(minutes=service["duration_minutes"])
    try:
        async with ctx.writing() as db:
            room = await suitable_room(db, room_id, service["category_id"])
            await within_hours(db, ctx, room, starts_at, starts_at + length)
            person = await resource_of(db, ctx.viewer.id)
            await lock(db, [room.resource_id, person], ctx.now())
            hold = Hold(
                user_id=ctx.viewer.id,
                service_id=service["id"],
                room_id=room.id,
                starts_at=starts_at,
                ends_at=starts_at + length,
                expires_at=ctx.now() + timedelta(minutes=HOLD_MINUTES),
            )
            db.add(hold)
            await db.flush()
            await reserve(db, [room.resource_id, person], hold.starts_at, hold.ends_at, hold_id=hold.id)
            await announce(db, HoldPlaced(hold))
            answers(db, hold)
    except SlotTaken as taken:
        raise SlotTaken(details={"next_slots": await next_slots(ctx, service["category_id"], starts_at, length)}) from taken
    return hold


@allow(SIGNED_IN)
async def release_hold(ctx: Context, *, id: Key[Hold]) -> Hold:
    """Give a held slot back before it expires."""
    async with ctx.writing() as db:
        hold = await db.scalar(select(Hold).where(id.names(Hold), Hold.user_id == ctx.viewer.id).with_for_update())
        if hold is None or hold.expires_at <= ctx.now():
            raise NotFound
        await db.execute(delete(Reservation).where(Reservation.hold_id == hold.id), execution_options={"synchronize_session": False})
        hold.expires_at = ctx.now()
        await announce(db, HoldReleased(hold))
        answers(db, hold)
    return hold


async def suitable_room(db: AsyncSession, room_id: Key[Room], category_id: int) -> Room:
    """A room in which services of this category can be given; BadUserInput for any other."""
    room = await db.scalar(select(Room).where(room_id.names(Room), Room.is_active))
    if room is None or room.category_id not in (None, category_id):
        raise BadUserInput(room_id="This room does not suit the service.")
    return room


async def within_hours(db: AsyncSession, ctx: Context, room: Room, starts_at: datetime, ends_at: datetime) -> None:
    """Refuse what is past, too far away, or outside the location's opening hours."""
    if starts_at <= ctx.now():
        raise BadUserInput(start_time="This time has passed.")
    if starts_at > ctx.now() + timedelta(days=FARTHEST_DAYS):
        raise BadUserInput(date="This day is too far away.")
    location = await db.get_one(Location, room.location_id)
    connection = await db.connection()
    local = starts_at.astimezone(ZoneInfo(location.time_zone))
    found = await connection.exec_driver_sql(IS_OPEN, (location.schedule_id, local.date(), location.time_zone, starts_at, ends_at))
    if not found.scalar():
        raise BadUserInput(start_time="The location is closed then.")


IS_OPEN = """
SELECT coalesce(range_agg(tstzrange(($2::date + each.opens) AT TIME ZONE $3, ($2::date + each.closes) AT TIME ZONE $3))
    @> tstzrange($4, $5), false)
FROM (
  SELECT e.opens, e.closes FROM schedule_exceptions e WHERE e.schedule_id = $1 AND e.day = $2 AND e.opens IS NOT NULL
  UNION ALL
  SELECT h.opens, h.closes FROM schedule_hours h
  WHERE h.schedule_id = $1 AND h.weekday = extract(isodow FROM $2::date) - 1
    AND NOT EXISTS (SELECT FROM schedule_exceptions e WHERE e.schedule_id = $1 AND e.day = $2)
) each
"""


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


async def _bookable(ctx: Context, id: Key[Service]) -> Mapping[str, Any]:
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
