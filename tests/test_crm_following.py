"""Who may follow the CRM's desk and the waiting lists, and what they are shown of each event."""

import dataclasses

import pytest

from errors import Forbidden
from models.database import Database
from models.events import Facilitator
from models.identity import Role
from models.keys import Key
from resolvers import crm_following, waitlists
from resolvers.context import Context, Viewer
from settings import Settings
from subscriptions.log import Cursor, read
from tests.attending import attend, make_event, make_facilitator
from tests.people import call, nobody
from tests.worlds import make_person

START = Cursor(0, 0, 0)


@pytest.fixture
async def jane(database: Database) -> Facilitator:
    return await make_facilitator(database)


def by(ctx: Context, user_id: int, *roles: Role) -> Context:
    return dataclasses.replace(ctx, viewer=Viewer(user_id, frozenset(roles)))


async def test_a_facilitator_follows_what_concerns_their_own_events(database: Database, settings: Settings, jane: Facilitator) -> None:
    ctx, joe = nobody(database, settings), await make_facilitator(database, "joe")
    booking = await attend(database, await make_event(database, jane), await make_person(database, "ann"))
    janes, joes = by(ctx, jane.user_id, Role.FACILITATOR), by(ctx, joe.user_id, Role.FACILITATOR)
    followed = await call(crm_following.follow_crm, janes)
    assert followed.topics == {f"crm:{jane.id}"}
    [record] = (await read(database, START, topics=list(followed.topics))).records
    shown = followed.show(janes, record)
    assert (shown.kind, [row["booking_number"] for row in await ctx.fetch(shown.notice)]) == ("crm.received", [booking.id])
    others = await call(crm_following.follow_crm, joes)
    assert (await read(database, START, topics=list(others.topics))).records == []
    assert await ctx.fetch(others.show(joes, record).notice) == [], "nor would they see anything if they heard of it"
    with pytest.raises(Forbidden):
        await call(crm_following.follow_crm, joes, facilitator_number=jane.id)


async def test_the_staff_follow_everything_or_one_facilitator(database: Database, settings: Settings, jane: Facilitator) -> None:
    staff = by(nobody(database, settings), 99, Role.SUPPORT)
    assert (await call(crm_following.follow_crm, staff)).topics == {"crm"}
    assert (await call(crm_following.follow_crm, staff, facilitator_number=jane.id)).topics == {f"crm:{jane.id}"}
    assert (await call(waitlists.follow_waitlist, staff)).topics == {"waitlists"}


async def test_whoever_waits_follows_their_own_places_only(database: Database, settings: Settings, jane: Facilitator) -> None:
    ctx = nobody(database, settings)
    ann, bob = await make_person(database, "ann"), await make_person(database, "bob")
    event = await make_event(database, jane, seats=1)
    await attend(database, event, ann)
    async with database.sessions.begin() as db:
        full = await db.merge(event)
        full.current_participants = 1
    entry = await call(waitlists.join_event_waitlist, by(ctx, bob.id, Role.CUSTOMER), event_id=Key(number=event.id))
    mine = by(ctx, bob.id, Role.CUSTOMER)
    followed = await call(waitlists.follow_waitlist, mine)
    records = (await read(database, START, topics=list(followed.topics))).records
    shown = [found for each in records if (found := followed.show(mine, each))]
    assert [each.kind for each in shown] == ["waitlist.joined"]
    assert [row["id"] for row in await ctx.fetch(shown[0].entry)] == [entry.id]
    stranger = by(ctx, ann.id, Role.CUSTOMER)
    assert await ctx.fetch(followed.show(stranger, records[-1]).entry) == []
