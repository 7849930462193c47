"""Disputes at the simulated Stripe: opened by Stripe's test cards for them, and judged by whoever plays the bank."""

import time

from gateways.simulators.store import Thing
from gateways.simulators.stripe_wire import StripeRefuses, Till, new_id

FEE = 1500
"""What Stripe keeps of us for a dispute, in cents; won or lost."""
DAYS_TO_ANSWER = 7


async def get_dispute(till: Till, id: str) -> Thing:
    return await till.need(id, "dispute", "dispute", "id")


async def open_dispute(till: Till, charge: Thing, reason: str) -> Thing:
    """The customer's bank takes the money back until it is judged."""
    id = new_id("dp")
    dispute = await till.keep(
        {
            "id": id,
            "object": "dispute",
            "amount": charge["amount"],
            "balance_transactions": [_movement(id, charge, -charge["amount"], FEE, "withdrawal")],
            "charge": charge["id"],
            "created": int(time.time()),
            "currency": charge["currency"],
            "evidence_details": {
                "due_by": int(time.time()) + DAYS_TO_ANSWER * 86_400,
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": "needs_response",
        }
    )
    await till.keep(charge | {"disputed": True})
    await till.tell("charge.dispute.created", dispute)
    await till.tell("charge.dispute.funds_withdrawn", dispute)
    return dispute


async def judge(till: Till, id: str, *, won: bool) -> Thing:
    """The bank decides: money that was won comes back, the fee does not."""
    dispute = await till.need(id, "dispute", "dispute", "id")
    if dispute["status"] in ("won", "lost"):
        raise StripeRefuses("This dispute is already closed.", param="id")
    charge = await till.need(dispute["charge"], "charge", "charge", "charge")
    movements = list(dispute["balance_transactions"])
    if won:
        movements.append(_movement(id, charge, charge["amount"], 0, "reversal"))
    closed = await till.keep(dispute | {"status": "won" if won else "lost", "balance_transactions": movements})
    if won:
        await till.tell("charge.dispute.funds_reinstated", closed)
    await till.tell("charge.dispute.closed", closed)
    return closed


def _movement(dispute: str, charge: Thing, amount: int, fee: int, what: str) -> Thing:
    now = int(time.time())
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now,
        "created": now,
        "currency": charge["currency"],
        "description": f"Chargeback {what} for {charge['id']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": "dispute",
        "source": dispute,
        "status": "available",
        "type": "adjustment",
    }
