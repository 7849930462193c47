"""Stripe's webhooks: only true ones, in any order and any number of times."""

import asyncio
import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import stripe

from errors import ApiError, Conflict, MalformedRequest, NotFound
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.database import Database
from models.identity import User
from models.payments import Payment, ProviderEvent
from resolvers.context import Context
from tests.paying import announced, begin, booking_now, by, confirm, count, hook, posted, signed, simulator, stored


@pytest.fixture
async def intent(world: Context, ann: User, booking: Booking) -> str:
    return (await begin(by(world, ann), booking, save_card=True)).payment_intent_id


def paid(intent: str, amount: Any = 20000, **more: Any) -> dict[str, Any]:
    return {
        "id": intent, "object": "payment_intent", "amount": amount, "amount_received": amount, "currency": "usd",
        "status": "succeeded", "metadata": {}, **more,
    }  # fmt: skip


async def test_a_payment_is_settled_by_its_webhook_alone(world: Context, database: Database, booking: Booking, intent: str) -> None:
    held = await simulator(world).pay(intent, hold=True)
    await hook(world, **held["webhook"])
    payment = await stored(database, intent)
    assert (payment.status, payment.method) == (PaymentStatus.CHARGED, "visa •••• 4242")
    assert payment.receipt_url
    assert (await booking_now(database, booking)).status is BookingStatus.CONFIRMED


async def test_an_event_is_enough_where_stripe_has_nothing_to_add(world: Context, database: Database, intent: str) -> None:
    await hook(world, *signed("payment_intent.succeeded", paid(intent)))
    assert (await stored(database, intent)).status is PaymentStatus.CHARGED


async def test_the_same_event_ten_times_at_once_counts_once(world: Context, database: Database, intent: str) -> None:
    held = (await simulator(world).pay(intent, hold=True))["webhook"]
    await asyncio.gather(*(hook(world, **held) for _ in range(10)))
    await hook(world, **held)
    assert await count(database, ProviderEvent) == 1
    assert sorted(await posted(database)) == [Decimal(-200), Decimal(200)]
    assert await announced(database) == ["booking.paid", "booking.confirmed"]


async def test_ten_different_events_of_one_payment_count_once(world: Context, database: Database, intent: str) -> None:
    await asyncio.gather(*(hook(world, *signed("payment_intent.succeeded", paid(intent))) for _ in range(10)))
    assert await count(database, ProviderEvent) == 10
    assert sorted(await posted(database)) == [Decimal(-200), Decimal(200)]


async def test_a_failure_that_is_told_after_the_success_changes_nothing(world: Context, database: Database, intent: str) -> None:
    await hook(world, *signed("payment_intent.succeeded", paid(intent)))
    await hook(world, *signed("payment_intent.payment_failed", {"id": intent, "object": "payment_intent"}))
    await hook(world, *signed("payment_intent.canceled", {"id": intent, "object": "payment_intent"}))
    assert (await stored(database, intent)).status is PaymentStatus.CHARGED


async def test_a_success_after_a_failure_counts(world: Context, database: Database, intent: str) -> None:
    error = {"last_payment_error": {"message": "Your card was declined."}}
    await hook(world, *signed("payment_intent.payment_failed", {"id": intent, "object": "payment_intent", **error}))
    assert (await stored(database, intent)).failure_message == "Your card was declined."
    await hook(world, *signed("payment_intent.succeeded", paid(intent)))
    assert (await stored(database, intent)).status is PaymentStatus.CHARGED


async def test_an_event_before_our_own_row_knows_stripes_id_is_told_apart_by_its_metadata(
    world: Context, database: Database, ann: User, booking: Booking, intent: str
) -> None:
    uuid = (await stored(database, intent)).uuid
    async with database.sessions.begin() as db:
        payment = await db.get_one(Payment, 1)
        payment.provider_id = payment.client_secret = None
    await hook(world, *signed("payment_intent.succeeded", paid(intent, metadata={"payment": str(uuid)})))
    assert (await stored(database, intent)).status is PaymentStatus.CHARGED


async def test_an_event_of_a_payment_of_ours_that_is_not_known_yet_comes_again(world: Context, database: Database) -> None:
    event = signed("payment_intent.succeeded", paid("pi_early", metadata={"payment": str(uuid4())}))
    with pytest.raises(NotFound):
        await hook(world, *event)
    assert await count(database, ProviderEvent) == 0


async def test_an_event_of_somebody_elses_payment_is_taken_and_forgotten(world: Context, database: Database) -> None:
    await hook(world, *signed("payment_intent.succeeded", paid("pi_theirs")))
    assert await count(database, ProviderEvent) == 0


