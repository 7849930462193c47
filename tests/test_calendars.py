"""Calendars behind secret addresses, as calendar programs fetch them."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from icalendar import Calendar
from starlette.applications import Starlette

from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.database import Database
from models.events import FeedKind
from models.identity import Role
from models.keys import Key
from resolvers.calendars import MOST_FEEDS, FeedMade, create_calendar_feed, revoke_calendar_feed
from resolvers.context import Context
from resolvers.event_changes import cancel_event, update_event
from resolvers.inputs.events import EventPatch
from tests.gatherings import as_facilitator, book, make_event, make_facilitator
from tests.paying import by
from tests.people import call
from tests.worlds import Spa, make_person, make_spa, soon


@pytest.fixture
def ctx(app: Starlette) -> Context:
    made: Context = app.state.runtime.context(request_id="req_test", address="test")
    return made


async def read(client: httpx2.AsyncClient, made: FeedMade) -> dict[str, Any]:
    """The entries of a feed by their title."""
    answer = await client.get(made.path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return {str(each["summary"]): each for each in Calendar.from_ical(answer.text).walk("VEVENT")}


async def test_an_attendee_sees_bookings_with_every_change(client: httpx2.AsyncClient, ctx: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    ann = await make_person(database)
    event = await make_event(ctx, user, venue="Wellness Center, 2nd floor; ring twice")
    await book(ctx, ann, event)
    made = await call(create_calendar_feed, by(ctx, ann))
    entry = (await read(client, made))["Morning Meditation Session"]
    assert (entry["dtstart"].dt, entry["dtend"].dt) == (event.starts_at, event.ends_at)
    assert (str(entry["location"]), str(entry["status"]), entry["sequence"]) == (event.venue, "CONFIRMED", 0)
    uid = str(entry["uid"])
    patch = EventPatch(starts_at=event.starts_at + timedelta(hours=1))
    await call(update_event, as_facilitator(ctx, user), id=Key(number=event.id), patch=patch)
    entry = (await read(client, made))["Morning Meditation Session"]
    assert (str(entry["uid"]), entry["sequence"], entry["dtstart"].dt) == (uid, 1, patch.starts_at)
    await call(cancel_event, as_facilitator(ctx, user), id=Key(number=event.id))
    entry = (await read(client, made))["Morning Meditation Session"]
    assert (str(entry["uid"]), str(entry["status"])) == (uid, "CANCELLED")
    assert entry["sequence"] > 1


async def test_a_facilitator_sees_what_they_hold_and_staff_what_takes_place_in_a_room(
    client: httpx2.AsyncClient, ctx: Context, database: Database
) -> None:
    spa: Spa = await make_spa(database)
    user, _ = await make_facilitator(database)
    ann = await make_person(database)
    event = await make_event(ctx, user, room_id=str(spa.rooms[0].id))
    await make_event(ctx, user, soon(9), title="Elsewhere")
    await book(ctx, ann, event)
    held = await read(client, await call(create_calendar_feed, as_facilitator(ctx, user), kind=FeedKind.FACILITATOR))
    assert set(held) == {"Morning Meditation Session", "Elsewhere"}
    assert "1 of 20 seats are taken." in str(held["Morning Meditation Session"]["description"])
    room = Key[Any](number=spa.rooms[0].id)
    staff = by(ctx, await make_person(database, "bob", Role.SUPPORT), Role.SUPPORT)
    made = await call(create_calendar_feed, staff, kind=FeedKind.ROOM, room_id=room)
    answer = await client.get(made.path)
    assert "Room 1" in answer.text
    assert set(await read(client, made)) == {"Morning Meditation Session"}
    assert "ann" not in answer.text.lower()
    with pytest.raises(Forbidden):
        await call(create_calendar_feed, by(ctx, ann), kind=FeedKind.ROOM, room_id=room)
    with pytest.raises(Forbidden):
        await call(create_calendar_feed, by(ctx, ann), kind=FeedKind.FACILITATOR)
    with pytest.raises(BadUserInput):
        await call(create_calendar_feed, staff, kind=FeedKind.ROOM)


async def test_a_revoked_or_invented_address_shows_nothing(client: httpx2.AsyncClient, ctx: Context, database: Database) -> None:
    ann, bob = await make_person(database), await make_person(database, "bob")
    made = await call(create_calendar_feed, by(ctx, ann))
    with pytest.raises(NotFound):
        await call(revoke_calendar_feed, by(ctx, bob), id=Key(number=made.feed.id))
    assert (await client.get(made.path)).status_code == 200
    await call(revoke_calendar_feed, by(ctx, ann), id=Key(number=made.feed.id))
    for path in (made.path, "/calendars/feed.ics?secret=invented", "/calendars/feed.ics"):
        assert (await client.get(path)).status_code == 404


async def test_what_a_program_has_already_is_not_sent_again(client: httpx2.AsyncClient, ctx: Context, database: Database) -> None:
    user, _ = await make_facilitator(database)
    await make_event(ctx, user)
    made = await call(create_calendar_feed, as_facilitator(ctx, user), kind=FeedKind.FACILITATOR)
    first = await client.get(made.path)
    again = await client.get(made.path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await make_event(ctx, user, soon(9))
    assert (await client.get(made.path, headers={"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_the_secret_stands_nowhere_and_feeds_are_counted(
    client: httpx2.AsyncClient, ctx: Context, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = await make_person(database)
    made = await call(create_calendar_feed, by(ctx, ann))
    secret = made.path.partition("=")[2]
    await client.get(made.path)
    assert secret not in capsys.readouterr().out
    assert secret not in made.feed.secret_hash
    for _ in range(MOST_FEEDS - 1):
        await call(create_calendar_feed, by(ctx, ann))
    with pytest.raises(Conflict):
        await call(create_calendar_feed, by(ctx, ann))
