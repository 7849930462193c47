"""The books: the database itself keeps them balanced, complete and unchanged."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.execute import Engine
from errors import Forbidden, Unauthenticated
from models.database import Database
from models.identity import Role
from models.ledger import Account, Entry, LedgerTransaction
from models.payments import PaymentPurpose, Provider
from models.refusals import sqlstate
from resolvers import ledger
from resolvers.context import Context, Viewer
from resolvers.ledger import Pot, balance, clearing, post, revenue
from tests.paying import by, count
from tests.worlds import make_person

STRIPE, SERVICES = clearing(Provider.STRIPE), revenue(PaymentPurpose.SERVICE)


async def sale(database: Database, cause: str = "sale:1", amount: str = "200.00", currency: str = "USD") -> bool:
    async with database.sessions.begin() as db:
        money = Decimal(amount)
        return await post(db, cause, "A sale", {STRIPE: money, SERVICES: -money}, currency)


async def refused(database: Database, *statements: str) -> bool:
    """Whether a transaction of raw statements is refused for the sake of the books."""
    try:
        async with database.sessions.begin() as db:
            for each in statements:
                await db.execute(text(each))
    except DBAPIError as error:
        return sqlstate(error) in ("23000", "23503")
    return False


async def test_a_cause_is_posted_once(database: Database) -> None:
    assert [await sale(database), await sale(database)] == [True, False]
    assert (await count(database, LedgerTransaction), await count(database, Entry)) == (1, 2)


async def test_a_cause_is_posted_once_by_twenty_at_the_same_moment(database: Database) -> None:
    done = await asyncio.gather(*(sale(database) for _ in range(20)))
    assert sorted(done) == [False] * 19 + [True]
    assert await count(database, Account) == 2


async def test_twenty_sales_at_once_share_their_accounts(database: Database) -> None:
    assert all(await asyncio.gather(*(sale(database, f"sale:{each}") for each in range(20))))
    async with database.sessions() as db:
        assert await balance(db, STRIPE, "USD") == Decimal(4000)
        assert await balance(db, SERVICES, "USD") == Decimal(-4000)
        assert await balance(db, STRIPE, "EUR") == 0
    assert await count(database, Account) == 2


async def test_a_rolled_back_transaction_posts_nothing(database: Database) -> None:
    async with database.sessions() as db:
        assert await post(db, "sale:1", "A sale", {STRIPE: Decimal(1), SERVICES: Decimal(-1)}, "USD")
        await db.rollback()
    assert await sale(database)


@pytest.mark.parametrize("entries", [{}, {STRIPE: Decimal(1)}, {STRIPE: Decimal(1), SERVICES: Decimal("-0.99")}, {STRIPE: Decimal(0)}])
async def test_what_does_not_balance_is_not_even_tried(database: Database, entries: dict[Pot, Decimal]) -> None:
    async with database.sessions() as db:
        with pytest.raises(ValueError, match="sum to zero"):
            await post(db, "wrong", "Wrong", entries, "USD")


NEWEST = "(SELECT max(id) FROM ledger_transactions)"
HEAD = "INSERT INTO ledger_transactions (uuid, description, cause) VALUES (gen_random_uuid(), 'By hand', 'hand') RETURNING id"
LINE = "INSERT INTO ledger_entries (transaction_id, account_id, amount, currency) VALUES ({}, {}, {}, '{}')"


async def test_the_database_refuses_what_does_not_balance(database: Database) -> None:
    await sale(database)
    assert await refused(database, HEAD)
    assert await refused(database, LINE.format(1, 1, "5.00", "USD"))
    balanced = [HEAD, LINE.format(NEWEST, 1, 5, "USD"), LINE.format(NEWEST, 2, -5, "USD")]
    assert not await refused(database, *balanced)


async def test_currencies_do_not_balance_each_other(database: Database) -> None:
    await sale(database)
    await sale(database, "sale:2", currency="EUR")
    euros = "(SELECT max(id) FROM accounts WHERE currency = 'EUR')"
    assert await refused(database, HEAD, LINE.format(NEWEST, 1, 5, "USD"), LINE.format(NEWEST, euros, -5, "EUR"))


async def test_an_entry_has_the_currency_of_its_account(database: Database) -> None:
    await sale(database)
    assert await refused(database, HEAD, LINE.format(NEWEST, 1, 5, "EUR"), LINE.format(NEWEST, 2, -5, "EUR"))
    assert await refused(database, "UPDATE accounts SET currency = 'EUR'")


@pytest.mark.parametrize("table", ["ledger_transactions", "ledger_entries"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_the_books_only_grow(database: Database, table: str, statement: str) -> None:
    await sale(database)
    assert await refused(database, statement.format(table))
    assert await count(database, Entry) == 2


async def test_an_account_in_use_stays(database: Database) -> None:
    await sale(database)
    assert await refused(database, "DELETE FROM accounts")


BOOKS = """{
  accounts { kind name currency balance }
  ledgerTransactions { totalCount nodes { description cause entries { amount accountKind accountName } } }
}"""


async def test_bookkeepers_read_the_books(world: Context, database: Database) -> None:
    await sale(database)
    finance = by(world, await make_person(database, "fin", Role.FINANCE), Role.FINANCE)
    answer = await Engine(world.settings).run(BOOKS, finance)
    assert answer.errors == []
    assert answer.data == {
        "accounts": [
            {"kind": "PROVIDER_CLEARING", "name": "stripe", "currency": "USD", "balance": "200.00"},
            {"kind": "REVENUE", "name": "service", "currency": "USD", "balance": "-200.00"},
        ],
        "ledgerTransactions": {
            "totalCount": 1,
            "nodes": [
                {
                    "description": "A sale",
                    "cause": "sale:1",
                    "entries": [
                        {"amount": "200.00", "accountKind": "PROVIDER_CLEARING", "accountName": "stripe"},
                        {"amount": "-200.00", "accountKind": "REVENUE", "accountName": "service"},
                    ],
                }
            ],
        },
    }


@pytest.mark.parametrize("operation", [ledger.list_accounts, ledger.list_ledger_transactions])
@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.PROVIDER, Role.PARTNER, Role.MANAGEMENT, Role.SUPPORT])
def test_nobody_else_reads_the_books(operation: Any, role: Role) -> None:
    with pytest.raises(Forbidden):
        operation.admit(Viewer(1, frozenset({role})))
    with pytest.raises(Unauthenticated):
        operation.admit(Viewer())