async def test_a_kind_that_nobody_knows_is_taken(world: Context, database: Database, intent: str) -> None:
    await hook(world, *signed("payment_intent.requires_action", {"id": intent, "object": "payment_intent"}))
    await hook(world, *signed("tomorrow.invented", {}))
    assert await count(database, ProviderEvent) == 2
    assert (await stored(database, intent)).status is PaymentStatus.PENDING


async def test_another_amount_than_the_price_settles_nothing(world: Context, database: Database, intent: str) -> None:
    for subject in (paid(intent, 1), paid(intent, 20000, currency="eur")):
        with pytest.raises(Conflict):
            await hook(world, *signed("payment_intent.succeeded", subject))
    assert (await stored(database, intent)).status is PaymentStatus.PENDING
    assert await count(database, ProviderEvent) == 0


async def test_a_second_intent_for_a_paid_booking_is_not_counted_silently(
    world: Context, database: Database, ann: User, intent: str
) -> None:
    await confirm(by(world, ann), intent)
    uuid = (await stored(database, intent)).uuid
    with pytest.raises(Conflict):
        await hook(world, *signed("payment_intent.succeeded", paid("pi_second", metadata={"payment": str(uuid)})))
    assert sorted(await posted(database)) == [Decimal(-200), Decimal(200)]


@pytest.mark.parametrize("age", [-301, -3600, 310, 86400])
async def test_an_old_event_and_one_of_the_future_are_refused(world: Context, database: Database, intent: str, age: int) -> None:
    with pytest.raises(MalformedRequest):
        await hook(world, *signed("payment_intent.succeeded", paid(intent), at=int(time.time()) + age))
    assert (await stored(database, intent)).status is PaymentStatus.PENDING


@pytest.mark.parametrize("signature", ["", "t=1,v1=", "nonsense", "t=x,v1=y", "t=1700000000", "v1=abc", "t=1,v1=ä", "🦄", "t=,v1=,"])
async def test_a_forged_signature_is_refused(world: Context, intent: str, signature: str) -> None:
    body, _ = signed("payment_intent.succeeded", paid(intent))
    with pytest.raises(MalformedRequest):
        await hook(world, body, {"Stripe-Signature": signature})


async def test_one_changed_byte_breaks_the_signature(world: Context, intent: str) -> None:
    body, headers = signed("payment_intent.succeeded", paid(intent))
    with pytest.raises(MalformedRequest):
        await hook(world, body.replace(b"20000", b"20001"), headers)


JUNK = [
    "", "null", "[]", "{}", "3", '"text"', "{", "[" * 5000, '{"id": "evt_1"}', '{"id": 3, "type": "x", "data": {"object": {}}}',
    '{"id": "evt_1", "type": ["x"], "data": {"object": {}}}', '{"id": "evt_1", "type": "x", "data": 5}',
    '{"id": "evt_1", "type": "x", "data": {"object": []}}', '{"id": "evt_\\u0000", "type": "x", "data": {"object": {}}}',
    '{"id": "evt_1", "type": "x", "data": {"object": {"a": "\\u0000"}}}',
    '{"id": "evt_1", "type": "x", "data": {"object": {"a": "\\ud800"}}}',
]  # fmt: skip


@pytest.mark.parametrize("body", JUNK)
async def test_signed_junk_is_refused_with_a_code(world: Context, database: Database, body: str) -> None:
    signature = stripe.WebhookSignature.generate_signature_header(body, "whsec_demo")
    with pytest.raises(ApiError) as refused:
        await hook(world, body, {"Stripe-Signature": signature})
    assert 400 <= refused.value.status < 500
    assert await count(database, ProviderEvent) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"id": None}, {"id": 5}, {"id": "pi_\x00"}, {"id": "x" * 300}, {"amount_received": "20000"}, {"amount_received": None},
        {"amount_received": -1}, {"amount_received": 2**70}, {"amount_received": True}, {"currency": 5}, {"currency": "usdollar"},
        {"currency": None},
    ],
)  # fmt: skip
async def test_signed_nonsense_about_a_payment_is_refused_with_a_code(
    world: Context, database: Database, intent: str, change: dict[str, Any]
) -> None:
    with pytest.raises(ApiError) as refused:
        await hook(world, *signed("payment_intent.succeeded", paid(intent) | change))
    assert 400 <= refused.value.status < 500
    assert (await stored(database, intent)).status is PaymentStatus.PENDING


@pytest.mark.parametrize("metadata", [None, 5, [], {"payment": 5}, {"payment": "x"}, {"payment": None}])
async def test_odd_metadata_does_not_matter(world: Context, database: Database, intent: str, metadata: Any) -> None:
    await hook(world, *signed("payment_intent.succeeded", paid(intent, metadata=metadata)))
    assert (await stored(database, intent)).status is PaymentStatus.CHARGED
