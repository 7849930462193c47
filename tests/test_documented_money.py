"""The operations that docs/memberships.md and docs/payments.md show do what is said of them, in their order."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from engine.execute import Engine
from migrations import ROOT
from models.database import Database
from models.identity import User
from settings import Settings
from tests.members import House, open_house, save_card
from tests.paying import by, make_booking
from tests.worlds import make_person


def shown(page: str) -> dict[str, str]:
    """The operations of a page by their names."""
    blocks = re.findall(r"```graphql\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return {re.split(r"[\s({]", block)[1]: block for block in blocks}


class Reader:
    """Somebody who tries what a page shows."""

    def __init__(self, house: House, person: User, page: str) -> None:
        self.engine, self.ctx = Engine(house.ctx.settings), by(house.ctx, person)
        self.left = shown(page)

    async def tries(self, name: str, **variables: Any) -> Any:
        answer = await self.engine.run(self.left.pop(name), self.ctx, variables=variables)
        assert answer.errors == []
        [(_, found), *_] = (answer.data or {}).items()
        return found


@pytest.fixture
async def house(database: Database, settings: Settings) -> AsyncIterator[House]:
    async with open_house(database, settings) as house:
        yield house


@pytest.fixture
async def ann(database: Database) -> User:
    return await make_person(database)


async def test_the_page_about_memberships(house: House, database: Database, ann: User) -> None:
    await save_card(database, ann)
    reader, plan = Reader(house, ann, "memberships.md"), str(house.large.id)
    look = await reader.tries("LookFirst", plan=plan)
    assert (look["kind"], Decimal(look["price"]) - Decimal(look["unused"])) == ("JOIN", Decimal(look["amount"]))
    joined = await reader.tries("Join", plan=plan, amount=look["amount"])
    assert (joined["isComplete"], joined["membership"]["plan"]["name"], joined["payment"]["status"]) == (True, "Large", "CHARGED")
    assert (await reader.tries("StopRenewing"))["autoRenew"] is False
    assert (await reader.tries("RenewAfterAll"))["autoRenew"] is True
    assert (await reader.tries("Invite"))["isGood"] is True
    assert (await reader.tries("Allowances"))["guestPassesLeft"] == 2
    assert reader.left == {}


async def test_the_page_about_payments(house: House, database: Database, ann: User) -> None:
    reader, booking = Reader(house, ann, "payments.md"), await make_booking(database, ann)
    begun = await reader.tries("Begin", booking=str(booking.id))
    paid = await reader.tries("Pay", intent=begun["paymentIntentId"])
    assert (paid["status"], paid["clientSecret"], paid["payment"]["status"]) == ("succeeded", None, "CHARGED")
    setup = await reader.tries("BeginSaving")
    saved = await reader.tries("SaveCard", setup=setup["setupIntentId"])
    assert (saved["status"], saved["card"]["isDefault"]) == ("succeeded", False)
    assert (await reader.tries("ChooseCard", card=saved["card"]["id"]))["isDefault"] is True
    assert [each["last4"] for each in await reader.tries("ForgetCard", card=saved["card"]["id"])] == ["4242"]
    assert (await reader.tries("Receipts"))["nodes"][0]["receipt"].startswith("/receipts?token=")
    assert reader.left == {}


def test_the_settings_that_the_pages_name_exist(settings: Settings) -> None:
    text = (ROOT / "docs/memberships.md").read_text() + (ROOT / "docs/payments.md").read_text()
    named = dict(re.findall(r"`((?:RENEWAL|PAYMENT|RECEIPT)_[A-Z_]+)` \((.*?)\)", text))
    told = {name: str(getattr(settings, name.lower())).replace(",", ", ") for name in named}
    assert told == named
    assert len(named) == 4
