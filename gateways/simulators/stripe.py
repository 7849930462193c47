"""Stripe for demo mode and tests: an ASGI app that speaks Stripe's HTTP API, and sends Stripe's signed webhooks."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

import httpx2
import stripe
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateways.simulators import stripe_disputes as disputes
from gateways.simulators import stripe_payments as payments
from gateways.simulators import stripe_setups as setups
from gateways.simulators import stripe_wallets as wallets
from gateways.simulators.store import Store, Thing
from gateways.simulators.stripe_wire import Declined, StripeRefuses, Till, decline_error, new_id, read_form, shown
from models.database import Database

log = structlog.get_logger()

Deliver = Callable[[bytes, dict[str, str]], Awaitable[None]]
"""Takes a webhook as its HTTP door would; raises when it should come again."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 60.0
"""Seconds between tries of a webhook; Stripe's own begin at minutes."""

CREATE_INTENT = {
    "amount", "automatic_payment_methods", "confirm", "currency", "customer", "description", "metadata", "off_session",
    "payment_method", "receipt_email", "setup_future_usage",
}  # fmt: skip
UPDATE_INTENT = {"amount", "currency", "description", "metadata", "receipt_email", "setup_future_usage"}
PAGE = {"limit", "starting_after"}


@dataclass(frozen=True)
class Endpoint:
    """One request that the simulator understands."""

    method: str
    path: str
    run: Callable[..., Awaitable[Thing | Declined]]
    params: frozenset[str]


def _endpoint(method: str, path: str, run: Callable[..., Awaitable[Thing | Declined]], params: set[str] | None = None) -> Endpoint:
    return Endpoint(method, f"/v1/{path}", run, frozenset(params or ()) | {"expand"})


ENDPOINTS = [
    _endpoint("POST", "customers", wallets.create_customer, {"description", "email", "metadata", "name", "phone"}),
    _endpoint("GET", "customers/{id}", wallets.get_customer),
    _endpoint("GET", "customers/{id}/payment_methods", wallets.list_payment_methods, {"type", *PAGE}),
    _endpoint("GET", "payment_methods/{id}", wallets.get_payment_method),
    _endpoint("POST", "payment_methods/{id}/attach", wallets.attach, {"customer"}),
    _endpoint("POST", "payment_methods/{id}/detach", wallets.detach),
    _endpoint("POST", "payment_intents", payments.create_intent, CREATE_INTENT),
    _endpoint("GET", "payment_intents/{id}", payments.get_intent, {"client_secret"}),
    _endpoint("POST", "payment_intents/{id}", payments.update_intent, UPDATE_INTENT),
    _endpoint("POST", "payment_intents/{id}/confirm", payments.confirm, {"off_session", "payment_method", "return_url"}),
    _endpoint("POST", "payment_intents/{id}/cancel", payments.cancel_intent, {"cancellation_reason"}),
    _endpoint("POST", "refunds", payments.create_refund, {"amount", "charge", "metadata", "payment_intent", "reason"}),
    _endpoint("GET", "refunds", payments.list_refunds, {"charge", "payment_intent", *PAGE}),
    _endpoint("GET", "refunds/{id}", payments.get_refund),
    _endpoint("GET", "charges/{id}", payments.get_charge),
    _endpoint("GET", "disputes/{id}", disputes.get_dispute),
    _endpoint("POST", "setup_intents", setups.create_setup, {"automatic_payment_methods", "customer", "metadata", "usage"}),
    _endpoint("GET", "setup_intents/{id}", setups.get_setup),
    _endpoint("POST", "setup_intents/{id}/confirm", setups.confirm_setup, {"payment_method", "return_url"}),
    _endpoint("GET", "events/{id}", payments.get_event),
]


