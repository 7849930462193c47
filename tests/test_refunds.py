"""Giving money back: never more than came in, counted once."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from errors import BadUserInput, Conflict, Forbidden, IdempotencyKeyReused, NotFound, Unavailable
from gateways.stripe import Wire, lost
from models.bookings import Booking, PaymentStatus
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.payments import Payment, Provider, Refund, RefundStatus
from models.simulations import SimulatedObject
from resolvers.context import Context, Viewer
from resolvers.ledger import balance, clearing
from resolvers.operations import perform
from resolvers.refunds import finish_refund, refund_payment
from tests.paying import (
    announced,
    begin,
    booking_now,
    by,
    confirm,
    count,
    events,
    hook,
    posted,
    queued,
    signed,
    simulator,
    stored,
)
from tests.worlds import make_person


@pytest.fixture
async def paid(world: Context, ann: User, booking: Booking) -> Payment:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    return (await confirm(by(world, ann), intent)).payment


@pytest.fixture
async def finance(world: Context, database: Database) -> Context:
    return by(world, await make_person(database, "fin", Role.FINANCE), Role.FINANCE)


async def refund(ctx: Context, payment: Payment, amount: str | None = None, key: str | None = None) -> Payment:
    arguments: dict[str, Any] = {"id": Key(number=payment.id), "amount": Decimal(amount) if amount else None, "reason": "A fault of ours"}
    refunded: Payment = await perform(refund_payment, ctx, arguments, key=key)
    return refunded


async def now(database: Database, payment: Payment) -> Payment:
    return await stored(database, payment.provider_id or "")


async def at_stripe(ctx: Context, payment: Payment) -> list[int]:
    return [each.amount for each in await ctx.gateways.stripe.list_refunds(payment.provider_id or "")]


async def held(database: Database) -> Decimal:
    async with database.sessions() as db:
        return await balance(db, clearing(Provider.STRIPE), "USD")


async def test_all_of_it_goes_back_at_once(finance: Context, database: Database, paid: Payment, booking: Booking) -> None:
    refunded = await refund(finance, paid)
    assert (refunded.status, refunded.refunded_amount) == (PaymentStatus.REFUNDED, Decimal(200))
    assert (await booking_now(database, booking)).payment_status is PaymentStatus.REFUNDED
    assert await at_stripe(finance, paid) == [20000]
    assert await held(database) == 0
    assert (await announced(database))[-1] == "booking.refunded"


async def test_parts_go_back_until_nothing_is_left(finance: Context, database: Database, paid: Payment) -> None:
    assert (await refund(finance, paid, "50.00")).status is PaymentStatus.CHARGED
    with pytest.raises(BadUserInput) as refused:
        await refund(finance, paid, "150.01")
    assert "150.00" in refused.value.fields["amount"]
    assert (await refund(finance, paid)).refunded_amount == Decimal(200)
    with pytest.raises(Conflict):
        await refund(finance, paid)
    assert sorted(await at_stripe(finance, paid)) == [5000, 15000]


@pytest.mark.parametrize("amount", ["-5.00", "0.00", "0.001", "200.01"])
async def test_an_amount_that_cannot_go_back_is_refused(finance: Context, database: Database, paid: Payment, amount: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await refund(finance, paid, amount)
    assert list(refused.value.fields) == ["amount"]
    assert await count(database, Refund) == 0


async def test_ten_refunds_at_once_never_give_too_much(finance: Context, database: Database, paid: Payment) -> None:
    done = await asyncio.gather(*(refund(finance, paid, "30.00") for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, Payment) for each in done) == 6
    assert {type(each) for each in done} <= {Payment, BadUserInput}
    assert sum(await at_stripe(finance, paid)) == 18000
    assert (await now(database, paid)).refunded_amount == Decimal(180)
    assert await held(database) == Decimal(20)


async def test_what_has_not_come_in_cannot_go_back(finance: Context, world: Context, ann: User, booking: Booking) -> None:
    begun = await begin(by(world, ann), booking)
    with pytest.raises(Conflict):
        await refund(finance, begun.payment)


async def test_an_unknown_payment_is_not_found(finance: Context) -> None:
    with pytest.raises(NotFound):
        await perform(refund_payment, finance, {"id": Key(number=999)})


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.PROVIDER, Role.PARTNER, Role.SUPPORT, Role.MANAGEMENT])
def test_only_bookkeepers_give_money_back(role: Role) -> None:
    with pytest.raises(Forbidden):
        refund_payment.admit(Viewer(1, frozenset({role})))


async def test_webhooks_of_our_own_refund_count_nothing_twice(finance: Context, database: Database, paid: Payment) -> None:
    await refund(finance, paid, "50.00")
    for event in await events(finance, database):
        await hook(finance, *simulator(finance).sign(event))
        await hook(finance, *simulator(finance).sign(event))
    assert (await now(database, paid)).refunded_amount == Decimal(50)
    assert await held(database) == Decimal(150)
    assert await count(database, Refund) == 1


async def test_a_refund_and_its_webhooks_race(finance: Context, database: Database, paid: Payment) -> None:
    told = await finance.gateways.stripe.refund(paid.provider_id or "", 5000, "begun-at-stripe")
    happened = [each for each in await events(finance, database) if "refund" in each["type"]]
    hooks = [hook(finance, *simulator(finance).sign(event)) for event in happened for _ in range(3)]
    await asyncio.gather(refund(finance, paid, "30.00"), *hooks)
    assert (await now(database, paid)).refunded_amount == Decimal(80)
    assert sorted(await at_stripe(finance, paid)) == [3000, 5000]
    async with database.sessions() as db:
        ids = list(await db.scalars(select(Refund.provider_id)))
    assert told.id in ids
    assert len(ids) == 2
    assert await held(database) == Decimal(120)


async def test_a_refund_that_comes_before_its_payment_is_counted_after_it(
    world: Context, database: Database, ann: User, booking: Booking
) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    await simulator(world).pay(intent, hold=True)
    await world.gateways.stripe.refund(intent, 20000, "at-once")
    happened = await events(world, database)
    for event in reversed(happened):
        await hook(world, *simulator(world).sign(event))
    payment = await stored(database, intent)
    assert (payment.status, payment.refunded_amount) == (PaymentStatus.REFUNDED, Decimal(200))
    assert sorted(await posted(database)) == [Decimal(-200), Decimal(-200), Decimal(200), Decimal(200)]


async def test_a_refund_that_the_bank_sends_back_is_counted_back(
    finance: Context, database: Database, paid: Payment, booking: Booking
) -> None:
    await refund(finance, paid)
    [told] = await finance.gateways.stripe.list_refunds(paid.provider_id or "")
    subject = {
        "id": told.id, "object": "refund", "amount": 20000, "currency": "usd", "payment_intent": paid.provider_id,
        "status": "failed", "failure_reason": "lost_or_stolen_card", "metadata": told.metadata,
    }  # fmt: skip
    for _ in range(2):
        await hook(finance, *signed("refund.failed", subject))
    payment = await now(database, paid)
    assert (payment.status, payment.refunded_amount) == (PaymentStatus.CHARGED, Decimal(0))
    assert (await booking_now(database, booking)).payment_status is PaymentStatus.CHARGED
    assert await held(database) == Decimal(200)
    late = subject | {"status": "succeeded", "failure_reason": None}
    await hook(finance, *signed("refund.updated", late))  # an older word that comes later changes nothing
    assert await held(database) == Decimal(200)


@pytest.mark.parametrize("key", [None, "tap"])
async def test_an_answer_that_got_lost_is_looked_up(
    finance: Context, database: Database, paid: Payment, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    through = Wire.request_async

    async def lose_the_answer(*arguments: Any, **more: Any) -> None:
        await through(*arguments, **more)
        raise lost(ConnectionResetError())

    monkeypatch.setattr(Wire, "request_async", lose_the_answer)
    with pytest.raises(Unavailable):
        await refund(finance, paid, "50.00", key=key)
    monkeypatch.undo()
    async with database.sessions() as db:
        [waiting] = await db.scalars(select(Refund))
    assert waiting.status is RefundStatus.PENDING
    assert await queued(database) == ["finish_refund"]
    with pytest.raises(BadUserInput):  # what is on its way counts as gone
        await refund(finance, paid, "150.01")
    if key:
        with pytest.raises(IdempotencyKeyReused):
            await refund(finance, paid, "60.00", key=key)
        await refund(finance, paid, "50.00", key=key)
    else:
        await finish_refund(finance, waiting.id)
    await finish_refund(finance, waiting.id)
    assert await at_stripe(finance, paid) == [5000]
    assert (await now(database, paid)).refunded_amount == Decimal(50)


async def test_one_key_gives_back_once(finance: Context, database: Database, paid: Payment) -> None:
    first, again = await refund(finance, paid, "20.00", key="r"), await refund(finance, paid, "20.00", key="r")
    assert first.id == again.id
    assert await at_stripe(finance, paid) == [2000]


async def test_what_stripe_refuses_is_written_down_and_frees_the_amount(finance: Context, database: Database, paid: Payment) -> None:
    await finance.gateways.stripe.refund(paid.provider_id or "", 20000, "by-hand")  # its webhook is not here yet
    with pytest.raises(Conflict, match="already been refunded"):
        await refund(finance, paid, "50.00")
    async with database.sessions() as db:
        [failed] = await db.scalars(select(Refund))
    assert (failed.status, failed.failure_message is not None) == (RefundStatus.FAILED, True)
    assert await count(database, SimulatedObject, SimulatedObject.kind == "refund") == 1
