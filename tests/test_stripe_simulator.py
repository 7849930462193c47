"""The double of Stripe, through Stripe's own SDK and as it is on the wire."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import stripe
from sqlalchemy import select

from errors import BadUserInput, Conflict, PaymentFailed, Unavailable
from gateways.simulators.stripe import StripeSimulator
from gateways.simulators.stripe_wire import StripeRefuses, read_form
from gateways.stripe import Stripe, Wire
from models.database import Database
from models.simulations import SimulatedObject

KEY, SECRET = "sk_test_demo", "whsec_demo"


@pytest.fixture
async def simulator(database: Database) -> AsyncIterator[StripeSimulator]:
    async with StripeSimulator(database, KEY, SECRET) as simulator:
        yield simulator


@pytest.fixture
async def sdk(simulator: StripeSimulator) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, http_client=Wire(simulator.transport()))


@pytest.fixture
async def wire(simulator: StripeSimulator) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(transport=simulator.transport(), base_url="https://api.stripe.com", headers=headers) as client:
        yield client


@pytest.fixture
async def gateway(simulator: StripeSimulator) -> AsyncIterator[Stripe]:
    async with Stripe(KEY, SECRET, simulator.transport()) as gateway:
        yield gateway


async def intent_of(sdk: stripe.StripeClient, amount: int = 2000, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": amount, "currency": "usd", "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, **more}
    return await sdk.v1.payment_intents.create_async(params)


async def pay(sdk: stripe.StripeClient, id: str, method: str = "pm_card_visa", **more: Any) -> stripe.PaymentIntent:
    params: Any = {"payment_method": method, "expand": ["latest_charge", "payment_method"], **more}
    return await sdk.v1.payment_intents.confirm_async(id, params)


async def test_an_intent_goes_from_nothing_to_money(sdk: stripe.StripeClient) -> None:
    made = await intent_of(sdk, metadata={"order": "7"})
    assert made.id.startswith("pi_")
    assert (made.status, made.amount_received, made.metadata["order"]) == ("requires_payment_method", 0, "7")
    paid = await pay(sdk, made.id)
    assert (paid.status, paid.amount_received) == ("succeeded", 2000)
    assert isinstance(paid.latest_charge, stripe.Charge)
    assert paid.latest_charge.receipt_url
    assert paid.latest_charge.metadata["order"] == "7"
    with pytest.raises(stripe.InvalidRequestError) as again:
        await pay(sdk, made.id)
    assert again.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("method", "brand", "last4"),
    [("pm_card_visa", "visa", "4242"), ("pm_card_mastercard", "mastercard", "4444"), ("pm_card_amex", "amex", "0005")],
)
async def test_test_cards_look_as_published(sdk: stripe.StripeClient, method: str, brand: str, last4: str) -> None:
    paid = await pay(sdk, (await intent_of(sdk)).id, method)
    assert isinstance(paid.payment_method, stripe.PaymentMethod)
    assert paid.payment_method.id != method
    card = paid.payment_method.card
    assert card
    assert (card.brand, card.last4, card.exp_month) == (brand, last4, 12)


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ],
)
async def test_declines_have_stripes_codes_and_leave_a_trace(sdk: stripe.StripeClient, method: str, code: str, decline_code: str) -> None:
    made = await intent_of(sdk)
    with pytest.raises(stripe.CardError) as declined:
        await pay(sdk, made.id, method)
    assert (declined.value.http_status, declined.value.code) == (402, code)
    assert declined.value.error
    assert declined.value.error.decline_code == decline_code
    now = await sdk.v1.payment_intents.retrieve_async(made.id)
    assert now.status == "requires_payment_method"
    assert now.last_payment_error
    assert now.last_payment_error.code == code
    assert (await pay(sdk, made.id)).status == "succeeded"


async def test_three_d_secure_asks_its_owner(sdk: stripe.StripeClient, simulator: StripeSimulator) -> None:
    made = await intent_of(sdk)
    asked = await pay(sdk, made.id, "pm_card_authenticationRequired")
    assert asked.status == "requires_action"
    assert asked.next_action
    assert asked.next_action.type == "use_stripe_sdk"
    assert await simulator.pay(made.id) == {"payment_intent_id": made.id, "status": "succeeded"}


async def test_nobody_is_asked_off_session(sdk: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await pay(sdk, (await intent_of(sdk)).id, "pm_card_authenticationRequired", off_session=True)
    assert declined.value.code == "authentication_required"


async def test_a_card_is_kept_for_later_and_pays_off_session(sdk: stripe.StripeClient) -> None:
    customer = await sdk.v1.customers.create_async({"metadata": {"person": "1"}})
    first = await pay(sdk, (await intent_of(sdk, customer=customer.id, setup_future_usage="off_session")).id)
    kept = await sdk.v1.customers.payment_methods.list_async(customer.id, {"type": "card"})
    [card] = kept.data
    assert isinstance(first.payment_method, stripe.PaymentMethod)
    assert card.id == first.payment_method.id
    again = await pay(sdk, (await intent_of(sdk, customer=customer.id)).id, card.id, off_session=True)
    assert again.status == "succeeded"
    other = await sdk.v1.customers.create_async()
    with pytest.raises(stripe.InvalidRequestError, match="another Customer"):
        await pay(sdk, (await intent_of(sdk, customer=other.id)).id, card.id)
    await sdk.v1.payment_methods.detach_async(card.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await pay(sdk, (await intent_of(sdk, customer=customer.id)).id, card.id)


async def test_a_card_that_was_not_kept_pays_once(sdk: stripe.StripeClient) -> None:
    used = await pay(sdk, (await intent_of(sdk)).id)
    assert isinstance(used.payment_method, stripe.PaymentMethod)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await pay(sdk, (await intent_of(sdk)).id, used.payment_method.id)


async def test_refunds_never_exceed_the_charge(sdk: stripe.StripeClient) -> None:
    made = await intent_of(sdk)
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        await sdk.v1.refunds.create_async({"payment_intent": made.id})
    await pay(sdk, made.id)
    done = await asyncio.gather(
        *(sdk.v1.refunds.create_async({"payment_intent": made.id, "amount": 600}) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, stripe.Refund) for each in done) == 3
    await sdk.v1.refunds.create_async({"payment_intent": made.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await sdk.v1.refunds.create_async({"payment_intent": made.id})
    assert refused.value.code == "charge_already_refunded"
    assert sum(each.amount for each in (await sdk.v1.refunds.list_async({"payment_intent": made.id})).data) == 2000


async def test_a_repeat_under_the_same_key_answers_the_same(sdk: stripe.StripeClient, wire: httpx2.AsyncClient) -> None:
    form, key = {"amount": "2000", "currency": "usd"}, {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(wire.post("/v1/payment_intents", data=form, headers=key) for _ in range(5)))
    assert len({each.json()["id"] for each in answers}) == 1
    assert sorted(each.headers.get("idempotent-replayed", "") for each in answers) == ["", "true", "true", "true", "true"]
    other = await wire.post("/v1/payment_intents", data=form | {"amount": "1"}, headers=key)
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")


async def test_a_decline_is_repeated_under_the_same_key_too(sdk: stripe.StripeClient, database: Database) -> None:
    made = await intent_of(sdk)
    params: Any = {"payment_method": "pm_card_chargeDeclined"}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await sdk.v1.payment_intents.confirm_async(made.id, params, {"idempotency_key": "one"})
    async with database.sessions() as db:
        assert len((await db.scalars(select(SimulatedObject).where(SimulatedObject.kind == "charge"))).all()) == 1


async def test_concurrent_confirmations_charge_once(sdk: stripe.StripeClient) -> None:
    made = await intent_of(sdk)
    done = await asyncio.gather(*(pay(sdk, made.id) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(each, stripe.PaymentIntent) for each in done) == 1
    assert sum(isinstance(each, stripe.InvalidRequestError) for each in done) == 7


WRONG: list[tuple[dict[str, str], str]] = [
    ({"currency": "usd"}, "amount"),
    ({"amount": "much", "currency": "usd"}, "amount"),
    ({"amount": "0", "currency": "usd"}, "amount"),
    ({"amount": "100000000", "currency": "usd"}, "amount"),
    ({"amount": "5", "currency": "usdollar"}, "currency"),
    ({"amount": "5", "currency": "usd", "customer": "cus_nobody"}, "customer"),
    ({"amount": "5", "currency": "usd", "colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("form", "param"), WRONG)
async def test_wrong_requests_are_refused_in_stripes_shape(wire: httpx2.AsyncClient, form: dict[str, str], param: str) -> None:
    answer = await wire.post("/v1/payment_intents", data=form)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert answer.headers["request-id"].startswith("req_")


async def test_unknown_things_and_wrong_keys(wire: httpx2.AsyncClient) -> None:
    unknown = await wire.get("/v1/payment_intents/pi_nobody")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "resource_missing")
    assert (await wire.get("/v1/unheard_of")).status_code == 404
    assert (await wire.get("/v1/payment_intents/pi_1", headers={"Authorization": "Bearer sk_wrong_key"})).status_code == 401
    assert (await wire.post("/v1/payment_intents", content="a[b]=1&a=2&a[c][d]=3")).status_code == 400


def test_forms_are_read_as_stripe_reads_them() -> None:
    assert read_form("a=1&b[c]=2&b[d][e]=3&f[]=x&f[]=y&g[0]=z") == {
        "a": "1",
        "b": {"c": "2", "d": {"e": "3"}},
        "f": {"0": "x", "1": "y"},
        "g": {"0": "z"},
    }


async def test_webhooks_come_until_they_are_taken_and_are_signed(database: Database) -> None:
    taken: list[str] = []
    tries = 0
    done = asyncio.Event()

    async def deliver(body: bytes, headers: dict[str, str]) -> None:
        nonlocal tries
        tries += 1
        event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET)
        if tries < 3:
            raise Unavailable
        taken.append(event.type)
        if len(taken) == 2:
            done.set()

    async with StripeSimulator(database, KEY, SECRET, deliver) as simulator:
        sdk = stripe.StripeClient(KEY, http_client=Wire(simulator.transport()))
        await pay(sdk, (await intent_of(sdk)).id)
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.sleep(0.1)
    assert sorted(taken) == ["charge.succeeded", "payment_intent.succeeded"]


async def test_what_could_not_be_sent_is_sent_after_a_restart(database: Database) -> None:
    async def refuse(body: bytes, headers: dict[str, str]) -> None:
        raise Unavailable

    async with StripeSimulator(database, KEY, SECRET, refuse) as simulator:
        sdk = stripe.StripeClient(KEY, http_client=Wire(simulator.transport()))
        made = await intent_of(sdk)
        await pay(sdk, made.id)
    taken: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(body: bytes, headers: dict[str, str]) -> None:
        taken.put_nowait(body)

    async with StripeSimulator(database, KEY, SECRET, take) as simulator:
        bodies = [await asyncio.wait_for(taken.get(), 5) for _ in range(2)]
        await asyncio.sleep(0.2)
        sdk = stripe.StripeClient(KEY, http_client=Wire(simulator.transport()))
        assert (await sdk.v1.payment_intents.retrieve_async(made.id)).status == "succeeded"
    assert all(b"_to_send" not in each for each in bodies)
    async with StripeSimulator(database, KEY, SECRET, take):
        await asyncio.sleep(0.2)
    assert taken.empty()


async def test_a_held_webhook_is_not_sent(database: Database) -> None:
    taken: list[bytes] = []

    async def take(body: bytes, headers: dict[str, str]) -> None:
        taken.append(body)

    async with StripeSimulator(database, KEY, SECRET, take) as simulator:
        sdk = stripe.StripeClient(KEY, http_client=Wire(simulator.transport()))
        held = await simulator.pay((await intent_of(sdk)).id, hold=True)
        await asyncio.sleep(0.1)
    assert taken == []
    event = stripe.Webhook.construct_event(held["webhook"]["body"], held["webhook"]["headers"]["Stripe-Signature"], SECRET)
    assert event.type == "payment_intent.succeeded"


async def test_the_gateway_speaks_our_errors_and_no_secrets(gateway: Stripe, simulator: StripeSimulator) -> None:
    customer = await gateway.create_customer("person")
    assert await gateway.create_customer("person") == customer
    made = await gateway.create_intent("payment", 2000, "USD", customer, keep_card=True)
    assert (await gateway.create_intent("payment", 2000, "USD", customer, keep_card=True)).id == made.id
    with pytest.raises(PaymentFailed, match="insufficient funds"):
        await gateway.confirm_intent(made.id, "pm_card_chargeDeclinedInsufficientFunds")
    with pytest.raises(BadUserInput):
        await gateway.confirm_intent(made.id, "pm_unknown")
    paid = await gateway.confirm_intent(made.id, "pm_card_visa", "key")
    assert (await gateway.confirm_intent(made.id, "pm_card_visa", "key")) == paid
    with pytest.raises(Conflict):
        await gateway.cancel_intent(made.id)
    assert paid.card
    assert [each.id for each in await gateway.list_cards(customer)] == [paid.card.id]
    await gateway.detach_card(paid.card.id)
    await gateway.detach_card(paid.card.id)
    assert await gateway.list_cards(customer) == []
    async with Stripe("sk_live_other", SECRET, simulator.transport()) as stranger:
        with pytest.raises(Unavailable) as refused:
            await stranger.get_intent(made.id)
    assert "sk_" not in str(refused.value)


async def test_a_refused_attachment_and_a_kept_card(gateway: Stripe) -> None:
    customer = await gateway.create_customer("person")
    card = await gateway.attach_card("pm_card_mastercard", customer)
    assert (card.brand, card.last4) == ("mastercard", "4444")
    with pytest.raises(PaymentFailed):
        await gateway.attach_card("pm_card_chargeDeclined", customer)


async def test_an_unknown_intent_cannot_be_played(simulator: StripeSimulator) -> None:
    with pytest.raises(StripeRefuses):
        await simulator.pay("pi_nobody")
