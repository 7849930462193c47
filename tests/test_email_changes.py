"""Another e-mail address or phone number: who may have it, and who is told."""

import dataclasses
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, text

from errors import AlreadyExists, BadUserInput, RateLimited
from jobs import upkeep
from models.database import Database
from models.identity import EmailChange, User
from models.notifications import Channel, OutboxMessage
from resolvers import email_changes, identity
from resolvers.context import Context
from resolvers.inputs.identity import ProfilePatch
from resolvers.inputs.values import parse_email, parse_phone
from settings import Settings
from tests.people import PASSWORD, as_viewer, call, join, nobody
from tests.test_identity_graphql import Door

NEW = parse_email("ann@elsewhere.com")


@pytest.fixture
def ctx(database: Database, settings: Settings) -> Context:
    return nobody(database, settings)


@pytest.fixture
async def mine(ctx: Context) -> Context:
    return await as_viewer(ctx, await join(ctx, email="ann@example.com", phone=parse_phone("+15550001111")))


async def messages(ctx: Context) -> list[OutboxMessage]:
    async with ctx.database.sessions() as db:
        return list(await db.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


async def code(ctx: Context) -> str:
    return str((await messages(ctx))[-1].code)


async def emails(ctx: Context) -> set[str]:
    async with ctx.database.sessions() as db:
        return set(await db.scalars(select(User.email)))


async def begin(ctx: Context, **about: Any) -> Any:
    return await call(email_changes.change_email, ctx, **{"new_email": NEW, "password": PASSWORD, **about})


async def test_a_new_address_counts_once_it_is_confirmed_and_the_old_one_is_told(ctx: Context, mine: Context) -> None:
    await begin(mine)
    assert await emails(ctx) == {"ann@example.com"}
    [asked] = await messages(ctx)
    assert asked.to == NEW
    assert str(asked.code) in asked.body
    assert (await call(email_changes.confirm_email, ctx, token=str(asked.code))).email == NEW
    assert await emails(ctx) == {NEW}
    told = (await messages(ctx))[-1]
    assert (told.to, told.subject) == ("ann@example.com", "Your e-mail address was changed")
    with pytest.raises(BadUserInput):
        await call(email_changes.confirm_email, ctx, token=str(asked.code))


@pytest.mark.parametrize("password", ["wrong", PASSWORD.upper()])
async def test_another_address_asks_for_the_password(ctx: Context, mine: Context, password: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        await begin(mine, password=password)
    assert list(refusal.value.fields) == ["password"]
    assert await messages(ctx) == []


async def test_only_the_newest_code_is_good(ctx: Context, mine: Context) -> None:
    await begin(mine)
    first = await code(ctx)
    await begin(mine, new_email=parse_email("ann@third.com"))
    with pytest.raises(BadUserInput):
        await call(email_changes.confirm_email, ctx, token=first)
    assert (await call(email_changes.confirm_email, ctx, token=await code(ctx))).email == "ann@third.com"


async def test_a_code_ends_with_its_day_and_with_a_new_password(ctx: Context, mine: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    await begin(mine)
    now = ctx.now()
    monkeypatch.setattr("clock.now", lambda: now + timedelta(hours=email_changes.GOOD_HOURS, seconds=1))
    with pytest.raises(BadUserInput):
        await call(email_changes.confirm_email, ctx, token=await code(ctx))
    monkeypatch.undo()
    await call(identity.change_password, mine, current_password=PASSWORD, new_password="entirely new one")
    with pytest.raises(BadUserInput):
        await call(email_changes.confirm_email, ctx, token=await code(ctx))
    assert await emails(ctx) == {"ann@example.com"}


async def test_it_is_not_told_whether_an_address_is_known(ctx: Context, mine: Context) -> None:
    await join(ctx, email="bob@example.com")
    known = await begin(mine, new_email=parse_email("Bob@Example.com"))
    [told] = await messages(ctx)
    assert (told.to, told.code) == ("bob@example.com", None)
    free = await begin(mine)
    assert dataclasses.asdict(known).keys() == dataclasses.asdict(free).keys()


async def test_an_address_that_was_taken_meanwhile_is_refused(ctx: Context, mine: Context) -> None:
    await begin(mine)
    token = await code(ctx)
    await join(ctx, email=NEW)
    with pytest.raises(AlreadyExists) as refusal:
        await call(email_changes.confirm_email, ctx, token=token)
    assert list(refusal.value.fields) == ["email"]
    assert await emails(ctx) == {"ann@example.com", NEW}


async def test_codes_cannot_be_guessed_for_long(ctx: Context) -> None:
    for _ in range(30):
        with pytest.raises(BadUserInput):
            await call(email_changes.confirm_email, ctx, token="guess")
    with pytest.raises(RateLimited):
        await call(email_changes.confirm_email, ctx, token="guess")


async def test_addresses_that_nobody_confirmed_are_forgotten(ctx: Context, mine: Context) -> None:
    await begin(mine)
    await upkeep.forget_email_changes(ctx)
    assert await ctx.fetch(select(EmailChange.id))
    async with ctx.database.sessions.begin() as db:
        await db.execute(text("UPDATE email_changes SET expires_at = now() - interval '1 minute'"))
    await upkeep.forget_email_changes(ctx)
    assert not await ctx.fetch(select(EmailChange.id))


@pytest.mark.parametrize(("door", "password"), [("graphql", PASSWORD), ("coresync", None)])
async def test_a_new_phone_number_is_told_to_the_account_whatever_door_it_came_through(
    ctx: Context, mine: Context, door: str, password: str | None
) -> None:
    there = dataclasses.replace(mine, door=door)
    patch = ProfilePatch(phone=parse_phone("+15550002222"))
    for _ in range(2):
        await call(identity.update_profile, there, patch=patch, password=password)
    [told] = await messages(ctx)
    assert (told.to, told.subject) == ("ann@example.com", "Your phone number was changed")
    assert "2222" not in told.body


async def test_who_has_no_address_is_told_at_the_old_number(ctx: Context, mine: Context) -> None:
    async with ctx.database.sessions.begin() as db:
        await db.execute(text("UPDATE users SET email = NULL"))
    there = dataclasses.replace(mine, door="coresync")
    await call(identity.update_profile, there, patch=ProfilePatch(phone=parse_phone("+15550002222")))
    [told] = await messages(ctx)
    assert (told.to, told.channel) == ("+15550001111", Channel.SMS)


async def test_an_address_is_changed_through_graphql(ctx: Context, client: httpx2.AsyncClient) -> None:
    door = Door(client)
    await door.join()
    change = f'mutation {{ changeEmail(newEmail: "New@Example.com", password: "{PASSWORD}") {{ email expiresAt }} }}'
    assert (await door.data(change))["changeEmail"]["email"] == "new@example.com"
    door.token = None
    assert (await door.data(f'mutation {{ confirmEmail(token: "{await code(ctx)}") {{ email }} }}'))["confirmEmail"] == {
        "email": "new@example.com"
    }
    assert await door.code(change) == "UNAUTHENTICATED"
