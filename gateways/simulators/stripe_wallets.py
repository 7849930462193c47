"""Customers and payment methods at the simulated Stripe."""

import time
from datetime import UTC, datetime
from typing import Any

from gateways.simulators.store import Thing
from gateways.simulators.stripe_cards import CARDS, GENERIC, TestCard
from gateways.simulators.stripe_wire import Declined, StripeRefuses, Till, new_id, shown

YEARS_VALID = 4
SPENT = (
    "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, "
    "and may not be used again."
)


async def create_customer(till: Till) -> Thing:
    params = till.params
    return await till.keep(
        {
            "id": new_id("cus", 14),
            "object": "customer",
            "created": int(time.time()),
            "description": params.get("description"),
            "email": params.get("email"),
            "invoice_settings": {"default_payment_method": None},
            "livemode": False,
            "metadata": params.get("metadata", {}),
            "name": params.get("name"),
            "phone": params.get("phone"),
        }
    )


async def get_customer(till: Till, id: str) -> Thing:
    return await till.need(id, "customer", "customer", "id")


async def list_payment_methods(till: Till, id: str) -> Thing:
    await till.need(id, "customer", "customer", "id")
    return listing(f"/v1/customers/{id}/payment_methods", await till.store.find("payment_method", customer=id), till.params)


async def get_payment_method(till: Till, id: str) -> Thing:
    return await usable(till, id, "id")


async def attach(till: Till, id: str) -> Thing | Declined:
    customer = await till.need(str(till.params.get("customer")), "customer", "customer", "customer")
    method = await usable(till, id, "id")
    if method["customer"] not in (None, customer["id"]):
        raise StripeRefuses("The payment method you provided has already been attached to a customer.", param="id")
    if method["_spent"]:
        raise StripeRefuses(SPENT, param="id")
    if card_of(method).decline and method["_test"] != "pm_card_chargeCustomerFail":
        return Declined(GENERIC, {})
    return await till.keep(method | {"customer": customer["id"]})


async def detach(till: Till, id: str) -> Thing:
    method = await till.need(id, "payment_method", "PaymentMethod", "id")
    if method["customer"] is None:
        raise StripeRefuses("The payment method you provided is not attached to a customer so detachment is impossible.", param="id")
    return await till.keep(method | {"customer": None, "_spent": True})


async def usable(till: Till, id: str, param: str) -> Thing:
    """A payment method by its id; a published test method becomes a new one each time, as at Stripe."""
    if id not in CARDS:
        return await till.need(id, "payment_method", "PaymentMethod", param)
    card = CARDS[id]
    return await till.keep(
        {
            "id": new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {"address": None, "email": None, "name": None, "phone": None},
            "card": {
                "brand": card.brand,
                "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
                "country": "US",
                "display_brand": card.brand,
                "exp_month": 12,
                "exp_year": datetime.now(UTC).year + YEARS_VALID,
                "fingerprint": f"simulated{card.brand}{card.last4}",
                "funding": card.funding,
                "last4": card.last4,
                "networks": {"available": [card.brand], "preferred": None},
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": int(time.time()),
            "customer": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
            "_test": id,
            "_spent": False,
            "_is_set_up": False,
        }
    )


def card_of(method: Thing) -> TestCard:
    """What happens to a payment method."""
    return CARDS[method["_test"]]


def listing(url: str, things: list[Thing], params: dict[str, Any]) -> Thing:
    """A page of Stripe's: newest first, continued after an id."""
    newest = [shown(each) for each in reversed(things)]
    if after := params.get("starting_after"):
        ids = [each["id"] for each in newest]
        newest = newest[ids.index(after) + 1 :] if after in ids else []
    limit = min(int(params.get("limit", 10)), 100)
    return {"object": "list", "url": url, "has_more": len(newest) > limit, "data": newest[:limit]}
