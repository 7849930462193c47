"""Signing in with Google: what is believed, whose account it opens, and what happens while Google's keys cannot be had."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from sqlalchemy import func, select

from errors import GoogleOff, InvalidCredentials, Unavailable
from gateways.google import Google
from gateways.jwks import PAUSE, Jwks
from gateways.simulators.google import DOCUMENTED, GoogleSimulator
from models.database import Database
from models.identity import Credential, User
from resolvers.context import Context
from resolvers.google import sign_in_with_google
from tests.people import call
from tests.sql import sql
from tests.worlds import make_person


@pytest.fixture(scope="module")
def simulator() -> GoogleSimulator:
    return GoogleSimulator()


@pytest.fixture
async def google(simulator: GoogleSimulator) -> AsyncIterator[Google]:
    async with Google(simulator.client_id, simulator.transport(), simulator.exchange) as google:
        yield google


@pytest.fixture
async def as_nobody(world: Context, google: Google) -> Context:
    return replace(world, gateways=replace(world.gateways, google=google))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody-else.apps.googleusercontent.com"},
        {"iss": "https://accounts.example.com"},
        {"exp": datetime.now(UTC) - timedelta(minutes=5)},
        {"iat": datetime.now(UTC) + timedelta(hours=1)},
        {"email_verified": False},
        {"email": None},
        {"sub": ""},
    ],
)
async def test_a_token_that_does_not_hold_is_refused(google: Google, simulator: GoogleSimulator, claims: dict[str, Any]) -> None:
    assert (await google.identify(simulator.sign())).email == "google.user@example.com"
    with pytest.raises(InvalidCredentials):
        await google.identify(simulator.sign(**claims))


async def test_a_token_of_another_key_or_of_none_is_refused(google: Google, simulator: GoogleSimulator) -> None:
    claims = jwt.decode(simulator.sign(), options={"verify_signature": False})
    public = (await google._keys.key("demo")).key.public_numbers()  # type: ignore[union-attr]
    for token in (
        GoogleSimulator().sign(),
        jwt.encode(claims, "", algorithm="none", headers={"kid": "demo"}),
        jwt.encode(claims, str(public.n).encode(), algorithm="HS256", headers={"kid": "demo"}),
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        "a.b.c",
        "x" * 10_000,
    ):
        with pytest.raises(InvalidCredentials):
            await google.identify(token)


async def test_keys_are_fetched_once_kept_and_fetched_again_when_another_signs(simulator: GoogleSimulator) -> None:
    asked, now = [], [0.0]
    answers = {"is_away": False}

    def line(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(503) if answers["is_away"] else simulator._keys(request)

    async with Jwks("https://keys.example.com", httpx2.MockTransport(line), lambda: now[0]) as keys:
        assert all(await asyncio.gather(*(keys.key("demo") for _ in range(20))))
        assert len(asked) == 1
        assert await keys.key("unknown") is None
        assert len(asked) == 1, "whoever invents keys does not make us ask"
        now[0] += PAUSE + 1
        assert await keys.key("unknown") is None
        assert len(asked) == 2
        answers["is_away"] = True
        now[0] += 4000
        assert await keys.key("demo"), "keys that were known stay good while their publisher is away"
        assert len(asked) == 3


async def test_without_any_keys_nobody_is_believed_nor_refused(simulator: GoogleSimulator) -> None:
    for line in (lambda _: httpx2.Response(500), lambda _: httpx2.Response(200, text="<html>"), lambda _: httpx2.Response(200, json=[])):
        async with Google(simulator.client_id, httpx2.MockTransport(line)) as google:
            with pytest.raises(Unavailable):
                await google.identify(simulator.sign())


async def test_without_a_client_id_google_is_off() -> None:
    async with Google(None) as google:
        with pytest.raises(GoogleOff):
            await google.identify(DOCUMENTED)


async def test_the_first_sign_in_opens_an_account_and_every_other_one_is_to_it(as_nobody: Context, database: Database) -> None:
    first, second = await asyncio.gather(*(call(sign_in_with_google, as_nobody, token=DOCUMENTED) for _ in range(2)))
    assert first.user.id == second.user.id
    async with database.sessions() as db:
        user = await db.get_one(User, first.user.id)
        assert (user.email, user.first_name) == ("google.user@example.com", "Google")
        assert await db.scalar(select(func.count(Credential.id))) == 1
    assert (await call(sign_in_with_google, as_nobody, token=DOCUMENTED)).user.id == first.user.id


async def test_an_account_of_the_same_address_is_linked_once_and_its_owner_told(
    as_nobody: Context, database: Database, simulator: GoogleSimulator
) -> None:
    ann = await make_person(database)
    token = simulator.sign(email="ANN@example.com", sub="7")
    assert (await call(sign_in_with_google, as_nobody, token=token)).user.id == ann.id
    moved = simulator.sign(email="another@example.com", sub="7")
    assert (await call(sign_in_with_google, as_nobody, token=moved)).user.id == ann.id
    told = await sql(database, 'SELECT subject FROM outbox_messages WHERE "to" = $1', "ann@example.com")
    assert [row["subject"] for row in told] == ["Google was linked to your account"]


async def test_a_blocked_account_stays_closed(as_nobody: Context, database: Database, simulator: GoogleSimulator) -> None:
    ann = await make_person(database)
    await sql(database, "UPDATE users SET is_active = false WHERE id = $1", ann.id)
    with pytest.raises(InvalidCredentials):
        await call(sign_in_with_google, as_nobody, token=simulator.sign(email="ann@example.com"))
