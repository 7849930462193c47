"""Making, changing and cancelling events, alone or with those of their series that follow; whoever has booked is told of it."""

from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import select

from errors import BadUserInput, Forbidden
from models.events import Event, Facilitator
from models.identity import STAFF, Role
from models.keys import Key
from models.rooms import Room
from models.scheduling import Location
from resolvers.context import Context
from resolvers.event_calendar import Times, add_event, call_off, change_event
from resolvers.event_series import begin_series, change_following, end_series
from resolvers.events import access_event, check_open
from resolvers.idempotency import answers
from resolvers.inputs.events import EventInput, EventPatch, EventScope
from resolvers.inputs.values import parse_text
from resolvers.operations import allow

LONGEST = {"title": 200, "description": 5000, "venue": 300, "requirements": 1000, "virtual_link": 1000, "reason": 2000}
MOST_SEATS = 1000


def told(given: EventInput | EventPatch) -> dict[str, Any]:
    """What is told about an event, checked; only what was given."""
    found: dict[str, Any] = {}
    for name in ("title", "description", "venue", "requirements", "virtual_link"):
        text = getattr(given, name)
        if text is not None:
            found[name] = parse_text(text, name, longest=LONGEST[name]) or ("" if name in ("title", "description") else None)
    if found.get("title") == "":
        raise BadUserInput(title="This field may not be empty.")
    if (link := found.get("virtual_link")) and not link.startswith("https://"):
        raise BadUserInput(virtual_link="This must begin with https://.")
    if given.max_participants is not None and not 1 <= given.max_participants <= MOST_SEATS:
        raise BadUserInput(max_participants=f"1 to {MOST_SEATS} seats.")
    if given.price is not None and given.price < Decimal(0):
        raise BadUserInput(price="A price is not negative.")
    for name in ("max_participants", "price", "kind"):
        if getattr(given, name) is not None:
            found[name] = getattr(given, name)
    return found


async def room_of(ctx: Context, text: str | None) -> int | None:
    """The number of the room that a client named."""
    if not text:
        return None
    rows = await ctx.fetch(select(Room.id).where(Key[Room].parse(text, "room_id").names(Room), Room.is_active))
    if not rows:
        raise BadUserInput(room_id="There is no such room.")
    return int(rows[0]["id"])


async def facilitator_for(ctx: Context, text: str | None) -> int:
    """Who is to hold a new event: the viewer, or whom the staff names."""
    found = select(Facilitator.id, Facilitator.user_id).where(Facilitator.is_active)
    named = Key[Facilitator].parse(text, "facilitator_id").names(Facilitator) if text else Facilitator.user_id == ctx.viewer.id
    rows = await ctx.fetch(found.where(named))
    if not rows:
        raise BadUserInput(facilitator_id="Say which facilitator is to hold it.")
    if rows[0]["user_id"] != ctx.viewer.id and not ctx.viewer.is_staff:
        raise Forbidden("Facilitators make events of their own.")
    return int(rows[0]["id"])


async def zone_of(ctx: Context, text: str | None) -> str:
    """The time zone that a client named, or the house's."""
    if text is None:
        rows = await ctx.fetch(select(Location.time_zone).order_by(Location.id).limit(1))
        return str(rows[0]["time_zone"]) if rows else "UTC"
    if text not in available_timezones():
        raise BadUserInput(time_zone="This is not the name of a time zone, such as America/New_York.")
    return text


async def columns_of(ctx: Context, input: EventInput) -> dict[str, Any]:
    """What a new event, or a whole series, is told by."""
    if len(input.currency) != 3 or not input.currency.isalpha():
        raise BadUserInput(currency="Give three letters, such as USD.")
    return {
        **told(input),
        "facilitator_id": await facilitator_for(ctx, input.facilitator_id),
        "room_id": await room_of(ctx, input.room_id),
        "time_zone": await zone_of(ctx, input.time_zone),
        "currency": input.currency.upper(),
    }


@allow(Role.FACILITATOR, *STAFF)
async def create_event(ctx: Context, *, input: EventInput) -> Event:
    """Put an event into the calendar: facilitators their own, the staff anybody's; with a rule it recurs, and the first one is answered."""
    columns, times = await columns_of(ctx, input), Times(input.starts_at, input.ends_at)
    times.check(ctx)
    if input.recurrence:
        return await begin_series(ctx, columns, times, input.recurrence)
    async with ctx.writing() as db:
        event = await add_event(ctx, db, columns, times)
        answers(db, event)
    return event


@allow(Role.FACILITATOR, *STAFF)
async def update_event(ctx: Context, *, id: Key[Event], patch: EventPatch, scope: EventScope = EventScope.THIS) -> Event:
    """Change an event that has not begun, or with it those of its series that follow; everybody who has booked is told."""
    columns = told(patch)
    if patch.room_id is not None:
        columns["room_id"] = await room_of(ctx, patch.room_id)
    if patch.recurrence is not None and scope is EventScope.THIS:
        raise BadUserInput(recurrence="Another rule is for this one and those that follow.")
    async with ctx.writing() as db:
        event = await access_event(db, ctx.viewer, id)
        check_open(event, ctx)
        starts_at = patch.starts_at or event.starts_at
        times = Times(starts_at, patch.ends_at or starts_at + (event.ends_at - event.starts_at))
        times.check(ctx)
        if scope is EventScope.THIS_AND_FOLLOWING:
            await change_following(ctx, db, event, columns, times, patch.recurrence)
        else:
            event.is_detached = event.series_id is not None
            await change_event(ctx, db, event, columns, times)
        answers(db, event)
    return event


@allow(Role.FACILITATOR, *STAFF)
async def cancel_event(ctx: Context, *, id: Key[Event], reason: str | None = None, scope: EventScope = EventScope.THIS) -> Event:
    """Cancel an event that has not begun, or with it those of its series that follow; bookings end, money comes back, everybody is told."""
    reason = parse_text(reason, "reason", longest=LONGEST["reason"]) if reason else None
    async with ctx.writing() as db:
        event = await access_event(db, ctx.viewer, id)
        check_open(event, ctx)
        if scope is EventScope.THIS_AND_FOLLOWING:
            for each in await end_series(ctx, db, event):
                await call_off(ctx, db, each, reason)
        else:
            await call_off(ctx, db, event, reason)
        answers(db, event)
    return event
