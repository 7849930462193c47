"""Stripe's objects as the rest of the project knows them: what is needed of each, in our own types."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import stripe


@dataclass(frozen=True, slots=True)
class Card:
    """What may be shown of a card, under Stripe's id of it."""

    id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment as Stripe sees it; `status` is Stripe's word, amounts are in the currency's smallest unit."""

    id: str
    status: str
    client_secret: str
    amount: int
    amount_received: int
    currency: str
    keeps_card: bool
    card: Card | None
    receipt_url: str | None


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund as Stripe sees it; `status` is Stripe's word."""

    id: str
    status: str
    amount: int
    currency: str
    metadata: dict[str, str]
    failure_reason: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook whose signature was good."""

    id: str
    kind: str
    subject: dict[str, Any]
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setup:
    """A card that is being saved without a payment; `status` is Stripe's word."""

    id: str
    status: str
    client_secret: str
    customer: str | None
    card: Card | None


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that a dispute moved on our account: `amount` is negative when it was taken, `fee` is what Stripe kept besides."""

    id: str
    amount: int
    fee: int
    currency: str


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute as Stripe sees it; `status` and `reason` are Stripe's words."""

    id: str
    status: str
    reason: str
    amount: int
    currency: str
    answer_by: datetime | None
    movements: tuple[Movement, ...]


def read_intent(found: stripe.PaymentIntent) -> Intent:
    """A payment intent, with its charge and its card."""
    charge, method = found.latest_charge, found.payment_method
    if charge is None or isinstance(charge, str):
        charge = None
    return Intent(
        id=found.id,
        status=found.status,
        client_secret=found.client_secret or "",
        amount=found.amount,
        amount_received=found.amount_received,
        currency=found.currency.upper(),
        keeps_card=found.setup_future_usage is not None,
        card=read_card(method) if isinstance(method, stripe.PaymentMethod) and method.card else None,
        receipt_url=charge.receipt_url if charge else None,
    )


def read_card(found: stripe.PaymentMethod) -> Card:
    """What may be shown of a card."""
    card = found.card
    if card is None:
        raise TypeError(f"{found.id} is not a card")
    return Card(found.id, card.brand, card.last4 or "", card.exp_month, card.exp_year)


def read_refund(found: stripe.Refund) -> Refunded:
    """A refund."""
    return Refunded(
        id=found.id,
        status=found.status or "pending",
        amount=found.amount,
        currency=found.currency.upper(),
        metadata=dict(found.metadata.to_dict()) if found.metadata else {},
        failure_reason=found.failure_reason if "failure_reason" in found else None,
    )


def read_setup(found: stripe.SetupIntent) -> Setup:
    """A setup intent, with its card."""
    method, customer = found.payment_method, found.customer
    return Setup(
        id=found.id,
        status=found.status,
        client_secret=found.client_secret or "",
        customer=customer if isinstance(customer, str) or customer is None else customer.id,
        card=read_card(method) if isinstance(method, stripe.PaymentMethod) and method.card else None,
    )


def read_dispute(found: stripe.Dispute) -> Disputed:
    """A dispute, with the money that it moved."""
    due = found.evidence_details.due_by if found.evidence_details else None
    return Disputed(
        id=found.id,
        status=found.status,
        reason=found.reason,
        amount=found.amount,
        currency=found.currency.upper(),
        answer_by=datetime.fromtimestamp(due, UTC) if due else None,
        movements=tuple(Movement(each.id, each.amount, each.fee, each.currency.upper()) for each in found.balance_transactions),
    )
