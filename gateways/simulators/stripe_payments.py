"""Payment intents, charges and refunds at the simulated Stripe: the states they go through, and who says no."""

import time
from typing import Any

from gateways.simulators.store import Thing
from gateways.simulators.stripe_cards import NOBODY_TO_ASK, NOT_AUTHENTICATED, Decline
from gateways.simulators.stripe_disputes import open_dispute
from gateways.simulators.stripe_wallets import SPENT, card_of, listing, usable
from gateways.simulators.stripe_wire import Declined, StripeRefuses, Till, decline_error, new_id, shown, whole_number

LARGEST = 99_999_999
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
FOREIGN = (
    "The provided PaymentMethod was attached to another Customer. To use it here, remove the customer of this PaymentIntent, "
    "or provide a PaymentMethod of the same Customer."
)


async def create_intent(till: Till) -> Thing | Declined:
    params = till.params
    amount, currency = _amount(params), str(params.get("currency", "")).lower()
    if len(currency) != 3 or not currency.isalpha():
        raise StripeRefuses(f"Invalid currency: {currency}.", param="currency")
    if customer := params.get("customer"):
        await till.need(customer, "customer", "customer", "customer")
    intent = await till.keep(_intent(new_id("pi"), amount, currency, params))
    return await confirm(till, intent["id"]) if params.get("confirm") == "true" else intent


def paid_before(id: str, amount: int, currency: str, *, refunded: bool) -> list[Thing]:
    """An intent with its charge, as it would be here had it been paid here; a demo's past needs them."""
    intent = _intent(id, amount, currency, {}) | {"status": "succeeded", "amount_received": amount}
    charge = _charge(intent, {"id": "pm_past", "card": {}}, paid=True)
    return [
        intent | {"latest_charge": charge["id"]},
        charge | {"amount_refunded": amount if refunded else 0, "refunded": refunded},
    ]


async def get_intent(till: Till, id: str) -> Thing:
    intent = await till.need(id, "payment_intent", "payment_intent", "intent")
    if till.params.get("client_secret") not in (None, intent["client_secret"]):
        raise StripeRefuses("The client_secret provided does not match the client_secret associated with the PaymentIntent.")
    return intent


async def update_intent(till: Till, id: str) -> Thing:
    intent = await _open_intent(till, id, "updated")
    changed: Thing = {}
    if "amount" in till.params:
        changed["amount"] = _amount(till.params)
    for name in ("currency", "description", "receipt_email", "setup_future_usage"):
        if name in till.params:
            changed[name] = till.params[name] or None
    metadata = intent["metadata"] | till.params.get("metadata", {})
    return await till.keep(intent | changed | {"metadata": {name: value for name, value in metadata.items() if value}})


async def cancel_intent(till: Till, id: str) -> Thing:
    intent = await _open_intent(till, id, "canceled")
    reason = till.params.get("cancellation_reason")
    done = await till.keep(
        intent | {"status": "canceled", "canceled_at": int(time.time()), "cancellation_reason": reason, "next_action": None}
    )
    await till.tell("payment_intent.canceled", done)
    return done


