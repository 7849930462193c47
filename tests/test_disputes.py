"""Money that customers ask back through their bank: kept once, in the books to the cent, and told to those who keep them."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from engine.execute import Engine
from errors import Conflict, Forbidden
from gateways.all import open_gateways
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.ledger import Account, AccountKind, Entry
from models.notifications import Notification
from models.payments import Dispute, Payment
from resolvers.context import Context
from resolvers.disputes import list_disputes
from resolvers.operations import perform
from resolvers.refunds import refund_payment
from settings import Settings
from tests.paying import announced, begin, by, confirm, count, events, hook, make_booking, simulator
from tests.worlds import make_person


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def keeper(database: Database) -> User:
    await make_person(database, "support", Role.SUPPORT)
    return await make_person(database, "keeper", Role.FINANCE, Role.ADMIN)


@pytest.fixture
async def disputed(world: Context, database: Database, keeper: User) -> int:
    """A payment of 200.00 whose owner wants it back."""
    ann = await make_person(database)
    begun = await begin(by(world, ann), await make_booking(database, ann))
    await confirm(by(world, ann), begun.payment_intent_id, "pm_card_createDispute")
    return begun.payment.id


async def told(world: Context, database: Database) -> list[dict[str, Any]]:
    """What the simulated Stripe has to tell of disputes."""
    return [each for each in await events(world, database) if each["type"].startswith("charge.dispute.")]


async def balances(database: Database) -> dict[tuple[str, str], Decimal]:
    async with database.sessions() as db:
        found = await db.execute(select(Account.kind, Account.name, Entry.amount).join(Entry, Entry.account_id == Account.id))
        sums: dict[tuple[str, str], Decimal] = {}
        for kind, name, amount in found:
            sums[kind, name] = sums.get((kind, name), Decimal(0)) + amount
    return sums


CLEARING, FEES, LOST = (AccountKind.PROVIDER_CLEARING, "stripe"), (AccountKind.FEES, "stripe"), (AccountKind.DISPUTES, "")


async def test_a_dispute_is_kept_and_told_once_however_often_it_is_sent(world: Context, database: Database, disputed: int) -> None:
    held = [simulator(world).sign(each) for each in await told(world, database)]
    await asyncio.gather(*(hook(world, *each) for each in held * 4))
    async with database.sessions() as db:
        [dispute] = await db.scalars(select(Dispute))
        keepers = list(await db.scalars(select(User.email).join(Notification, Notification.user_id == User.id)))
    assert (dispute.payment_id, dispute.amount, dispute.status, dispute.reason) == (
        disputed, Decimal("200.00"), "needs_response", "fraudulent",
    )  # fmt: skip
    assert dispute.answer_by
    assert keepers == ["keeper@example.com"]
    assert (await announced(database)).count("payment.disputed") == 1
    assert await balances(database) == {
        CLEARING: Decimal("-15.00"), FEES: Decimal("15.00"), LOST: Decimal("200.00"), (AccountKind.REVENUE, "service"): Decimal("-200.00"),
    }  # fmt: skip


@pytest.mark.parametrize("won", [True, False])
async def test_the_banks_word_ends_it_in_any_order(world: Context, database: Database, disputed: int, *, won: bool) -> None:
    first = await told(world, database)
    await simulator(world).judge(first[0]["data"]["object"]["id"], won=won, hold=True)
    later = [each for each in await told(world, database) if each not in first]
    for event in (*reversed(later), *reversed(first)):
        await hook(world, *simulator(world).sign(event))
    async with database.sessions() as db:
        [dispute] = await db.scalars(select(Dispute))
    assert dispute.status == ("won" if won else "lost")
    found = await balances(database)
    assert (found[CLEARING], found[FEES]) == (Decimal("185.00") if won else Decimal("-15.00"), Decimal("15.00"))
    assert found[LOST] == (Decimal(0) if won else Decimal("200.00"))
    assert sum(found.values()) == 0


async def test_every_order_of_its_events_leads_to_the_same_books(world: Context, database: Database, disputed: int) -> None:
    [opened, *_] = await told(world, database)
    await simulator(world).judge(opened["data"]["object"]["id"], won=True, hold=True)
    every = await told(world, database)
    order = list(itertools.permutations(range(len(every))))[17]
    for each in order:
        await hook(world, *simulator(world).sign(every[each]))
    assert (await balances(database))[CLEARING] == Decimal("185.00")
    assert await count(database, Notification, Notification.cause.like("dispute:%")) == 1


async def test_what_is_disputed_is_not_refunded_as_well(world: Context, database: Database, disputed: int, keeper: User) -> None:
    with pytest.raises(Conflict, match="charged back"):
        await perform(refund_payment, by(world, keeper, Role.FINANCE), {"id": Key(number=disputed)})
    async with database.sessions() as db:
        assert (await db.get_one(Payment, disputed)).refunded_amount == 0


READ = "{ disputes { nodes { disputeId amount status reason answerBy } totalCount } }"


async def test_bookkeepers_read_disputes_and_others_do_not(world: Context, database: Database, disputed: int, keeper: User) -> None:
    for each in await told(world, database):
        await hook(world, *simulator(world).sign(each))
    read = await Engine(world.settings).run(READ, by(world, keeper, Role.FINANCE))
    assert read.errors == []
    assert read.data["disputes"]["totalCount"] == 1  # type: ignore[index]
    for role in (Role.CUSTOMER, Role.SUPPORT):
        with pytest.raises(Forbidden):
            list_disputes.admit(by(world, keeper, role).viewer)
