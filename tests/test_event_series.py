"""Sessions that recur: by rules of RFC 5545, at the hour of the clock, changed alone or with those that follow."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

import clock
from errors import BadUserInput, SlotTaken
from models.bookings import Booking, BookingStatus
from models.database import Database
from models.events import Event, EventSeries, EventStatus
from models.identity import User
from models.keys import Key
from models.notifications import Notification
from resolvers.context import Context
from resolvers.event_changes import cancel_event, update_event
from resolvers.event_series import extend_series
from resolvers.inputs.events import EventPatch, EventScope
from resolvers.recurrence import Recurrence
from tests.gatherings import as_facilitator, book, make_event, make_facilitator
from tests.people import call
from tests.worlds import soon

NEW_YORK = ZoneInfo("America/New_York")
FOLLOWING = EventScope.THIS_AND_FOLLOWING


async def calendar(database: Database) -> Sequence[Event]:
    """All events in the order in which they take place."""
    async with database.sessions() as db:
        return (await db.scalars(select(Event).order_by(Event.starts_at, Event.id))).all()


def standing(events: Sequence[Event]) -> list[Event]:
    return [each for each in events if each.status is EventStatus.ACTIVE]


@pytest.mark.parametrize(
    ("rule", "count", "last"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=5", 5, "2026-03-16T07:00"),
        ("RRULE:freq=daily;interval=3;count=4", 4, "2026-03-11T07:00"),
        ("FREQ=MONTHLY;BYDAY=1MO;UNTIL=20260601", 4, "2026-06-01T07:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", 2, "2026-04-30T07:00"),
        ("FREQ=WEEKLY;UNTIL=20260316T110000Z", 3, "2026-03-16T07:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=30;BYMONTH=2", 0, ""),
    ],
)
async def test_rules_recur_at_the_hour_of_the_clock_over_changes_of_time(rule: str, count: int, last: str) -> None:
    """New York's clocks go forward on 8 March 2026, and 7 o'clock stays 7 o'clock."""
    starts = datetime(2026, 3, 2, 7, tzinfo=NEW_YORK)
    found = await Recurrence.parse(rule).occurrences(starts, NEW_YORK, datetime(2026, 7, 1, tzinfo=UTC))
    assert len(found) == count
    if found:
        assert f"{found[-1].astimezone(NEW_YORK):%Y-%m-%dT%H:%M}" == last
        assert {each.astimezone(NEW_YORK).hour for each in found} == {7}


