"""Stripe through its own SDK; nothing else in the project knows Stripe's objects."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from uuid import uuid4

import httpx2
import orjson
import stripe
import structlog

from errors import ApiError, BadUserInput, Conflict, IdempotencyKeyReused, MalformedRequest, PaymentFailed, Unavailable
from gateways.stripe_objects import (
    Card,
    Disputed,
    Event,
    Intent,
    Refunded,
    Setup,
    read_card,
    read_dispute,
    read_intent,
    read_refund,
    read_setup,
)

API_VERSION = "2026-10-28.endive"
TOLERANCE = 300
"""Seconds that a webhook may be old, or ahead of our clock."""
TIMEOUT = httpx2.Timeout(8, connect=3)
NETWORK_RETRIES = 1
"""Repeated under the same idempotency key, so Stripe answers what it answered, or would have."""

LONGEST_KEY = 255
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,255}")
EXPAND = ["latest_charge", "payment_method"]
BROKEN_RULES = frozenset({"payment_intent_unexpected_state", "setup_intent_unexpected_state", "charge_already_refunded", "charge_disputed"})
FIELDS = {"payment_method": "payment_method_id", "intent": "payment_intent_id", "setup_intent": "setup_intent_id"}
"""What our operations call Stripe's parameters."""

stripe.enable_telemetry = False  # it would leave a file in the home folder and send our response times along

log = structlog.get_logger()


class Stripe:
    """Customers, payment intents, refunds, disputes, cards and webhooks of one Stripe account."""

    def __init__(self, secret_key: str, webhook_secret: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._webhook_secret = webhook_secret
        self._wire = Wire(transport)
        self._sdk = stripe.StripeClient(secret_key, stripe_version=API_VERSION, max_network_retries=NETWORK_RETRIES, http_client=self._wire)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.close_async()

    async def create_customer(self, person: str) -> str:
        """The id of a customer that stands for a person; the same one when asked again."""
        params: Any = {"metadata": {"person": person}}
        with _translated():
            made = await self._sdk.v1.customers.create_async(params, _once(f"customer-{person}", params))
        return made.id

    async def create_intent(
        self, payment: str, amount: int, currency: str, customer: str, *, keep_card: bool, replaces: str | None = None
    ) -> Intent:
        """Begin a payment; asked again for the same it answers the same, and `replaces` names a cancelled one."""
        params: Any = {
            "amount": amount,
            "currency": currency.lower(),
            "customer": customer,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {"payment": payment},
            "expand": EXPAND,
        }
        if keep_card:
            params["setup_future_usage"] = "off_session"
        with _translated():
            return read_intent(await self._sdk.v1.payment_intents.create_async(params, _once(f"intent-{payment}-{replaces}", params)))

    async def change_intent(self, id: str, amount: int, currency: str, *, keep_card: bool) -> Intent:
        """Change a payment that has not come in yet."""
        params: Any = {
            "amount": amount,
            "currency": currency.lower(),
            "setup_future_usage": "off_session" if keep_card else "",
            "expand": EXPAND,
        }
        with _translated():
            return read_intent(await self._sdk.v1.payment_intents.update_async(id, params, _anew()))

    async def get_intent(self, id: str) -> Intent:
        """How a payment stands."""
        with _translated():
            return read_intent(await self._sdk.v1.payment_intents.retrieve_async(id, {"expand": EXPAND}))

    async def confirm_intent(self, id: str, payment_method: str, key: str | None = None, *, off_session: bool = False) -> Intent:
        """Charge a card; PaymentFailed with Stripe's words when it is declined. A repeat under the same key charges nothing."""
        params: Any = {"payment_method": payment_method, "expand": EXPAND}
        if off_session:
            params["off_session"] = True
        with _translated():
            options = _anew() if key is None else {"idempotency_key": _short(f"confirm-{id}-{key}")}
            return read_intent(await self._sdk.v1.payment_intents.confirm_async(id, params, options))

    async def cancel_intent(self, id: str) -> Intent:
        """End a payment that has not come in."""
        with _translated():
            return read_intent(await self._sdk.v1.payment_intents.cancel_async(id, {"expand": EXPAND}, {"idempotency_key": f"cancel-{id}"}))

    async def refund(self, intent: str, amount: int, refund: str) -> Refunded:
        """Give money back; asked again under the same name of our refund it gives nothing twice."""
        params: Any = {"payment_intent": intent, "amount": amount, "metadata": {"refund": refund}}
        with _translated():
            return read_refund(await self._sdk.v1.refunds.create_async(params, {"idempotency_key": f"refund-{refund}"}))

    async def list_refunds(self, intent: str) -> list[Refunded]:
        """Everything that was given back of a payment."""
        with _translated():
            found = await self._sdk.v1.refunds.list_async({"payment_intent": intent, "limit": 100})
            return [read_refund(each) async for each in found.auto_paging_iter()]

    async def get_dispute(self, id: str) -> Disputed:
        """How a dispute stands, and what money it moved."""
        with _translated():
            return read_dispute(await self._sdk.v1.disputes.retrieve_async(id))

    async def create_setup(self, customer: str) -> Setup:
        """Begin to save a card for payments when its owner is not there."""
        params: Any = {
            "customer": customer,
            "usage": "off_session",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "expand": ["payment_method"],
        }
        with _translated():
            return read_setup(await self._sdk.v1.setup_intents.create_async(params, _anew()))

    async def get_setup(self, id: str) -> Setup:
        """How saving a card stands."""
        with _translated():
            return read_setup(await self._sdk.v1.setup_intents.retrieve_async(id, {"expand": ["payment_method"]}))

    async def confirm_setup(self, id: str, payment_method: str) -> Setup:
        """Save this card, unless its owner's bank wants to ask first."""
        params: Any = {"payment_method": payment_method, "expand": ["payment_method"]}
        with _translated():
            return read_setup(await self._sdk.v1.setup_intents.confirm_async(id, params, _anew()))

    async def attach_card(self, card: str, customer: str) -> Card:
        """Keep a card for a customer."""
        with _translated():
            return read_card(await self._sdk.v1.payment_methods.attach_async(card, {"customer": customer}, _anew()))

    async def list_cards(self, customer: str) -> list[Card]:
        """The cards kept for a customer."""
        with _translated():
            found = await self._sdk.v1.customers.payment_methods.list_async(customer, {"type": "card", "limit": 100})
            return [read_card(each) async for each in found.auto_paging_iter()]

    async def detach_card(self, card: str) -> None:
        """Forget a card; nothing happens when it is forgotten already."""
        try:
            with _translated():
                await self._sdk.v1.payment_methods.detach_async(card, {}, _anew())
        except BadUserInput:
            log.info("stripe.card_was_not_attached", card=card)

    def verify(self, body: bytes, signature: str) -> Event:
        """Read a webhook whose signature and age are good; MalformedRequest for any other."""
        try:
            stripe.Webhook.construct_event(body, signature, self._webhook_secret, TOLERANCE)
            signed_at = int(next(part for part in signature.split(",") if part.startswith("t="))[2:])
            payload = orjson.loads(body)
            subject = payload["data"]["object"]
            event = Event(_name(payload["id"]), _name(payload["type"]), {**subject}, payload)
        except stripe.SignatureVerificationError as error:
            raise MalformedRequest("The signature is not good.") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, StopIteration) as error:
            raise MalformedRequest("This is no event of Stripe's.") from error
        if signed_at > time.time() + TOLERANCE:
            raise MalformedRequest("The signature is of a time to come.")
        return event


