"""Blocked accounts: out at once, with a reason that stays, and back in only by staff."""

import asyncio

import pytest
from sqlalchemy import select

from errors import BadUserInput, Conflict, Forbidden, InvalidCredentials, NotFound, Unauthenticated
from models.database import Database
from models.event_log import EventRecord
from models.history import Change
from models.identity import Role, Session, User
from models.keys import Key
from resolvers import blocking, identity, sessions
from resolvers.authentication import authenticate
from resolvers.context import Context
from settings import Settings
from tests.people import PASSWORD, as_viewer, call, join, nobody


@pytest.fixture
def stranger(database: Database, settings: Settings) -> Context:
    return nobody(database, settings)


async def staff(stranger: Context, role: Role = Role.SUPPORT) -> Context:
    return await as_viewer(stranger, await join(stranger, role))


async def test_a_blocked_person_is_out_at_once_and_back_in_when_it_is_lifted(stranger: Context, database: Database) -> None:
    signed_in, support = await join(stranger, email="ann@example.com"), await staff(stranger)
    whose = Key[User](number=signed_in.user.id)
    block = await call(blocking.block_account, support, id=whose, reason="Chargebacks")
    assert (block.reason, block.blocked_by_id, block.lifted_at) == ("Chargebacks", support.viewer.id, None)
    with pytest.raises(Unauthenticated):
        await authenticate(database, stranger.settings, signed_in.access_token)
    with pytest.raises(Unauthenticated):
        await call(sessions.refresh_token, stranger, refresh_token=signed_in.refresh_token)
    with pytest.raises(InvalidCredentials):
        await call(identity.sign_in, stranger, email="ann@example.com", password=PASSWORD)
    async with database.sessions() as db:
        [session] = (await db.scalars(select(Session).where(Session.user_id == signed_in.user.id))).all()
        assert session.end_reason == "blocked"
        assert {"session.ended", "user.changed"} <= set(await db.scalars(select(EventRecord.kind)))
        assert "account_blocks" in set(await db.scalars(select(Change.table_name).where(Change.actor_id == support.viewer.id)))
    lifted = await call(blocking.unblock_account, support, id=whose, reason="Paid")
    assert (lifted.id, lifted.lifted_by_id, lifted.lift_reason) == (block.id, support.viewer.id, "Paid")
    with pytest.raises(Unauthenticated):
        await authenticate(database, stranger.settings, signed_in.access_token)
    assert await call(identity.sign_in, stranger, email="ann@example.com", password=PASSWORD)


async def test_of_two_who_block_at_once_one_does(stranger: Context) -> None:
    signed_in, one, other = await join(stranger), await staff(stranger), await staff(stranger)
    whose = Key[User](number=signed_in.user.id)
    outcomes = await asyncio.gather(
        *(call(blocking.block_account, each, id=whose, reason="Fraud") for each in (one, other)), return_exceptions=True
    )
    assert sorted(isinstance(each, Conflict) for each in outcomes) == [False, True]


async def test_whoever_signs_in_while_being_blocked_does_not_stay_in(stranger: Context, database: Database) -> None:
    for _ in range(5):
        signed_in, support = await join(stranger), await staff(stranger)
        async with database.sessions() as db:
            email = (await db.get_one(User, signed_in.user.id)).email
        outcomes = await asyncio.gather(
            call(identity.sign_in, stranger, email=email, password=PASSWORD),
            call(blocking.block_account, support, id=Key(number=signed_in.user.id), reason="Fraud"),
            return_exceptions=True,
        )
        if not isinstance(outcomes[0], BaseException):
            with pytest.raises(Unauthenticated):
                await authenticate(database, stranger.settings, outcomes[0].access_token)
        await call(blocking.unblock_account, support, id=Key(number=signed_in.user.id), reason="Checked")
        if not isinstance(outcomes[0], BaseException):
            with pytest.raises(Unauthenticated):
                await authenticate(database, stranger.settings, outcomes[0].access_token)


async def test_only_a_super_admin_blocks_colleagues_and_nobody_themselves(stranger: Context) -> None:
    support, admin, head = await staff(stranger), await staff(stranger, Role.ADMIN), await staff(stranger, Role.SUPER_ADMIN)
    with pytest.raises(Forbidden):
        await call(blocking.block_account, admin, id=Key(number=support.viewer.id), reason="Quarrel")
    with pytest.raises(Conflict):
        await call(blocking.block_account, head, id=Key(number=head.viewer.id), reason="Tired")
    assert await call(blocking.block_account, head, id=Key(number=support.viewer.id), reason="Left the house")


async def test_who_may_not_and_what_cannot_be_blocked(stranger: Context) -> None:
    signed_in, support = await join(stranger), await staff(stranger)
    ann, whose = await as_viewer(stranger, signed_in), Key[User](number=signed_in.user.id)
    for operation in (blocking.block_account, blocking.unblock_account):
        with pytest.raises(Forbidden):
            await call(operation, ann, id=whose, reason="Why not")
        with pytest.raises(NotFound):
            await call(operation, support, id=Key(number=99999), reason="Fraud")
        for reason in (" ", "x" * 501):
            with pytest.raises(BadUserInput):
                await call(operation, support, id=whose, reason=reason)
    with pytest.raises(Conflict):
        await call(blocking.unblock_account, support, id=whose, reason="Fine")
    with pytest.raises(Forbidden):
        blocking.list_account_blocks.admit(ann.viewer)