@pytest.mark.parametrize(
    "rule",
    ["", "WEEKLY", "FREQ=HOURLY", "FREQ=WEEKLY;INTERVAL=0", "FREQ=WEEKLY;COUNT=3;UNTIL=20260101", "FREQ=WEEKLY;BYDAY=XX",
     "FREQ=DAILY;BYHOUR=7",
     "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=WEEKLY;FREQ=DAILY", "FREQ=WEEKLY\nDTSTART=20260101", "FREQ=WEEKLY;" + "BYDAY=MO," * 40],
)  # fmt: skip
def test_what_is_no_rule_or_takes_too_long_is_refused(rule: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        Recurrence.parse(rule)
    assert "recurrence" in refusal.value.fields


async def test_a_series_stands_in_the_calendar_for_three_months_and_a_job_goes_on_with_it(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    first = await make_event(world, user, recurrence="FREQ=WEEKLY")
    made = await calendar(database)
    assert made[0].id == first.id
    assert len(made) == 12
    assert {(after.starts_at - before.starts_at).days for before, after in pairwise(made)} <= {6, 7}
    clock.set_ahead(timedelta(days=25).total_seconds())
    try:
        await extend_series(world)
        assert len(await calendar(database)) == 16
        await extend_series(world)
        assert len(await calendar(database)) == 16
    finally:
        clock.set_ahead(0)


async def test_a_week_in_which_the_facilitator_is_busy_is_left_out_and_told(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    first = await make_event(world, user, recurrence="FREQ=WEEKLY")
    local = first.starts_at.astimezone(NEW_YORK).replace(tzinfo=None) + timedelta(days=7 * 12)
    await make_event(world, user, local.replace(tzinfo=NEW_YORK).astimezone(UTC), title="Something else")
    clock.set_ahead(timedelta(days=5).total_seconds())
    try:
        await extend_series(world)
    finally:
        clock.set_ahead(0)
    assert len([each for each in await calendar(database) if each.series_id]) == 12
    async with database.sessions() as db:
        assert [each.title for each in await db.scalars(select(Notification))] == ["Not in the calendar"]


async def test_a_series_that_meets_something_is_refused_as_a_whole(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    first = await make_event(world, user, soon(14))
    with pytest.raises(SlotTaken):
        await make_event(world, user, first.starts_at - timedelta(days=2), recurrence="FREQ=DAILY;COUNT=5")
    assert len(await calendar(database)) == 1


async def test_what_is_changed_alone_is_passed_by_when_those_that_follow_change(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    await make_event(world, user, recurrence="FREQ=WEEKLY;COUNT=5")
    one, two, three, four, five = await calendar(database)
    ctx = as_facilitator(world, user)
    await call(update_event, ctx, id=Key(number=four.id), patch=EventPatch(title="With a guest"))
    await call(update_event, ctx, id=Key(number=three.id), patch=EventPatch(title="Deeper", max_participants=8), scope=FOLLOWING)
    now = await calendar(database)
    assert [each.title for each in now] == [one.title, two.title, "Deeper", "With a guest", "Deeper"]
    assert [each.max_participants for each in now] == [20, 20, 8, 20, 8]
    assert [each.starts_at for each in now] == [each.starts_at for each in (one, two, three, four, five)]
    assert len({each.series_id for each in now}) == 2
    async with database.sessions() as db:
        before, after = (await db.scalars(select(EventSeries).order_by(EventSeries.id))).all()
    assert (before.ended_at is not None, "UNTIL=" in before.rule, after.rule) == (True, True, "FREQ=WEEKLY;COUNT=3")


async def test_another_hour_moves_those_that_follow_with_who_has_booked(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    await make_event(world, user, recurrence="FREQ=WEEKLY;COUNT=4")
    _, two, _, four = await calendar(database)
    booked = await book(world, ann, four)
    later = EventPatch(starts_at=two.starts_at + timedelta(hours=2))
    await call(update_event, as_facilitator(world, user), id=Key(number=two.id), patch=later, scope=FOLLOWING)
    moved = await calendar(database)
    assert [each.starts_at.astimezone(NEW_YORK).hour - moved[0].starts_at.astimezone(NEW_YORK).hour for each in moved] == [0, 2, 2, 2]
    async with database.sessions() as db:
        assert (await db.get_one(Booking, booked.id)).starts_at == moved[3].starts_at


async def test_another_rule_moves_cancels_and_adds(world: Context, database: Database, ann: User) -> None:
    user, _ = await make_facilitator(database)
    await make_event(world, user, recurrence="FREQ=WEEKLY;COUNT=4")
    _, two, three, _ = await calendar(database)
    lost = await book(world, ann, three)
    ctx = as_facilitator(world, user)
    with pytest.raises(BadUserInput):
        await call(update_event, ctx, id=Key(number=two.id), patch=EventPatch(recurrence="FREQ=WEEKLY;INTERVAL=2"))
    patch = EventPatch(recurrence="FREQ=WEEKLY;INTERVAL=2;COUNT=3")
    await call(update_event, ctx, id=Key(number=two.id), patch=patch, scope=FOLLOWING)
    now = standing(await calendar(database))
    gaps = [(each.starts_at.astimezone(NEW_YORK).date() - now[0].starts_at.astimezone(NEW_YORK).date()).days for each in now]
    assert gaps == [0, 7, 21, 35]
    async with database.sessions() as db:
        assert (await db.get_one(Booking, lost.id)).status is BookingStatus.CANCELLED


async def test_a_series_ends_from_one_event_on_and_is_not_gone_on_with(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    await make_event(world, user, recurrence="FREQ=WEEKLY")
    events = await calendar(database)
    ctx = as_facilitator(world, user)
    await call(cancel_event, ctx, id=Key(number=events[2].id), scope=FOLLOWING)
    assert [each.id for each in standing(await calendar(database))] == [events[0].id, events[1].id]
    clock.set_ahead(timedelta(days=30).total_seconds())
    try:
        await extend_series(world)
    finally:
        clock.set_ahead(0)
    assert len(await calendar(database)) == len(events)


async def test_only_what_recurs_has_something_that_follows(world: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    event = await make_event(world, user)
    with pytest.raises(BadUserInput):
        await call(cancel_event, as_facilitator(world, user), id=Key(number=event.id), scope=FOLLOWING)
