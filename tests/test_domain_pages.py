"""The operations that the pages of domains show, run in their order by whom they are for."""

import re
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from migrations import ROOT
from models.database import Database
from models.identity import Role
from models.investments import Opportunity, OpportunityStatus
from resolvers.context import Context
from tests.people import join
from tests.shopping import make_product, save_card

BLOCK = re.compile(r"```graphql\n# as (\w+)\n(.*?)```", re.DOTALL)
PAGES = ("shop", "concierge", "investments", "files", "quickbooks")


@pytest.fixture
async def tokens(app: Starlette, database: Database) -> dict[str, str]:
    """Somebody of each kind, and something to buy and to invest in."""
    ctx: Context = app.state.runtime.context(request_id="req_test", address="test")
    people = {"customer": await join(ctx), "investor": await join(ctx, Role.INVESTOR), "staff": await join(ctx, Role.ADMIN)}
    await save_card(database, people["customer"].user)
    await make_product(database)
    await make_product(database, "Beard Oil", price="24.50")
    async with database.sessions.begin() as db:
        terms = {"title": "NYC", "description": "Manhattan", "expected_roi": "15-20%", "timeline": "18-24 months"}
        db.add(Opportunity(**terms, minimum_investment=Decimal(50_000), status=OpportunityStatus.OPEN))
    return {name: each.access_token for name, each in people.items()}


@pytest.mark.parametrize("page", PAGES)
async def test_what_a_page_shows_works(client: httpx2.AsyncClient, tokens: dict[str, str], page: str) -> None:
    shown = BLOCK.findall((ROOT / f"docs/{page}.md").read_text())
    assert shown
    for who, text in shown:
        answer: dict[str, Any] = (
            await client.post("/graphql", json={"query": text}, headers={"Authorization": f"Bearer {tokens[who]}"})
        ).json()
        assert "errors" not in answer, (text, answer["errors"])
        if "nodes {" in text:
            [found] = answer["data"].values()
            assert found["nodes"], text