async def confirm(till: Till, id: str) -> Thing | Declined:
    """Charge the card, or ask its owner first, or refuse."""
    intent = await _open_intent(till, id, "confirmed")
    named = till.params.get("payment_method") or intent["payment_method"]
    if not named:
        raise StripeRefuses(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    method = await usable(till, named, "payment_method")
    if method["customer"] not in (None, intent["customer"]):
        raise StripeRefuses(FOREIGN, param="payment_method")
    if method["_spent"]:
        raise StripeRefuses(SPENT, param="payment_method")
    card = card_of(method)
    intent = intent | {"payment_method": method["id"]}
    if card.asks and not (card.asks_once and method["_is_set_up"]):
        if till.params.get("off_session") == "true":
            return await _decline(till, intent, method, NOBODY_TO_ASK)
        return await _ask_owner(till, intent)
    return await charge(till, intent, method)


async def charge(till: Till, intent: Thing, method: Thing) -> Thing | Declined:
    """What happens once nobody needs to be asked any more."""
    card = card_of(method)
    if card.decline:
        return await _decline(till, intent, method, card.decline)
    paid = await till.keep(_charge(intent, method, paid=True))
    keeps = intent["setup_future_usage"] is not None and intent["customer"] is not None
    await till.keep(
        method
        | {
            "customer": intent["customer"] if keeps else method["customer"],
            "_is_set_up": keeps or method["_is_set_up"],
            "_spent": not keeps and method["customer"] is None,
        }
    )
    done = await till.keep(
        intent
        | {
            "status": "succeeded",
            "amount_received": intent["amount"],
            "last_payment_error": None,
            "latest_charge": paid["id"],
            "next_action": None,
        }
    )
    await till.tell("payment_intent.succeeded", done)
    await till.tell("charge.succeeded", paid)
    if card.disputed_as:
        await open_dispute(till, paid, card.disputed_as)
    return done


async def authenticate(till: Till, id: str, *, agrees: bool) -> Thing | Declined:
    """The card's owner answers the question of 3-D Secure."""
    intent = await till.need(id, "payment_intent", "payment_intent", "intent")
    method = await till.need(intent["payment_method"], "payment_method", "PaymentMethod", "payment_method")
    if agrees:
        return await charge(till, intent, method)
    return await _decline(till, intent, method, NOT_AUTHENTICATED)


async def create_refund(till: Till) -> Thing:
    """Give back what is left of a charge, or a part of it; never more."""
    params = till.params
    if "payment_intent" in params:
        intent = await till.need(str(params["payment_intent"]), "payment_intent", "payment_intent", "payment_intent")
        if intent["latest_charge"] is None or intent["status"] != "succeeded":
            raise StripeRefuses(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
        params = params | {"charge": intent["latest_charge"]}
    paid = await till.need(str(params.get("charge")), "charge", "charge", "charge")
    if paid.get("disputed"):
        raise StripeRefuses(f"Charge {paid['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = paid["amount"] - paid["amount_refunded"]
    if left <= 0:
        raise StripeRefuses(f"Charge {paid['id']} has already been refunded.", code="charge_already_refunded")
    amount = _amount(params) if "amount" in params else left
    if amount > left:
        raise StripeRefuses(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    refund = await till.keep(
        {
            "id": new_id("re"),
            "object": "refund",
            "amount": amount,
            "charge": paid["id"],
            "created": int(time.time()),
            "currency": paid["currency"],
            "metadata": params.get("metadata", {}),
            "payment_intent": paid["payment_intent"],
            "reason": params.get("reason"),
            "status": "succeeded",
        }
    )
    total = paid["amount_refunded"] + amount
    changed = await till.keep(paid | {"amount_refunded": total, "refunded": total == paid["amount"]})
    await till.tell("refund.created", refund)
    await till.tell("charge.refunded", changed)
    return refund


async def get_refund(till: Till, id: str) -> Thing:
    return await till.need(id, "refund", "refund", "id")


async def list_refunds(till: Till) -> Thing:
    having = {name: till.params[name] for name in ("payment_intent", "charge") if name in till.params}
    return listing("/v1/refunds", await till.store.find("refund", **having), till.params)


async def get_charge(till: Till, id: str) -> Thing:
    return await till.need(id, "charge", "charge", "id")


async def get_event(till: Till, id: str) -> Thing:
    return await till.need(id, "event", "event", "id")


async def _open_intent(till: Till, id: str, what: str) -> Thing:
    intent = await till.need(id, "payment_intent", "payment_intent", "intent")
    if intent["status"] not in OPEN:
        raise StripeRefuses(
            f"This PaymentIntent could not be {what} because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    return intent


async def _ask_owner(till: Till, intent: Thing) -> Thing:
    question = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    asking = await till.keep(intent | {"status": "requires_action", "next_action": question, "last_payment_error": None})
    await till.tell("payment_intent.requires_action", asking)
    return asking


async def _decline(till: Till, intent: Thing, method: Thing, decline: Decline) -> Declined:
    refused = await till.keep(_charge(intent, method, paid=False, decline=decline))
    declined = Declined(decline, intent)
    declined.intent = await till.keep(
        intent
        | {
            "status": "requires_payment_method",
            "last_payment_error": decline_error(declined, method),
            "latest_charge": refused["id"],
            "next_action": None,
            "payment_method": None,
        }
    )
    await till.tell("payment_intent.payment_failed", declined.intent)
    return declined


def _intent(id: str, amount: int, currency: str, params: dict[str, Any]) -> Thing:
    return {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "automatic_payment_methods": {
            "allow_redirects": params.get("automatic_payment_methods", {}).get("allow_redirects", "always"),
            "enabled": True,
        },
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_secret_{new_id('s', 25)[2:]}",
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": currency,
        "customer": params.get("customer"),
        "description": params.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "next_action": None,
        "payment_method": None,
        "payment_method_types": ["card"],
        "receipt_email": params.get("receipt_email"),
        "setup_future_usage": params.get("setup_future_usage") or None,
        "status": "requires_payment_method",
    }


def _charge(intent: Thing, method: Thing, *, paid: bool, decline: Decline | None = None) -> Thing:
    id = new_id("ch")
    return {
        "id": id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "captured": paid,
        "created": int(time.time()),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "disputed": False,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "livemode": False,
        "metadata": intent["metadata"],
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": shown(method["card"]), "type": "card"},
        "receipt_url": f"https://pay.stripe.com/receipts/payment/{id}" if paid else None,
        "refunded": False,
        "status": "succeeded" if paid else "failed",
    }


def _amount(params: dict[str, Any]) -> int:
    amount = whole_number(params, "amount")
    if amount < 1:
        raise StripeRefuses("This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer")
    if amount > LARGEST:
        raise StripeRefuses(f"Amount must be no more than {LARGEST}", param="amount", code="amount_too_large")
    return amount
