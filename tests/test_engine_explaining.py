"""Staff of a demo server see the statements of an operation; nobody else does."""

import dataclasses
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from models.database import Database
from models.identity import Role
from settings import Mode, Settings
from tests.people import join, nobody
from tests.worlds import make_spa

ASKED = {"query": "{ services { totalCount nodes { name addons { name } } } }", "extensions": {"explain": True}}


@pytest.fixture
async def tokens(database: Database, settings: Settings) -> dict[str, dict[str, str]]:
    """Headers of a customer and of staff."""
    await make_spa(database)
    ctx = nobody(database, settings)
    people = {"customer": await join(ctx), "staff": await join(ctx, Role.SUPPORT)}
    return {"nobody": {}, **{name: {"Authorization": f"Bearer {each.access_token}"} for name, each in people.items()}}


async def test_staff_are_told_every_statement(client: httpx2.AsyncClient, tokens: dict[str, dict[str, str]]) -> None:
    body: dict[str, Any] = (await client.post("/graphql", json=ASKED, headers=tokens["staff"])).json()
    rows, count = body["extensions"]["explain"]
    assert body["data"]["services"]["totalCount"] == 1
    assert all(table in rows["sql"] for table in ("FROM services", "FROM addons"))
    assert ("count(*)" in count["sql"], count["rows"]) == (True, 1)
    assert rows["rows"] == 3
    assert all(each["milliseconds"] > 0 for each in (rows, count))


async def test_nothing_is_told_unasked(client: httpx2.AsyncClient, tokens: dict[str, dict[str, str]]) -> None:
    for extensions in ({}, {"explain": False}):
        body = (await client.post("/graphql", json={**ASKED, "extensions": extensions}, headers=tokens["staff"])).json()
        assert "extensions" not in body


@pytest.mark.parametrize("who", ["nobody", "customer"])
async def test_others_are_refused(client: httpx2.AsyncClient, tokens: dict[str, dict[str, str]], who: str) -> None:
    body = (await client.post("/graphql", json=ASKED, headers=tokens[who])).json()
    assert [each["extensions"]["code"] for each in body["errors"]] == ["FORBIDDEN"]
    assert "data" not in body


async def test_outside_of_demo_mode_staff_are_refused_too(
    app: Starlette, client: httpx2.AsyncClient, tokens: dict[str, dict[str, str]]
) -> None:
    production = app.state.runtime.settings.model_copy(update={"mode": Mode.PRODUCTION})
    app.state.runtime = dataclasses.replace(app.state.runtime, settings=production)
    body = (await client.post("/graphql", json=ASKED, headers=tokens["staff"])).json()
    assert [each["extensions"]["code"] for each in body["errors"]] == ["FORBIDDEN"]
