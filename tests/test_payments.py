"""Paying for a booking: the price is ours, a card is charged once, and everything follows once."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from engine.execute import Engine
from errors import BadUserInput, Conflict, IdempotencyKeyReused, NotFound, PaymentFailed, Unavailable
from gateways.stripe import Wire, lost
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.database import Database
from models.event_log import EventRecord
from models.identity import Role, User
from models.ledger import LedgerTransaction
from models.payments import Payment, PaymentPurpose, Provider, SavedCard
from models.simulations import SimulatedObject
from resolvers.context import Context
from resolvers.refunds import finish_refund
from tests.paying import announced, begin, booking_now, by, confirm, count, events, hook, make_booking, posted, queued, simulator, stored
from tests.worlds import make_person


async def test_an_intent_has_the_price_of_the_booking(world: Context, database: Database, ann: User, booking: Booking) -> None:
    begun = await begin(by(world, ann), booking, amount=Decimal("200.00"), currency="usd")
    assert (begun.amount, begun.currency) == (20000, "usd")
    assert begun.client_secret.startswith(f"{begun.payment_intent_id}_secret_")
    at_stripe = await world.gateways.stripe.get_intent(begun.payment_intent_id)
    assert (at_stripe.amount, at_stripe.currency, at_stripe.status) == (20000, "USD", "requires_payment_method")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": Decimal("1.00")}, "amount"),
        ({"currency": "eur"}, "currency"),
        ({"payment_type": PaymentPurpose.PRODUCT}, "payment_type"),
    ],
)
async def test_what_a_client_sends_does_not_set_the_price(
    world: Context, database: Database, ann: User, booking: Booking, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadUserInput) as refused:
        await begin(by(world, ann), booking, **wrong)
    assert list(refused.value.fields) == [field]
    assert await count(database, Payment) == 0


async def test_a_foreign_booking_is_as_unknown_as_none(world: Context, database: Database, booking: Booking) -> None:
    eve = await make_person(database, "eve")
    with pytest.raises(NotFound):
        await begin(by(world, eve), booking)


async def test_staff_pay_for_nobody(world: Context, database: Database, booking: Booking) -> None:
    boss = await make_person(database, "boss", Role.ADMIN)
    with pytest.raises(NotFound):
        await begin(by(world, boss, Role.ADMIN), booking)


@pytest.mark.parametrize("more", [{"status": BookingStatus.CANCELLED}, {"payment_status": PaymentStatus.CHARGED}, {"total": "0.00"}])
async def test_what_is_cancelled_paid_or_free_is_not_paid(world: Context, database: Database, ann: User, more: dict[str, Any]) -> None:
    booking = await make_booking(database, ann, **more)
    with pytest.raises(Conflict):
        await begin(by(world, ann), booking)
    assert await count(database, SimulatedObject) == 0


async def test_beginning_again_goes_on_with_the_same_payment(world: Context, database: Database, ann: User, booking: Booking) -> None:
    first, second = await begin(by(world, ann), booking), await begin(by(world, ann), booking, save_card=True)
    assert first.payment_intent_id == second.payment_intent_id
    assert first.client_secret == second.client_secret
    assert (await world.gateways.stripe.get_intent(first.payment_intent_id)).keeps_card
    assert await count(database, Payment) == 1


async def test_beginning_ten_times_at_once_makes_one_payment_and_one_customer(
    world: Context, database: Database, ann: User, booking: Booking
) -> None:
    begun = await asyncio.gather(*(begin(by(world, ann), booking, save_card=each % 2 == 0) for each in range(10)))
    assert len({each.payment_intent_id for each in begun}) == 1
    assert await count(database, Payment) == 1
    assert await count(database, SimulatedObject, SimulatedObject.kind == "customer") == 1


async def test_a_changed_price_changes_the_intent(world: Context, database: Database, ann: User, booking: Booking) -> None:
    first = await begin(by(world, ann), booking)
    async with database.sessions.begin() as db:
        (await db.get_one(Booking, booking.id)).total_amount = Decimal("250.00")
    with pytest.raises(Conflict, match="price"):
        await confirm(by(world, ann), first.payment_intent_id)
    second = await begin(by(world, ann), booking)
    assert (second.payment_intent_id, second.amount) == (first.payment_intent_id, 25000)
    await confirm(by(world, ann), second.payment_intent_id)
    assert sorted(await posted(database)) == [Decimal("-250.00"), Decimal("250.00")]


async def test_yen_have_no_cents(world: Context, database: Database, ann: User) -> None:
    booking = await make_booking(database, ann, "15000", "JPY")
    begun = await begin(by(world, ann), booking, amount=Decimal("15000.00"), currency="jpy")
    assert begun.amount == 15000
    await confirm(by(world, ann), begun.payment_intent_id)
    assert sorted(await posted(database)) == [Decimal(-15000), Decimal(15000)]


async def test_a_paid_booking_is_confirmed_announced_and_in_the_books(
    world: Context, database: Database, ann: User, booking: Booking
) -> None:
    begun = await begin(by(world, ann), booking, save_card=True)
    done = await confirm(by(world, ann), begun.payment_intent_id)
    assert (done.status, done.payment.status, done.payment.method) == ("succeeded", PaymentStatus.CHARGED, "visa •••• 4242")
    assert done.receipt_url
    assert done.receipt_url.startswith("https://")
    now = await booking_now(database, booking)
    assert (now.status, now.payment_status) == (BookingStatus.CONFIRMED, PaymentStatus.CHARGED)
    assert await announced(database) == ["booking.paid", "booking.confirmed"]
    assert sorted(await posted(database)) == [Decimal("-200.00"), Decimal("200.00")]
    async with database.sessions() as db:
        card = (await db.scalars(select(SavedCard))).one()
    assert (card.brand, card.last4, card.is_default, card.user_id) == ("visa", "4242", True, ann.id)
    with pytest.raises(Conflict, match="paid already"):
        await begin(by(world, ann), booking)


async def test_a_card_is_kept_only_when_that_was_asked_for(world: Context, database: Database, ann: User, booking: Booking) -> None:
    await confirm(by(world, ann), (await begin(by(world, ann), booking)).payment_intent_id)
    assert await count(database, SavedCard) == 0


async def test_confirming_again_charges_nothing_and_answers_the_same(
    world: Context, database: Database, ann: User, booking: Booking
) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    first, second = await confirm(by(world, ann), intent), await confirm(by(world, ann), intent, "pm_card_mastercard")
    assert (first.status, first.payment.id, first.receipt_url) == (second.status, second.payment.id, second.receipt_url)
    assert await count(database, SimulatedObject, SimulatedObject.kind == "charge") == 1


async def test_one_key_does_one_thing(world: Context, database: Database, ann: User, booking: Booking) -> None:
    first = await begin(by(world, ann), booking, key="pay-1")
    again = await begin(by(world, ann), booking, key="pay-1")
    assert (first.client_secret, first.payment.id) == (again.client_secret, again.payment.id)
    with pytest.raises(IdempotencyKeyReused):
        await begin(by(world, ann), booking, key="pay-1", save_card=True)


@pytest.mark.parametrize(
    ("method", "message", "reason"),
    [
        ("pm_card_chargeDeclined", "Your card was declined.", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "Your card has insufficient funds.", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "Your card has expired.", "expired_card"),
    ],
)
async def test_a_declined_card_is_told_in_stripes_words(
    world: Context, database: Database, ann: User, booking: Booking, method: str, message: str, reason: str
) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    with pytest.raises(PaymentFailed) as declined:
        await confirm(by(world, ann), intent, method)
    assert (declined.value.message, declined.value.details["reason"]) == (message, reason)
    payment, now = await stored(database, intent), await booking_now(database, booking)
    assert (payment.status, payment.failure_message) == (PaymentStatus.FAILED, message)
    assert (now.status, now.payment_status) == (BookingStatus.PENDING, PaymentStatus.FAILED)
    assert await posted(database) == []


async def test_after_a_decline_another_card_may_pay(world: Context, database: Database, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    with pytest.raises(PaymentFailed):
        await confirm(by(world, ann), intent, "pm_card_chargeDeclined")
    begun = await begin(by(world, ann), booking)
    assert begun.payment_intent_id == intent
    assert begun.payment.status is PaymentStatus.PENDING
    assert (await confirm(by(world, ann), intent)).status == "succeeded"
    payment = await stored(database, intent)
    assert (payment.status, payment.failure_message) == (PaymentStatus.CHARGED, None)


async def test_a_bank_that_asks_is_answered_by_the_customer(world: Context, database: Database, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    asked = await confirm(by(world, ann), intent, "pm_card_authenticationRequired")
    assert (asked.status, asked.payment.status) == ("requires_action", PaymentStatus.PENDING)
    held = await simulator(world).pay(intent, hold=True)
    assert held["status"] == "succeeded"
    await hook(world, **held["webhook"])
    assert (await booking_now(database, booking)).status is BookingStatus.CONFIRMED
    assert (await stored(database, intent)).method == "visa •••• 3184"


async def test_a_bank_that_asks_after_a_decline_makes_the_payment_pending_again(world: Context, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    with pytest.raises(PaymentFailed):
        await confirm(by(world, ann), intent, "pm_card_chargeDeclined")
    asked = await confirm(by(world, ann), intent, "pm_card_threeDSecure2Required")
    assert (asked.payment.status, asked.payment.failure_message) == (PaymentStatus.PENDING, None)


async def test_a_customer_who_says_no_to_the_bank_has_not_paid(world: Context, database: Database, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    await confirm(by(world, ann), intent, "pm_card_authenticationRequired")
    held = await simulator(world).pay(intent, fails=True, hold=True)
    await hook(world, **held["webhook"])
    payment = await stored(database, intent)
    assert payment.status is PaymentStatus.FAILED
    assert "unable to authenticate" in (payment.failure_message or "")


async def test_a_cancelled_booking_is_not_charged(world: Context, database: Database, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    async with database.sessions.begin() as db:
        (await db.get_one(Booking, booking.id)).status = BookingStatus.CANCELLED
    with pytest.raises(Conflict, match="cancelled"):
        await confirm(by(world, ann), intent)
    assert (await world.gateways.stripe.get_intent(intent)).status == "requires_payment_method"


async def test_money_for_a_booking_that_was_cancelled_meanwhile_goes_back(
    world: Context, database: Database, ann: User, booking: Booking
) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    async with database.sessions.begin() as db:
        (await db.get_one(Booking, booking.id)).status = BookingStatus.CANCELLED
    await hook(world, **(await simulator(world).pay(intent, hold=True))["webhook"])
    now = await booking_now(database, booking)
    assert (now.status, now.payment_status) == (BookingStatus.CANCELLED, PaymentStatus.CHARGED)
    assert await queued(database) == ["finish_refund"]
    await finish_refund(world, refund_id=1)
    now = await booking_now(database, booking)
    assert (now.status, now.payment_status) == (BookingStatus.CANCELLED, PaymentStatus.REFUNDED)
    assert await announced(database) == ["booking.paid", "booking.refunded"]
    assert sum(await posted(database)) == 0
    assert [each.amount for each in await world.gateways.stripe.list_refunds(intent)] == [20000]


@pytest.mark.parametrize("intent", ["pi_unknown", "", "pi_\x00", "pi_" + "x" * 5000, "pi_../customers", "🦄"])
async def test_an_unknown_intent_is_not_found(world: Context, ann: User, intent: str) -> None:
    with pytest.raises(NotFound):
        await confirm(by(world, ann), intent)


@pytest.mark.parametrize("method", ["", "card", "pm_\x00", "pm_" + "x" * 5000, "pm_/../x"])
async def test_a_payment_method_has_an_id(world: Context, ann: User, booking: Booking, method: str) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    with pytest.raises(BadUserInput) as refused:
        await confirm(by(world, ann), intent, method)
    assert list(refused.value.fields) == ["payment_method_id"]


async def test_an_unknown_payment_method_is_told_in_stripes_words(world: Context, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    with pytest.raises(BadUserInput) as refused:
        await confirm(by(world, ann), intent, "pm_nobody")
    assert refused.value.fields == {"payment_method_id": "No such PaymentMethod: 'pm_nobody'"}


async def test_a_foreign_payment_cannot_be_confirmed(world: Context, database: Database, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    with pytest.raises(NotFound):
        await confirm(by(world, await make_person(database, "eve")), intent)


async def test_confirming_and_the_webhook_race_and_money_counts_once(
    world: Context, database: Database, ann: User, booking: Booking
) -> None:
    begun = await begin(by(world, ann), booking, save_card=True)
    held = (await simulator(world).pay(begun.payment_intent_id, hold=True))["webhook"]
    confirming = asyncio.gather(*(confirm(by(world, ann), begun.payment_intent_id) for _ in range(5)))
    await asyncio.gather(*(hook(world, **held) for _ in range(5)))
    assert {each.status for each in await confirming} == {"succeeded"}
    assert sorted(await posted(database)) == [Decimal("-200.00"), Decimal("200.00")]
    assert await count(database, LedgerTransaction) == 1
    assert sorted(await announced(database)) == ["booking.confirmed", "booking.paid"]
    assert await count(database, SavedCard) == 1
    assert (await booking_now(database, booking)).status is BookingStatus.CONFIRMED


async def test_twenty_confirmations_at_once_charge_once(world: Context, database: Database, ann: User, booking: Booking) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    done = await asyncio.gather(*(confirm(by(world, ann), intent, key=f"tap-{each}") for each in range(20)))
    assert {each.status for each in done} == {"succeeded"}
    assert await count(database, SimulatedObject, SimulatedObject.kind == "charge") == 1
    assert await count(database, EventRecord) == 2


async def test_an_answer_that_got_lost_is_looked_up_not_repeated(
    world: Context, database: Database, ann: User, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    through = Wire.request_async

    async def lose_the_answer(*arguments: Any, **more: Any) -> None:
        await through(*arguments, **more)
        raise lost(ConnectionResetError())

    monkeypatch.setattr(Wire, "request_async", lose_the_answer)
    with pytest.raises(Unavailable):
        await confirm(by(world, ann), intent, key="tap")
    monkeypatch.undo()
    assert (await stored(database, intent)).status is PaymentStatus.PENDING
    assert (await confirm(by(world, ann), intent, key="tap")).status == "succeeded"
    assert await count(database, SimulatedObject, SimulatedObject.kind == "charge") == 1
    assert sorted(await posted(database)) == [Decimal("-200.00"), Decimal("200.00")]


async def test_money_whose_webhook_never_came_is_found_when_the_payer_begins_again(
    world: Context, database: Database, ann: User, booking: Booking
) -> None:
    intent = (await begin(by(world, ann), booking)).payment_intent_id
    await simulator(world).pay(intent, hold=True)
    with pytest.raises(Conflict, match="paid already"):
        await begin(by(world, ann), booking)
    assert (await booking_now(database, booking)).status is BookingStatus.CONFIRMED


async def test_a_cancelled_intent_is_replaced(world: Context, database: Database, ann: User, booking: Booking) -> None:
    first = await begin(by(world, ann), booking)
    await world.gateways.stripe.cancel_intent(first.payment_intent_id)
    second = await begin(by(world, ann), booking)
    assert second.payment_intent_id != first.payment_intent_id
    canceled = next(each for each in await events(world, database) if each["type"] == "payment_intent.canceled")
    await hook(world, *simulator(world).sign(canceled))
    assert (await stored(database, second.payment_intent_id)).status is PaymentStatus.PENDING
    assert (await confirm(by(world, ann), second.payment_intent_id)).status == "succeeded"


async def test_what_is_paid_in_cash_is_not_paid_by_card(world: Context, database: Database, ann: User, booking: Booking) -> None:
    async with database.sessions.begin() as db:
        db.add(Payment(user_id=ann.id, booking_id=booking.id, provider=Provider.CASH, amount=booking.total_amount))
    with pytest.raises(Conflict, match="cash"):
        await begin(by(world, ann), booking)


PAY = """mutation ($booking: ID!) {
  createPaymentIntent(bookingId: $booking, amount: "200.00", currency: "usd", saveCard: true) {
    clientSecret paymentIntentId amount currency payment { amount status bookingReference }
  }
}"""
CONFIRM = """mutation ($intent: String!) {
  confirmPayment(paymentIntentId: $intent, paymentMethodId: "pm_card_visa") { status receiptUrl payment { id status method refunds { id } }
  }
}"""
READ = """query ($id: ID!) {
  payment(id: $id) { status amount } myPayments { nodes { id } totalCount }
  mySavedCards { paymentMethodId brand last4 isDefault }
}"""


async def test_the_same_over_graphql(world: Context, database: Database, ann: User, booking: Booking) -> None:
    engine, ctx = Engine(world.settings), by(world, ann)
    begun = await engine.run(PAY, ctx, variables={"booking": str(booking.id)})
    assert begun.errors == []
    intent = begun.data["createPaymentIntent"]["paymentIntentId"]  # type: ignore[index]
    assert begun.data["createPaymentIntent"]["payment"] == {  # type: ignore[index]
        "amount": "200.00", "status": "PENDING", "bookingReference": (await booking_now(database, booking)).reference,
    }  # fmt: skip
    done = await engine.run(CONFIRM, ctx, variables={"intent": intent})
    assert done.errors == []
    payment = done.data["confirmPayment"]["payment"]  # type: ignore[index]
    assert (payment["status"], payment["method"], payment["refunds"]) == ("CHARGED", "visa •••• 4242", [])
    read = await engine.run(READ, ctx, variables={"id": payment["id"]})
    assert read.errors == []
    assert read.data["payment"] == {"status": "CHARGED", "amount": "200.00"}  # type: ignore[index]
    assert read.data["mySavedCards"][0]["last4"] == "4242"  # type: ignore[index]
    stranger = await engine.run(READ, by(world, await make_person(database, "eve")), variables={"id": payment["id"]})
    assert stranger.errors[0].original_error.code == "NOT_FOUND"  # type: ignore[union-attr]