class StripeSimulator:
    """Stripe as far as this product uses it, kept in the database, with its webhooks."""

    def __init__(self, database: Database, secret_key: str, webhook_secret: str, deliver: Deliver | None = None) -> None:
        self._database = database
        self._secret_key = secret_key
        self._webhook_secret = webhook_secret
        self._deliver = deliver
        self._sending: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        routes = [Route(each.path, self._door(each), methods=[each.method]) for each in ENDPOINTS]
        self.app = Starlette(routes=routes, exception_handlers={404: _unknown_url, 405: _unknown_url})

    async def __aenter__(self) -> Self:
        """Send what an earlier run of the server could not."""
        async with self._database.sessions() as db:
            self._send(await Store(db, "stripe").find("event", _to_send=True))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()  # what is being delivered ends in order; what waits for its next try is sent by the next run
        await asyncio.gather(*self._sending, return_exceptions=True)

    def transport(self) -> httpx2.ASGITransport:
        """A wire to the simulator for the SDK's HTTP client."""
        return httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)

    async def pay(self, intent: str, payment_method: str = "pm_card_visa", *, fails: bool = False, hold: bool = False) -> Thing:
        """Play the customer: give a card, answer the bank's question; `hold` answers the webhook instead of sending it."""
        async with self._database.sessions.begin() as db:
            till = Till(Store(db, "stripe"), {"payment_method": payment_method})
            found = await till.need(intent, "payment_intent", "payment_intent", "id")
            done: Thing | Declined = found
            if found["status"] != "requires_action":
                done = await payments.confirm(till, intent)
            if not isinstance(done, Declined) and done["status"] == "requires_action":
                till.events.clear()  # the question was answered before anybody could be told of it
                done = await payments.authenticate(till, intent, agrees=not fails)
            await self._file(till, to_send=not hold)
        status = done.intent["status"] if isinstance(done, Declined) else done["status"]
        answer: Thing = {"payment_intent_id": intent, "status": status}
        if hold:
            body, headers = self.sign(till.events[0])
            return answer | {"webhook": {"body": body.decode(), "headers": headers}}
        self._send(till.events)
        return answer

    async def judge(self, dispute: str, *, won: bool, hold: bool = False) -> list[Thing]:
        """Play the bank that decides on a dispute; the events that tell of it, sent unless they are held."""
        async with self._database.sessions.begin() as db:
            till = Till(Store(db, "stripe"), {})
            await disputes.judge(till, dispute, won=won)
            await self._file(till, to_send=not hold)
        if not hold:
            self._send(till.events)
        return till.events

    async def answer_setup(self, setup: str, *, agrees: bool = True, hold: bool = False) -> list[Thing]:
        """Play the owner of a card that is to be saved, whose bank asks; the events that tell of it, sent unless they are held."""
        async with self._database.sessions.begin() as db:
            till = Till(Store(db, "stripe"), {})
            await setups.answer_setup(till, setup, agrees=agrees)
            await self._file(till, to_send=not hold)
        if not hold:
            self._send(till.events)
        return till.events

    def sign(self, event: Thing) -> tuple[bytes, dict[str, str]]:
        """An event as it goes over the wire."""
        body = json.dumps(shown(event), indent=2)
        signature = stripe.WebhookSignature.generate_signature_header(body, self._webhook_secret)
        return body.encode(), {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}

    def _door(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            text = (await request.body()).decode() if request.method == "POST" else request.url.query
            try:
                self._check_key(request)
                params = read_form(text)
                _check_names(params, endpoint)
                return await self._once(endpoint, request, params)
            except StripeRefuses as refusal:
                return _answer({"error": refusal.error}, refusal.status)

        return answer

    async def _once(self, endpoint: Endpoint, request: Request, params: dict[str, Any]) -> Response:
        """Run a request, or repeat the answer that its idempotency key has got already."""
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        what = f"{request.url.path}?{urlencode(sorted(_flat(params)))}"
        async with self._database.sessions.begin() as db:
            till = Till(Store(db, "stripe"), params)
            if key:
                await till.store.lock(key)
                if kept := await till.store.get(f"key {key}", "idempotency_key"):
                    return _repeat(kept, what, key)
            body, status = await _run(endpoint, request, till)
            if key:
                await till.store.put(f"key {key}", "idempotency_key", {"what": what, "status": status, "body": body})
            await self._file(till, to_send=True)
        self._send(till.events)
        return _answer(body, status)

    async def _file(self, till: Till, *, to_send: bool) -> None:
        for event in till.events:
            event["api_version"] = stripe.api_version
            event["_to_send"] = to_send
            await till.keep(event)

    def _send(self, events: list[Thing]) -> None:
        if self._deliver is None:
            return
        for event in events:
            task = asyncio.create_task(self._send_until_taken(event, self._deliver))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send_until_taken(self, event: Thing, deliver: Deliver) -> None:
        pause = FIRST_PAUSE
        while not await self._is_taken(event, deliver):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            if self._closing.is_set():
                return
            pause = min(pause * 2, LONGEST_PAUSE)
        async with self._database.sessions.begin() as db:
            await Till(Store(db, "stripe"), {}).keep(event | {"_to_send": False, "pending_webhooks": 0})

    async def _is_taken(self, event: Thing, deliver: Deliver) -> bool:
        try:
            await deliver(*self.sign(event))
        except Exception as error:  # whatever the door answers but success, Stripe comes again
            log.warning("stripe.simulator.webhook_comes_again", event_id=event["id"], error=repr(error))
            return False
        return True

    def _check_key(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or key != self._secret_key:
            raise StripeRefuses(f"Invalid API Key provided: {key[:8]}****", status=401)


async def _run(endpoint: Endpoint, request: Request, till: Till) -> tuple[Thing, int]:
    done = await endpoint.run(till, **request.path_params)
    if isinstance(done, Declined):
        error = decline_error(done, None) | (done.intent.get("last_payment_error") or done.intent.get("last_setup_error") or {})
        if done.intent:
            error[done.intent["object"]] = shown(done.intent)
            error["charge"] = done.intent.get("latest_charge")
        return {"error": error}, 402
    return await _expanded(shown(done), till), 200


async def _expanded(thing: Thing, till: Till) -> Thing:
    """Put objects in the place of their ids, where the request asks for it."""
    expand = till.params.get("expand", {})
    for name in expand.values() if isinstance(expand, dict) else []:
        if name not in thing:
            raise StripeRefuses(f"This property cannot be expanded ({name}).", param="expand")
        kind = {"latest_charge": "charge"}.get(name, name)
        if thing[name] is not None and (found := await till.store.get(thing[name], kind)):
            thing = thing | {name: shown(found)}
    return thing


def _check_names(params: dict[str, Any], endpoint: Endpoint) -> None:
    for name in params:
        if name not in endpoint.params:
            raise StripeRefuses(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


def _flat(params: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    flat = []
    for name, value in params.items():
        flat += _flat(value, f"{before}{name}.") if isinstance(value, dict) else [(f"{before}{name}", str(value))]
    return flat


def _repeat(kept: Thing, what: str, key: str) -> Response:
    if kept["what"] == what:
        return _answer(kept["body"], kept["status"], {"Idempotent-Replayed": "true"})
    message = (
        f"Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return _answer({"error": {"type": "idempotency_error", "message": message}}, 400)


def _answer(body: Thing, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(body, status, {"Request-Id": new_id("req", 14), **(headers or {})})


async def _unknown_url(request: Request, _: Exception) -> Response:
    message = f"Unrecognized request URL ({request.method}: {request.url.path})."
    return _answer({"error": {"type": "invalid_request_error", "message": message}}, 404)
