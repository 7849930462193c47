"""Sessions that recur: put into the calendar some way ahead, changed or ended from one of them on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, SlotTaken
from models.events import Event, EventSeries, EventStatus, Facilitator, Told
from models.identity import User
from models.notifications import NotificationKind
from resolvers.context import Context
from resolvers.event_calendar import Times, add_event, call_off, change_event
from resolvers.idempotency import answers
from resolvers.letters import spell_day, spell_hour
from resolvers.notifications import notify
from resolvers.recurrence import Recurrence

AHEAD = timedelta(days=90)
"""How far ahead a series stands in the calendar; a job goes on with it every night."""
BATCH = 50
COLUMNS = tuple(name for name in Told.__annotations__ if name in Event.__table__.columns)


def columns_of_series(series: EventSeries) -> dict[str, Any]:
    """What its events are told by."""
    return {name: getattr(series, name) for name in COLUMNS}


async def begin_series(ctx: Context, columns: dict[str, Any], times: Times, rule: str) -> Event:
    """Make a series with those of its events that are near enough; the first one is answered."""
    recurrence = Recurrence.parse(rule)
    before = ctx.now() + AHEAD
    moments = await recurrence.occurrences(
        times.starts_at, ZoneInfo(columns["time_zone"]), max(before, times.starts_at + timedelta(days=1))
    )
    if not moments:
        raise BadUserInput(recurrence="By this rule it never takes place in the time ahead.")
    async with ctx.writing() as db:
        series = await _add_series(db, columns, times, recurrence, before)
        events = [await _add_one(ctx, db, series, each) for each in moments]
        answers(db, events[0])
    return events[0]


async def _add_series(db: AsyncSession, columns: dict[str, Any], times: Times, recurrence: Recurrence, before: datetime) -> EventSeries:
    lasts = times.ends_at - times.starts_at
    series = EventSeries(**columns, rule=str(recurrence), starts_at=times.starts_at, lasts=lasts, made_until=before)
    db.add(series)
    await db.flush()
    return series


async def _add_one(ctx: Context, db: AsyncSession, series: EventSeries, at: datetime) -> Event:
    columns = {**columns_of_series(series), "series_id": series.id, "recurs_at": at}
    return await add_event(ctx, db, columns, Times(at, at + series.lasts))


async def change_following(ctx: Context, db: AsyncSession, event: Event, columns: dict[str, Any], times: Times, rule: str | None) -> None:
    """Change a locked event and those that follow it: they become a series of their own, and the one before ends.

    An event whose day is in the new rule too is moved with everybody who has booked it; one whose day is not is cancelled. What was
    changed alone stays as it was made, unless it is the event itself.
    """
    series = await _series_of(db, event)
    recurs_at = _recurs_at(event)
    zone = ZoneInfo(event.time_zone)
    old = Recurrence.parse(series.rule)
    recurrence = Recurrence.parse(rule) if rule else old.after(await old.count(series.starts_at, zone, recurs_at))
    shift = times.starts_at.astimezone(zone).date() - recurs_at.astimezone(zone).date()
    if shift and rule is None and "BY" in series.rule:
        raise BadUserInput(recurrence="Another day needs another rule.")
    moments = await recurrence.occurrences(times.starts_at, zone, max(series.made_until, times.starts_at + timedelta(days=1)))
    if not moments:
        raise BadUserInput(recurrence="By this rule it never takes place in the time ahead.")
    fresh = await _add_series(db, {**columns_of_series(series), **columns}, times, recurrence, series.made_until)
    following = await _following(db, event)
    series.rule, series.ended_at = str(old.until(recurs_at - timedelta(seconds=1))), ctx.now()
    event.is_detached = False
    open_days = {each.astimezone(zone).date(): each for each in moments}
    for each in following:
        day = _recurs_at(each).astimezone(zone).date() + shift
        at = open_days.pop(day, None)
        await _join(ctx, db, each, fresh, at or datetime.combine(day, times.starts_at.astimezone(zone).timetz()), columns, is_kept=bool(at))
    for at in sorted(open_days.values()):
        await _add_one(ctx, db, fresh, at)


async def _join(
    ctx: Context, db: AsyncSession, event: Event, series: EventSeries, at: datetime, columns: dict[str, Any], *, is_kept: bool
) -> None:
    """Bring an event of the series before into the new one."""
    event.series_id, event.recurs_at = series.id, at
    await db.flush()
    if event.status is not EventStatus.ACTIVE or event.is_detached or event.starts_at <= ctx.now():
        return
    if is_kept:
        await change_event(ctx, db, event, columns, Times(at, at + series.lasts))
    else:
        await call_off(ctx, db, event, None)


async def end_series(ctx: Context, db: AsyncSession, event: Event) -> Sequence[Event]:
    """Let no more follow a locked event, and answer it with those to come that follow already."""
    series = await _series_of(db, event)
    recurs_at = _recurs_at(event)
    series.rule, series.ended_at = str(Recurrence.parse(series.rule).until(recurs_at - timedelta(seconds=1))), ctx.now()
    return [each for each in await _following(db, event) if each.status is EventStatus.ACTIVE and each.starts_at > ctx.now()]


async def _series_of(db: AsyncSession, event: Event) -> EventSeries:
    if event.series_id is None:
        raise BadUserInput(scope="This event does not recur.")
    return await db.get_one(EventSeries, event.series_id, with_for_update=True)


async def _following(db: AsyncSession, event: Event) -> Sequence[Event]:
    """The event with all of its series that come after it, locked in the order of their numbers."""
    later = select(Event).where(Event.series_id == event.series_id, or_(Event.id == event.id, Event.recurs_at > event.recurs_at))
    found = (await db.scalars(later.order_by(Event.id).with_for_update(key_share=True))).all()
    return sorted(found, key=_recurs_at)


def _recurs_at(event: Event) -> datetime:
    assert event.recurs_at is not None  # noqa: S101 - the database holds that an event of a series has it
    return event.recurs_at


async def extend_series(ctx: Context) -> None:
    """Put what comes next of every series into the calendar; a time at which facilitator or room is busy is left out, and they are told."""
    before = ctx.now() + AHEAD
    due = select(EventSeries.id).where(EventSeries.ended_at.is_(None), EventSeries.made_until < before - timedelta(hours=1))
    is_full = True
    while is_full:
        found = await ctx.fetch(due.order_by(EventSeries.id).limit(BATCH))
        for row in found:
            await _extend(ctx, row["id"], before)
        is_full = len(found) == BATCH


async def _extend(ctx: Context, series_id: int, before: datetime) -> None:
    async with ctx.writing() as db:
        series = await db.get_one(EventSeries, series_id, with_for_update=True)
        if series.ended_at is not None or series.made_until >= before:
            return
        through = min(before, series.made_until + AHEAD)  # after a long pause in several steps
        moments = await Recurrence.parse(series.rule).occurrences(
            series.starts_at, ZoneInfo(series.time_zone), through, since=series.made_until
        )
        made = set(await db.scalars(select(Event.recurs_at).where(Event.series_id == series.id)))
        for at in moments:
            if at not in made and at > ctx.now():
                try:
                    async with db.begin_nested():
                        await _add_one(ctx, db, series, at)
                except SlotTaken:
                    await _tell_left_out(db, series, at)
        series.made_until = through


async def _tell_left_out(db: AsyncSession, series: EventSeries, at: datetime) -> None:
    whose = select(User).join(Facilitator, Facilitator.user_id == User.id).where(Facilitator.id == series.facilitator_id)
    user = (await db.scalars(whose)).one()
    local = at.astimezone(ZoneInfo(series.time_zone))
    facts = {
        "first_name": user.first_name,
        "event": series.title,
        "day": spell_day(local.date()),
        "hour": spell_hour(local),
        "zone": series.time_zone,
    }
    await notify(db, user.id, NotificationKind.EVENT_LEFT_OUT, facts, cause=f"series:{series.id}:{at.isoformat()}")
