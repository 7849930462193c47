"""QuickBooks: what was sold arrives once, whatever gets lost on the way, and what does not arrive is told with its reason."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from errors import Conflict, Forbidden, Unavailable
from gateways.all import open_gateways
from gateways.quickbooks import QuickBooks
from gateways.simulators.quickbooks import SimulatedIntuit
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.payments import Payment
from models.quickbooks import BooksEntry, BooksKind, BooksStatus, BooksToken
from models.shop import Product
from resolvers import quickbooks, refunds
from resolvers.context import Context
from settings import Settings
from tests.paying import begin, by, confirm, count, make_booking
from tests.people import call
from tests.shopping import buy, make_product, save_card
from tests.worlds import make_person


@pytest.fixture
def intuit() -> SimulatedIntuit:
    return SimulatedIntuit("first")


@pytest.fixture
async def world(database: Database, settings: Settings, intuit: SimulatedIntuit) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        gateways.quickbooks = QuickBooks(settings, intuit)
        yield Context(settings, database, gateways)


@pytest.fixture
async def ann(database: Database, world: Context) -> Context:
    person = await make_person(database)
    await save_card(database, person)
    return by(world, person)


@pytest.fixture
async def clerk(database: Database, world: Context) -> Context:
    return by(world, await make_person(database, "clerk", Role.FINANCE), Role.FINANCE)


@pytest.fixture
async def serum(database: Database) -> Product:
    return await make_product(database)


async def entries(database: Database, *conditions: Any) -> list[BooksEntry]:
    async with database.sessions() as db:
        return list(await db.scalars(select(BooksEntry).where(*conditions).order_by(BooksEntry.id)))


async def test_what_was_sold_arrives_by_item_with_customer_and_tax_code(
    database: Database, world: Context, ann: Context, serum: Product, intuit: SimulatedIntuit
) -> None:
    oil = await make_product(database, "Beard Oil", price="24.50")
    await buy(ann, (serum, 2), (oil, 1))
    async with database.sessions() as db:
        person = await db.get_one(User, ann.viewer.id)
    begun = await begin(ann, await make_booking(database, person, "150.00"))
    await confirm(ann, begun.payment_intent_id)
    for _ in range(2):
        await quickbooks.synchronise_quickbooks(world)
    [shop, service] = intuit.books["SalesReceipt"]
    items = {each["Id"]: each["Name"] for each in intuit.books["Item"]}
    lines = [
        (items[line["SalesItemLineDetail"]["ItemRef"]["value"]], line["Amount"], line["SalesItemLineDetail"]["TaxCodeRef"]["value"])
        for receipt in (shop, service) for line in receipt["Line"]
    ]  # fmt: skip
    assert lines == [("Premium Face Serum", "178.00", "TAX"), ("Beard Oil", "24.50", "TAX"), ("Service", "150.00", "NON")]
    [customer] = intuit.books["Customer"]
    assert customer["PrimaryEmailAddr"]["Address"] == "ann@example.com"
    assert {each["CustomerRef"]["value"] for each in (shop, service)} == {customer["Id"]}
    assert [each.status for each in await entries(database)] == [BooksStatus.DONE] * 6


async def test_money_that_went_back_is_a_refund_receipt(
    database: Database, world: Context, ann: Context, clerk: Context, serum: Product, intuit: SimulatedIntuit
) -> None:
    await buy(ann, (serum, 2))
    async with database.sessions() as db:
        payment = (await db.scalars(select(Payment))).one()
    await call(refunds.refund_payment, clerk, id=Key(number=payment.id), amount=Decimal("28.00"))
    await quickbooks.synchronise_quickbooks(world)
    [receipt] = intuit.books["RefundReceipt"]
    assert [line["Amount"] for line in receipt["Line"]] == ["28.00"]


async def test_an_outage_ends_the_run_and_the_next_goes_on(
    database: Database, world: Context, ann: Context, clerk: Context, serum: Product, intuit: SimulatedIntuit
) -> None:
    for _ in range(3):
        await buy(ann, (serum, 1))
    intuit.is_away = True
    with pytest.raises(Unavailable):
        await quickbooks.synchronise_quickbooks(world)
    standing = await call(quickbooks.get_books_standing, clerk)
    assert (standing.waiting, standing.done, standing.not_listed) == (3, 0, 0)
    assert (await entries(database))[0].error == "QuickBooks does not answer."
    intuit.is_away = False
    await quickbooks.synchronise_quickbooks(world)
    assert len(intuit.books["SalesReceipt"]) == 3
    standing = await call(quickbooks.get_books_standing, clerk)
    assert (standing.waiting, standing.refused, standing.is_connected) == (0, 0, True)


async def test_what_was_done_and_not_heard_of_is_not_done_twice(
    database: Database, world: Context, ann: Context, serum: Product, intuit: SimulatedIntuit
) -> None:
    await buy(ann, (serum, 1))
    await quickbooks.synchronise_quickbooks(world)  # so that somebody is let in already
    await buy(ann, (serum, 1))
    intuit.loses_answers = True
    with pytest.raises(Unavailable):
        await quickbooks.synchronise_quickbooks(world)
    intuit.loses_answers = False
    assert len(intuit.books["SalesReceipt"]) == 2
    await quickbooks.synchronise_quickbooks(world)
    assert len(intuit.books["SalesReceipt"]) == 2
    assert {each.status for each in await entries(database)} == {BooksStatus.DONE}


async def test_a_token_that_ended_is_replaced_and_the_new_one_kept(
    database: Database, settings: Settings, world: Context, ann: Context, serum: Product, intuit: SimulatedIntuit
) -> None:
    await buy(ann, (serum, 1))
    await quickbooks.synchronise_quickbooks(world)
    intuit.access_tokens.clear()
    await buy(ann, (serum, 1))
    await quickbooks.synchronise_quickbooks(world)
    assert len(intuit.books["SalesReceipt"]) == 2
    async with database.sessions() as db:
        sealed = (await db.scalars(select(BooksToken.sealed))).one()
    assert intuit.refresh_token
    assert intuit.refresh_token not in sealed
    world.gateways.quickbooks = QuickBooks(settings, intuit)  # another process, which knows only the first token
    await buy(ann, (serum, 1))
    await quickbooks.synchronise_quickbooks(world)
    assert len(intuit.books["SalesReceipt"]) == 3


async def test_what_is_refused_is_told_and_tried_again_when_asked(
    database: Database, world: Context, ann: Context, clerk: Context, serum: Product, intuit: SimulatedIntuit
) -> None:
    intuit.books["Item"].append({"Name": "Premium Face Serum", "Id": "7"})
    await buy(ann, (serum, 1))
    await quickbooks.synchronise_quickbooks(world)
    [entry] = await entries(database, BooksEntry.kind == BooksKind.PAYMENT)
    assert entry.status is BooksStatus.REFUSED
    assert "The name supplied already exists: Premium Face Serum" in (entry.error or "")
    assert len(await clerk.fetch(quickbooks.list_books_entries(clerk, status=BooksStatus.REFUSED))) == 1
    intuit.books["Item"].clear()
    await call(quickbooks.retry_books_entry, clerk, id=Key(number=entry.id))
    with pytest.raises(Conflict):
        await call(quickbooks.retry_books_entry, clerk, id=Key(number=entry.id))
    await quickbooks.synchronise_quickbooks(world)
    assert len(intuit.books["SalesReceipt"]) == 1


async def test_without_a_company_nothing_is_sent_and_nothing_lost(
    database: Database, world: Context, ann: Context, clerk: Context, serum: Product
) -> None:
    world.gateways.quickbooks = None
    await buy(ann, (serum, 1))
    await quickbooks.synchronise_quickbooks(world)
    assert await count(database, BooksEntry) == 0
    standing = await call(quickbooks.get_books_standing, clerk)
    assert standing.not_listed == 1


async def test_a_company_that_does_not_let_us_in_is_told(
    database: Database, world: Context, ann: Context, serum: Product, intuit: SimulatedIntuit
) -> None:
    intuit.refresh_token = "another"
    await buy(ann, (serum, 1))
    with pytest.raises(Unavailable, match="connect the company anew"):
        await quickbooks.synchronise_quickbooks(world)
    assert [(each.status, each.refusals) for each in await entries(database)] == [(BooksStatus.WAITING, 0)]


async def test_request_ids_are_as_short_as_intuit_wants_them(world: Context, ann: Context, serum: Product, intuit: SimulatedIntuit) -> None:
    await buy(ann, (serum, 1))
    await quickbooks.synchronise_quickbooks(world)
    assert max(map(len, intuit.seen)) <= 50


async def test_the_books_are_for_bookkeepers(ann: Context) -> None:
    for operation in (quickbooks.list_books_entries, quickbooks.get_books_standing, quickbooks.retry_books_entry):
        with pytest.raises(Forbidden):
            operation.admit(ann.viewer)
