"""What clients see of money: payments, refunds and saved cards."""

from datetime import datetime
from decimal import Decimal

import strawberry

from models import payments as tables
from models.bookings import PaymentStatus
from models.payments import PaymentPurpose, Provider, RefundStatus
from resolvers import cards, disputes, payments, receipts, refunds
from schema.fields import Connection, Record, column, computed, operation, related, shows


@shows(tables.Refund)
class Refund(Record):
    """Money given back."""

    amount: Decimal
    status: RefundStatus
    reason: str | None
    failure_message: str | None


@shows(tables.Dispute)
class Dispute(Record):
    """A payment that the customer asks back through their bank."""

    dispute_id: str = column("provider_id")
    amount: Decimal
    currency: str
    status: str
    reason: str
    answer_by: datetime | None


@shows(tables.Payment)
class Payment(Record):
    """Money that a person owes or has paid."""

    purpose: PaymentPurpose
    provider: Provider
    payment_intent_id: str | None = column("provider_id")
    amount: Decimal
    refunded_amount: Decimal
    currency: str
    status: PaymentStatus
    method: str | None
    receipt_url: str | None
    charged_at: datetime | None
    failure_message: str | None
    receipt: str | None = computed(
        ["uuid", "status"], receipts.link_to_receipt, "Where its receipt, a PDF, can be had for a while; none before the money is in."
    )
    booking_reference: str | None = column("booking.reference")
    refunds: list[Refund] = related("refunds")
    disputes: list[Dispute] = related("disputes")


@shows(tables.SavedCard)
class SavedCard(Record):
    """A card that is kept for the next time."""

    payment_method_id: str = column("provider_id")
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    is_default: bool


@strawberry.type(description="What the payer's client needs to complete a payment; shown to nobody else.")
class PaymentBegun:
    """The payload of createPaymentIntent."""

    client_secret: str = strawberry.field(description="Stripe's secret of this payment, for its client library.")
    payment_intent_id: str = strawberry.field(description="Stripe's id of this payment.")
    amount: int = strawberry.field(description="The amount in the currency's smallest unit, as Stripe counts: 20000 for 200.00 USD.")
    currency: str = strawberry.field(description="The currency as Stripe spells it, such as usd.")
    payment: Payment = strawberry.field(description="The payment.")


@strawberry.type(description="How a payment stands after a card was charged for it.")
class PaymentConfirmed:
    """The payload of confirmPayment."""

    status: str = strawberry.field(description="Stripe's word: succeeded, requires_action (the bank asks the card's owner) or processing.")
    payment: Payment = strawberry.field(description="The payment.")
    receipt_url: str | None = strawberry.field(description="Where the receipt can be read.")
    client_secret: str | None = strawberry.field(description="With what the client answers the bank's question, while it has one.")


@strawberry.type(description="What a client needs to save a card without paying; shown to nobody else.")
class SetupBegun:
    """The payload of createSetupIntent."""

    setup_intent_id: str = strawberry.field(description="Stripe's id of it.")
    client_secret: str = strawberry.field(description="Stripe's secret of it, for its client library.")


@strawberry.type(description="What became of saving a card.")
class CardSaved:
    """The payload of confirmSetup."""

    status: str = strawberry.field(description="Stripe's word: succeeded, requires_action or requires_payment_method.")
    card: SavedCard | None = strawberry.field(description="The card, once it is saved.")
    client_secret: str | None = strawberry.field(description="With what the client completes it, while it has to.")


@strawberry.type
class PaymentQueries:
    """Reading payments and cards."""

    payment: Payment = operation(payments.get_payment)
    my_payments: Connection[Payment] = operation(payments.list_my_payments)
    disputes: Connection[Dispute] = operation(disputes.list_disputes)
    my_saved_cards: list[SavedCard] = operation(cards.list_my_saved_cards)


@strawberry.type
class PaymentMutations:
    """Paying, giving back, and cards."""

    create_payment_intent: PaymentBegun = operation(payments.create_payment_intent)
    confirm_payment: PaymentConfirmed = operation(payments.confirm_payment)
    refund_payment: Payment = operation(refunds.refund_payment)
    create_setup_intent: SetupBegun = operation(cards.create_setup_intent)
    confirm_setup: CardSaved = operation(cards.confirm_setup)
    set_default_card: SavedCard = operation(cards.set_default_card)
    remove_card: list[SavedCard] = operation(cards.remove_card)
