"""While the database is away every door says so at once, and soon after it is back all is as before."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import psutil
import pytest
from starlette.applications import Starlette

from main import create_app
from migrations import migrate
from postgres import EmbeddedPostgres
from settings import Settings
from tests.conftest import in_one_task
from tests.people import PASSWORD

AT_ONCE, SOON = 2.0, 10.0
CATALOGUE = {"query": "{ services { nodes { name } } }"}
REGISTER = {"query": f'mutation {{ register(input: {{email: "ann@example.com", password: "{PASSWORD}"}}) {{ accessToken }} }}'}
ME = {"query": "{ me { email } }"}


class House:
    """A server's app over a PostgreSQL of its own."""

    def __init__(self, app: Starlette, client: httpx2.AsyncClient, postgres: EmbeddedPostgres) -> None:
        self.app, self.client, self.postgres = app, client, postgres

    @property
    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.postgres.home / "cluster/postmaster.pid").read_text().split()[0]))

    async def work(self, token: str) -> list[httpx2.Response]:
        """One request at each kind of door."""
        headers = {"Authorization": f"Bearer {token}"}
        return list(
            await asyncio.gather(
                self.client.post("/graphql", json=CATALOGUE),
                self.client.post("/graphql", json=ME, headers=headers),
                self.client.post("/graphql", json=REGISTER),
                self.client.get("/coresync/api/services/"),
                self.client.get("/coresync/api/users/profile/", headers=headers),
            )
        )


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    quick = settings.model_copy(
        update={"database_pool": 4, "pool_timeout": 1, "connect_timeout": 1, "command_timeout": 1, "transaction_timeout": 1}
    )
    with tempfile.TemporaryDirectory(prefix="atr-") as folder:
        postgres = EmbeddedPostgres(Path(folder), fsync="off")
        url = await asyncio.to_thread(postgres.start)
        try:
            await asyncio.to_thread(migrate, url)
            app = create_app(quick, url)
            async with in_one_task(app.router.lifespan_context(app)):
                transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
                async with httpx2.AsyncClient(transport=transport, base_url="http://atrium.test") as client:
                    yield House(app, client, postgres)
        finally:
            await asyncio.to_thread(postgres.stop)


async def joined(house: House) -> str:
    answer = await house.client.post("/graphql", json=REGISTER)
    token: str = answer.json()["data"]["register"]["accessToken"]
    return token


async def back(house: House, token: str) -> float:
    """How long it takes until everything works again."""
    began = time.monotonic()
    while True:
        answers = await house.work(token)
        if all(each.status_code < 500 for each in answers) and answers[1].json().get("data"):
            return time.monotonic() - began
        assert time.monotonic() - began < SOON, [each.text for each in answers]
        await asyncio.sleep(0.1)


async def test_a_stopped_database_is_503_at_every_door_and_soon_forgotten(house: House) -> None:
    token = await joined(house)
    await back(house, token)
    await asyncio.to_thread(house.postgres.stop)
    for _ in range(3):
        began = time.monotonic()
        answers = await house.work(token)
        assert time.monotonic() - began < AT_ONCE
        assert [each.status_code for each in answers] == [503] * len(answers)
        assert all(int(each.headers["Retry-After"]) > 0 for each in answers)
        for each in answers[:3]:
            assert each.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        for each in answers[3:]:
            assert each.json()["error"]["code"] == "UNAVAILABLE"
        assert (await house.client.get("/readyz")).status_code == 503
        health = await house.client.get("/events/health")
        assert (health.status_code, health.json()["status"], health.json()["database"]) == (503, "unhealthy", "disconnected")
        assert (await house.client.get("/livez")).status_code == 200
    await asyncio.to_thread(house.postgres.start)
    assert await back(house, token) < SOON
    assert house.app.state.runtime.database.readers.taken <= 4


async def test_a_database_that_hangs_keeps_nobody_waiting_longer_than_allowed(house: House) -> None:
    token = await joined(house)
    await back(house, token)
    frozen = [house.postmaster, *house.postmaster.children(recursive=True)]
    for each in frozen:
        os.kill(each.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answers = [each for many in await asyncio.gather(*[house.work(token) for _ in range(4)]) for each in many]
        assert time.monotonic() - began < 8
        assert {each.status_code for each in answers} == {503}
    finally:
        for each in frozen:
            os.kill(each.pid, signal.SIGCONT)
    assert await back(house, token) < SOON