class Wire(stripe.HTTPClient):
    """The SDK's HTTP calls over httpx2; the simulator gives a transport that leads to itself."""

    name = "httpx2"

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        super().__init__()
        self._client = httpx2.AsyncClient(transport=transport, timeout=TIMEOUT)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | bytes | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request; whatever goes wrong on the way may be tried again, since the idempotency key goes along."""
        try:
            response = await self._client.request(method, url, headers=dict(headers), content=post_data or None)
        except httpx2.HTTPError as error:
            raise lost(error) from error
        return response.content, response.status_code, response.headers

    def sleep_async(self, secs: float) -> Awaitable[None]:
        """Wait between two tries."""
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Hang up."""
        await self._client.aclose()


def lost(error: Exception) -> stripe.APIConnectionError:
    """What the SDK is told when a request, or its answer, got lost; it tries again under the same idempotency key."""
    message = f"{type(error).__name__} on the way to Stripe"
    return stripe.APIConnectionError(message, should_retry=True)  # type: ignore[no-untyped-call]


def _once(name: str, params: Any) -> stripe.RequestOptions:
    """The key of a call that must not be made twice with these parameters."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
    return {"idempotency_key": _short(f"{name}-{digest}")}


def _anew() -> stripe.RequestOptions:
    """The key of a call that means something each time; only the SDK's own repeats share it."""
    return {"idempotency_key": str(uuid4())}


def _short(key: str) -> str:
    return key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our own errors instead of Stripe's; what concerns only our account with Stripe is logged and not told."""
    try:
        yield
    except stripe.CardError as error:
        raise _declined(error) from error
    except stripe.IdempotencyError as error:
        raise IdempotencyKeyReused from error
    except stripe.InvalidRequestError as error:
        raise _invalid(error) from error
    except stripe.StripeError as error:
        log.error(
            "stripe.unavailable",
            kind=type(error).__name__,
            status=error.http_status,
            stripe_request=error.request_id,
            cause=repr(error.__cause__),
        )
        raise Unavailable("The payment provider does not answer. Try again shortly.") from error


def _declined(error: stripe.CardError) -> PaymentFailed:
    reason = error.error.decline_code if error.error else None
    return PaymentFailed(error.user_message, details={"reason": reason or error.code, "stripe_code": error.code})


def _invalid(error: stripe.InvalidRequestError) -> ApiError:
    if error.code in BROKEN_RULES:
        return Conflict(error.user_message)
    parameter = (error.param or "payment").partition("[")[0]
    fields: dict[str, Any] = {FIELDS.get(parameter, parameter): error.user_message or "Stripe refuses this value."}
    return BadUserInput(error.user_message, **fields)


def _name(value: Any) -> str:
    """An id or a kind, as Stripe spells them."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError("not a name")
    return value
