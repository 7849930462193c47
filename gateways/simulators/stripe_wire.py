"""How Stripe's API speaks: forms in, JSON out, errors in Stripe's own shape."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from gateways.simulators.store import Store, Thing
from gateways.simulators.stripe_cards import Decline

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class StripeRefuses(Exception):
    """The request is wrong; nothing happens, and nothing is kept under its idempotency key."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        error = {"type": "invalid_request_error", "message": message, "param": param, "code": code}
        self.status = status
        self.error = {name: value for name, value in error.items() if value is not None}


@dataclass
class Declined:
    """The answer to a charge that the card's bank refuses; what led there stays."""

    decline: Decline
    intent: Thing


@dataclass
class Till:
    """One request at Stripe: its objects, its parameters, and the events that it causes."""

    store: Store
    params: dict[str, Any]
    events: list[Thing] = field(default_factory=list)

    async def need(self, key: str, kind: str, name: str, param: str) -> Thing:
        """An object that must exist."""
        if key.isprintable() and (found := await self.store.get(key, kind)):
            return found
        in_path = param in ("id", "intent")
        raise StripeRefuses(f"No such {name}: '{key}'", param=param, code="resource_missing", status=404 if in_path else 400)

    async def keep(self, thing: Thing) -> Thing:
        """Store an object."""
        await self.store.put(thing["id"], thing["object"], thing)
        return thing

    async def tell(self, kind: str, thing: Thing) -> None:
        """Note an event; it goes out after the request."""
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": None,
            "created": int(time.time()),
            "data": {"object": shown(thing)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self.events.append(await self.keep(event))


def new_id(prefix: str, length: int = 24) -> str:
    """An id as Stripe makes them."""
    return f"{prefix}_" + "".join(secrets.choice(ALPHABET) for _ in range(length))


def shown(thing: Thing) -> Thing:
    """An object without what only the simulator knows about it."""
    return {name: value for name, value in thing.items() if not name.startswith("_")}


def read_form(text: str) -> dict[str, Any]:
    """Stripe's forms: a[b]=c and a[0]=c are objects and lists."""
    read: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = name.replace("]", "").split("[")
        into = read
        for each in rest:
            into = into.setdefault(first, {})
            if not isinstance(into, dict):
                raise StripeRefuses(f"Invalid object: {first}", param=first)
            first = each or str(len(into))
        into[first] = value
    return read


def whole_number(params: dict[str, Any], name: str) -> int:
    """A parameter that counts something."""
    try:
        return int(params[name])
    except KeyError:
        raise StripeRefuses(f"Missing required param: {name}.", param=name, code="parameter_missing") from None
    except (ValueError, TypeError):
        raise StripeRefuses(f"Invalid integer: {params[name]}", param=name, code="parameter_invalid_integer") from None


def decline_error(declined: Declined, payment_method: Thing | None) -> Thing:
    """A card's refusal as Stripe words it, within the intent and in the answer."""
    error: Thing = {"type": "card_error", "code": declined.decline.code, "message": declined.decline.message}
    if declined.decline.reason and declined.decline.code != "authentication_required":
        error["decline_code"] = declined.decline.reason
    if payment_method is not None:
        error["payment_method"] = shown(payment_method)
    return error
