"""Setup intents at the simulated Stripe: cards that are saved without a payment."""

import time

from gateways.simulators.store import Thing
from gateways.simulators.stripe_cards import NOT_AUTHENTICATED, Decline
from gateways.simulators.stripe_wallets import card_of, usable
from gateways.simulators.stripe_wire import Declined, StripeRefuses, Till, decline_error, new_id

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


async def create_setup(till: Till) -> Thing:
    params = till.params
    if customer := params.get("customer"):
        await till.need(customer, "customer", "customer", "customer")
    id = new_id("seti")
    return await till.keep(
        {
            "id": id,
            "object": "setup_intent",
            "automatic_payment_methods": {"allow_redirects": "never", "enabled": True},
            "cancellation_reason": None,
            "client_secret": f"{id}_secret_{new_id('s', 25)[2:]}",
            "created": int(time.time()),
            "customer": customer,
            "description": None,
            "last_setup_error": None,
            "latest_attempt": None,
            "livemode": False,
            "metadata": params.get("metadata", {}),
            "next_action": None,
            "payment_method": None,
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
            "usage": params.get("usage", "off_session"),
        }
    )


async def get_setup(till: Till, id: str) -> Thing:
    return await till.need(id, "setup_intent", "setupintent", "intent")


async def confirm_setup(till: Till, id: str) -> Thing | Declined:
    """Keep the card for its customer, or ask its owner first, or refuse."""
    setup = await till.need(id, "setup_intent", "setupintent", "intent")
    if setup["status"] not in OPEN:
        message = f"You cannot confirm this SetupIntent because it has a status of {setup['status']}."
        raise StripeRefuses(message, code="setup_intent_unexpected_state")
    method = await usable(till, str(till.params.get("payment_method") or setup["payment_method"]), "payment_method")
    if method["customer"] not in (None, setup["customer"]):
        raise StripeRefuses("The payment method you provided has already been attached to a customer.", param="payment_method")
    setup = setup | {"payment_method": method["id"]}
    card = card_of(method)
    if card.decline:
        return await _decline(till, setup, method, card.decline)
    if card.asks or card.asks_once:
        question = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        asking = await till.keep(setup | {"status": "requires_action", "next_action": question})
        await till.tell("setup_intent.requires_action", asking)
        return asking
    return await _keep(till, setup, method)


async def answer_setup(till: Till, id: str, *, agrees: bool) -> Thing | Declined:
    """The card's owner answers the question of 3-D Secure."""
    setup = await till.need(id, "setup_intent", "setupintent", "intent")
    method = await till.need(setup["payment_method"], "payment_method", "PaymentMethod", "payment_method")
    return await _keep(till, setup, method) if agrees else await _decline(till, setup, method, NOT_AUTHENTICATED)


async def _keep(till: Till, setup: Thing, method: Thing) -> Thing:
    await till.keep(method | {"customer": setup["customer"], "_is_set_up": True})
    done = await till.keep(setup | {"status": "succeeded", "next_action": None, "last_setup_error": None})
    await till.tell("setup_intent.succeeded", done)
    return done


async def _decline(till: Till, setup: Thing, method: Thing, decline: Decline) -> Declined:
    declined = Declined(decline, setup)
    error = decline_error(declined, method)
    changes = {"status": "requires_payment_method", "last_setup_error": error, "next_action": None, "payment_method": None}
    declined.intent = await till.keep(setup | changes)
    await till.tell("setup_intent.setup_failed", declined.intent)
    return declined
