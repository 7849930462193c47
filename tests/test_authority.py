"""Who a token speaks for is remembered, and forgotten the moment it changes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import httpx2
import pytest

from engine.authority import Authority
from errors import Unauthenticated
from models.database import Database
from models.identity import Role
from settings import Settings
from subscriptions import bus
from subscriptions.bus import Bus
from subscriptions.stream import EventStream
from tests.conftest import as_superuser
from tests.people import join, nobody
from tests.sockets import post

SOON = 2.0
ADD_ROLE = "INSERT INTO user_roles (user_id, role, is_approved) VALUES ($1, 'admin', true)"
BLOCK = "UPDATE users SET is_active = false WHERE id = $1"


@asynccontextmanager
async def a_process(database: Database, settings: Settings, bus_url: str | None = None) -> AsyncIterator[Authority]:
    """What a server process has of it."""
    line = Bus(bus_url or database.url)
    async with line, EventStream(database, line) as stream, Authority(database, settings, stream, line) as authority:
        await asyncio.sleep(0.05)
        yield authority


async def silently(database: Database, statement: str, user_id: int) -> None:
    """Change something without any trigger, as nothing does but a test."""
    connection = await asyncpg.connect(as_superuser(database.url))
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(statement, user_id)
    finally:
        await connection.close()


async def within(seconds: float, happens: Callable[[], Awaitable[bool]]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await happens():
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.fixture
async def person(database: Database, settings: Settings) -> tuple[int, str]:
    joined = await join(nobody(database, settings))
    return joined.user.id, joined.access_token


async def test_it_is_remembered_for_some_seconds(database: Database, settings: Settings, person: tuple[int, str]) -> None:
    user_id, token = person
    async with a_process(database, settings) as authority:
        before = await authority.viewer(token)
        await silently(database, BLOCK, user_id)
        assert await authority.viewer(token) == before
    async with a_process(database, settings.model_copy(update={"authority_seconds": 0})) as authority:
        with pytest.raises(Unauthenticated):
            await authority.viewer(token)


async def test_whoever_changes_a_role_or_blocks_an_account_is_heard_by_all_processes(
    database: Database, settings: Settings, person: tuple[int, str]
) -> None:
    user_id, token = person
    async with a_process(database, settings) as one, a_process(database, settings) as other:
        for each in (one, other):
            assert not (await each.viewer(token)).is_staff
        async with database.reading() as connection:
            await connection.execute(ADD_ROLE, user_id)
        for each in (one, other):
            assert await within(SOON, lambda each=each: has_role(each, token))  # type: ignore[misc]
        async with database.reading() as connection:
            await connection.execute(BLOCK, user_id)
        for each in (one, other):
            assert await within(SOON, lambda each=each: is_refused(each, token))  # type: ignore[misc]


async def has_role(authority: Authority, token: str) -> bool:
    return Role.ADMIN in (await authority.viewer(token)).roles


async def is_refused(authority: Authority, token: str) -> bool:
    try:
        await authority.viewer(token)
    except Unauthenticated:
        return True
    return False


async def test_nothing_is_remembered_while_the_bus_is_down(
    database: Database, settings: Settings, person: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, token = person
    monkeypatch.setattr(bus, "CONNECT_SECONDS", 0.1)
    async with a_process(database, settings, "redis://127.0.0.1:1") as authority:
        await authority.viewer(token)
        await silently(database, BLOCK, user_id)
        assert await is_refused(authority, token)


async def test_a_token_that_ends_is_not_remembered_any_longer(database: Database, settings: Settings, person: tuple[int, str]) -> None:
    _, token = person
    async with a_process(database, settings) as authority:
        await authority.viewer(token)
        authority._known[token].token_ends = time.time() - 1
        authority._settings = settings.model_copy(update={"jwt_secret_key": settings.encryption_key})  # as if the key had changed since
        assert await is_refused(authority, token)


async def test_who_signs_out_is_refused_with_the_very_next_request(
    client: httpx2.AsyncClient, database: Database, settings: Settings, person: tuple[int, str]
) -> None:
    _, token = person
    for _ in range(3):
        await post(client, token, "{ me { number } }")
    await post(client, token, "mutation { signOut { ended } }")
    answer = await client.post("/graphql", json={"query": "{ me { number } }"}, headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
