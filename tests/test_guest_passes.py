"""Guests whom members bring along: never more a month than the plan grants, each let in once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.memberships import GuestPass, GuestPassStatus, Membership, MembershipCredit, MembershipStatus
from models.notifications import OutboxMessage
from resolvers.context import Context
from resolvers.guest_passes import issue_guest_pass, use_guest_pass, withdraw_guest_pass
from resolvers.operations import perform
from settings import Settings
from tests.members import House, change, on, open_house, save_card
from tests.paying import by, count
from tests.worlds import make_person

FIRST = date(2027, 1, 15)


@pytest.fixture
async def house(database: Database, settings: Settings) -> AsyncIterator[House]:
    async with open_house(database, settings, "America/New_York") as house:
        yield house


@pytest.fixture
async def ann(house: House, database: Database) -> User:
    """A member with three guest passes a month."""
    ann = await make_person(database)
    await save_card(database, ann)
    with on(FIRST):
        await change(by(house.ctx, ann), house.large)
    return ann


async def issue(ctx: Context, name: str = "Gus", **more: str) -> GuestPass:
    made: GuestPass = await perform(issue_guest_pass, ctx, {"guest_name": name, **more})
    return made


@pytest.fixture
async def clerk(house: House, database: Database) -> Context:
    return by(house.ctx, await make_person(database, "clerk"), Role.SUPPORT)


async def test_twenty_at_once_get_as_many_as_the_plan_grants(house: House, database: Database, ann: User) -> None:
    with on(FIRST):
        done = await asyncio.gather(*(issue(by(house.ctx, ann), f"Guest {each}") for each in range(20)), return_exceptions=True)
    assert len([each for each in done if isinstance(each, GuestPass)]) == 3
    assert {type(each) for each in done} == {GuestPass, Conflict}
    assert await count(database, GuestPass) == 3


async def test_the_month_is_that_of_the_house(house: House, database: Database, ann: User) -> None:
    for day, hour in ((date(2027, 1, 31), 12), (date(2027, 2, 1), 4), (date(2027, 2, 1), 6)):  # it turns at five o'clock UTC
        with on(day, hour):
            await issue(by(house.ctx, ann))
    async with database.sessions() as db:
        used = (await db.execute(select(MembershipCredit.month, MembershipCredit.guests).order_by(MembershipCredit.month))).all()
    assert [tuple(each) for each in used] == [(date(2027, 1, 1), 2), (date(2027, 2, 1), 1)]


async def test_a_guest_is_let_in_once_however_many_ask(house: House, database: Database, ann: User, clerk: Context) -> None:
    with on(FIRST):
        made = await issue(by(house.ctx, ann))
        tries = (perform(use_guest_pass, clerk, {"code": f" {made.code.lower()} "}) for _ in range(10))
        done = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Conflict"] * 9 + ["GuestPass"]
    async with database.sessions() as db:
        kept = await db.get_one(GuestPass, made.id)
    assert (kept.status, kept.used_by) == (GuestPassStatus.USED, clerk.viewer.id)
    assert kept.used_at
    assert kept.used_at.date() == FIRST


async def test_a_pass_that_was_withdrawn_lets_nobody_in_and_another_may_be_issued(
    house: House, database: Database, ann: User, clerk: Context
) -> None:
    with on(FIRST):
        made = [await issue(by(house.ctx, ann)) for _ in range(3)]
        done = await asyncio.gather(
            *(perform(withdraw_guest_pass, by(house.ctx, ann), {"id": Key(number=made[0].id)}) for _ in range(5)), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in done) == ["Conflict"] * 4 + ["GuestPass"]
        with pytest.raises(Conflict):
            await perform(use_guest_pass, clerk, {"code": made[0].code})
        await issue(by(house.ctx, ann))
        with pytest.raises(Conflict, match="No guest pass is left"):
            await issue(by(house.ctx, ann))


async def test_a_pass_is_good_for_thirty_days_and_as_long_as_the_membership(
    house: House, database: Database, ann: User, clerk: Context
) -> None:
    with on(FIRST):
        made, other = await issue(by(house.ctx, ann)), await issue(by(house.ctx, ann))
    with on(FIRST + timedelta(days=31)), pytest.raises(Conflict, match="good until"):
        await perform(use_guest_pass, clerk, {"code": made.code})
    async with database.sessions.begin() as db:
        await db.execute(update(Membership).values(status=MembershipStatus.CANCELLED))
    with on(FIRST + timedelta(days=1)), pytest.raises(Conflict, match="has ended"):
        await perform(use_guest_pass, clerk, {"code": other.code})


async def test_the_guest_is_written_to_where_an_address_is_given(house: House, database: Database, ann: User) -> None:
    with on(FIRST):
        await issue(by(house.ctx, ann))
        made = await issue(by(house.ctx, ann), "Gus", guest_email="gus@example.com")
    async with database.sessions() as db:
        [mail] = await db.scalars(select(OutboxMessage).where(OutboxMessage.to == "gus@example.com"))
    assert mail.code == made.code
    assert made.code in mail.body


async def test_passes_are_the_members_own_and_the_staff_let_in(house: House, database: Database, ann: User, clerk: Context) -> None:
    eve = by(house.ctx, await make_person(database, "eve"))
    with on(FIRST):
        made = await issue(by(house.ctx, ann))
        with pytest.raises(NotFound):
            await perform(withdraw_guest_pass, eve, {"id": Key(number=made.id)})
        with pytest.raises(NotFound, match="not a member"):
            await issue(eve)
    with pytest.raises(Forbidden):
        use_guest_pass.admit(by(house.ctx, ann).viewer)
    for code in ("GP-0000-0000", ""):
        with pytest.raises(NotFound):
            await perform(use_guest_pass, clerk, {"code": code})
    with pytest.raises(BadUserInput):
        await perform(use_guest_pass, clerk, {"code": "\x00"})


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b"])
async def test_a_guest_has_a_name(house: House, ann: User, name: str) -> None:
    with on(FIRST), pytest.raises(BadUserInput) as refused:
        await issue(by(house.ctx, ann), name)
    assert list(refused.value.fields) == ["guest_name"]


async def test_a_plan_without_guest_passes_grants_none(house: House, database: Database) -> None:
    bob = await make_person(database, "bob")
    await save_card(database, bob)
    with on(FIRST):
        await change(by(house.ctx, bob), house.monthly)
        with pytest.raises(Conflict):
            await issue(by(house.ctx, bob))
