"""The examples of docs/events.md and docs/calendars.md, played in their order."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from graphql import parse, validate

from engine.execute import Engine
from models.database import Database
from models.identity import Role
from resolvers.context import Context
from settings import Settings
from tests.examples import examples
from tests.gatherings import as_facilitator, make_facilitator
from tests.paying import by
from tests.worlds import make_person, soon


async def test_the_examples_of_events_do_what_the_page_says(world: Context, database: Database, settings: Settings) -> None:
    engine = Engine(settings)
    find, book, leave, hold, change, call_off, desk = examples("events.md")
    jane, _ = await make_facilitator(database)
    ann = by(world, await make_person(database))

    async def play(text: str, ctx: Context, **variables: Any) -> Any:
        answer = await engine.run(text, replace(ctx), variables=variables)
        assert answer.errors == [], answer.errors
        assert answer.data is not None
        return next(iter(answer.data.values()))

    weekly = hold.replace("maxParticipants: 24", 'recurrence: "FREQ=WEEKLY;COUNT=3", maxParticipants: 24')
    event = (
        await play(weekly, as_facilitator(world, jane), **{"from": soon().isoformat(), "until": (soon() + timedelta(hours=1)).isoformat()})
    )["number"]
    booked = await play(book, ann, event=event)
    assert (booked["crmNotified"], booked["booking"]["event"]["title"]) == (True, "Sound Bath")
    changed = await play(change, as_facilitator(world, jane), event=event)
    assert (changed["title"], changed["series"]["rule"]) == ("Deep Sound Bath", "FREQ=WEEKLY;COUNT=3")
    assert (await play(find.replace("meditation", "sound"), ann))["pageInfo"]["total"] == 3
    assert (await play(leave, ann, booking=booked["booking"]["number"]))["status"] == "CANCELLED"
    assert await play(call_off, as_facilitator(world, jane), event=event) == {"status": "CANCELLED", "cancelReason": "The teacher is ill"}
    assert validate(engine.schema, parse(desk)) == []


async def test_the_examples_of_calendars_do_what_the_page_says(world: Context, database: Database, settings: Settings) -> None:
    engine = Engine(settings)
    follow, feeds = examples("calendars.md")
    ann = by(world, await make_person(database), Role.CUSTOMER)
    made = await engine.run(follow, ann)
    assert made.data is not None
    number = made.data["createCalendarFeed"]["feed"]["number"]
    listed = await engine.run(feeds, ann, operation_name="Feeds")
    revoked = await engine.run(feeds, ann, operation_name="Revoke", variables={"feed": str(number)})
    assert listed.data is not None
    assert revoked.data is not None
    assert [each["number"] for each in listed.data["myCalendarFeeds"]["nodes"]] == [number]
    assert revoked.data["revokeCalendarFeed"]["revokedAt"]
