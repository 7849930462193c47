"""Payments through any provider, refunds and disputes, what providers told us, and the cards that people saved."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Model, Money, Visible
from models.bookings import PaymentStatus

if TYPE_CHECKING:
    from models.bookings import Booking
    from models.shop import Purchase


class Provider(StrEnum):
    """Through whom money comes.

    STRIPE: Stripe: cards.
    RAZORPAY: Razorpay: cards, UPI and banks in India.
    CASH: In cash, on the spot.
    """

    STRIPE = "stripe"
    RAZORPAY = "razorpay"
    CASH = "cash"


class PaymentPurpose(StrEnum):
    """What a payment is for.

    SERVICE: A booked service.
    MEMBERSHIP: A membership.
    PRODUCT: Goods.
    """

    SERVICE = "service"
    MEMBERSHIP = "membership"
    PRODUCT = "product"


PAYMENT_MOVES = {
    PaymentStatus.PENDING: {PaymentStatus.CHARGED, PaymentStatus.FAILED},
    PaymentStatus.FAILED: {PaymentStatus.PENDING, PaymentStatus.CHARGED},
    PaymentStatus.CHARGED: {PaymentStatus.REFUNDED},
    PaymentStatus.REFUNDED: {PaymentStatus.CHARGED},  # a refund that the customer's bank sent back
}


class RefundStatus(StrEnum):
    """Whether money has gone back.

    PENDING: On its way.
    SUCCEEDED: The money is back.
    FAILED: The provider could not give it back.
    """

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


REFUND_MOVES = {
    RefundStatus.PENDING: {RefundStatus.SUCCEEDED, RefundStatus.FAILED},
    RefundStatus.SUCCEEDED: {RefundStatus.FAILED},
}


class Payment(Visible):
    """Money that a person owes or has paid; a booking has one at most."""

    __tablename__ = "payments"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("bookings.id"), unique=True)
    term_id: Mapped[int | None] = mapped_column(ForeignKey("membership_terms.id"), unique=True)
    purchase_id: Mapped[int | None] = mapped_column(ForeignKey("purchases.id"), unique=True)
    purpose: Mapped[PaymentPurpose] = mapped_column(default=PaymentPurpose.SERVICE, doc="What it is for.")
    provider: Mapped[Provider] = mapped_column(doc="Through whom it is made.")
    provider_id: Mapped[str | None] = mapped_column(doc="The provider's own id, such as pi_….")
    client_secret: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="With what the payer's client completes it.")
    amount: Mapped[Money] = mapped_column(doc="The amount to pay.")
    refunded_amount: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"), doc="What was given back.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code.")
    status: Mapped[PaymentStatus] = mapped_column(default=PaymentStatus.PENDING, doc="Whether it has come in.")
    method: Mapped[str | None] = mapped_column(doc="The card or method that paid.")
    save_card: Mapped[bool] = mapped_column(default=False, doc="Whether the card is to be kept for next time.")
    receipt_url: Mapped[str | None] = mapped_column(doc="Where the receipt can be read.")
    charged_at: Mapped[datetime | None] = mapped_column(doc="When it came in.")
    failure_message: Mapped[str | None] = mapped_column(doc="Why it failed, in the provider's words.")
    looked_up_at: Mapped[datetime | None] = mapped_column(doc="When the provider was last asked, because no webhook had come.")

    booking: Mapped["Booking | None"] = relationship(lazy="raise", back_populates="payment", doc="What is paid for.")
    purchase: Mapped["Purchase | None"] = relationship(lazy="raise", back_populates="payment", doc="The purchase that is paid for.")
    refunds: Mapped[list["Refund"]] = relationship(
        lazy="raise", viewonly=True, order_by="Refund.id", doc="What was given back, or is on its way."
    )
    disputes: Mapped[list["Dispute"]] = relationship(
        lazy="raise", viewonly=True, order_by="Dispute.id", doc="What the customer's bank has asked back."
    )

    __table_args__ = (
        UniqueConstraint("provider", "provider_id"),
        CheckConstraint("term_id IS NULL OR purpose = 'membership'", name="term"),
        Index("ix_payments_open", "created_at", postgresql_where=text("status IN ('pending', 'failed') AND provider_id IS NOT NULL")),
        Index(None, "charged_at", postgresql_where=text("charged_at IS NOT NULL")),
        CheckConstraint("amount >= 0 AND refunded_amount >= 0 AND refunded_amount <= amount", name="amounts"),
        CheckConstraint("purchase_id IS NULL OR purpose = 'product'", name="purchase"),
    )


class Refund(Visible):
    """Money given back; written before the provider is asked, so that an answer that got lost can be looked up."""

    __tablename__ = "refunds"

    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), index=True)
    provider_id: Mapped[str | None] = mapped_column(unique=True, doc="The provider's own id, such as re_….")
    amount: Mapped[Money] = mapped_column(doc="How much goes back.")
    status: Mapped[RefundStatus] = mapped_column(default=RefundStatus.PENDING, doc="Whether it has gone back.")
    reason: Mapped[str | None] = mapped_column(doc="Why, as the staff noted.")
    failure_message: Mapped[str | None] = mapped_column(doc="Why it failed, in the provider's words.")
    asked_as: Mapped[str | None] = mapped_column(unique=True, doc="By whom and under which idempotency key it was asked for.")

    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)


class Dispute(Visible):
    """A payment that the customer asks back through their bank."""

    __tablename__ = "disputes"

    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), index=True)
    provider_id: Mapped[str] = mapped_column(unique=True, doc="The provider's own id, such as dp_….")
    amount: Mapped[Money] = mapped_column(doc="How much is asked back.")
    currency: Mapped[str] = mapped_column(doc="ISO 4217 code of the amount.")
    status: Mapped[str] = mapped_column(doc="The provider's word, such as needs_response, under_review, won or lost.")
    reason: Mapped[str] = mapped_column(doc="The provider's word, such as fraudulent.")
    answer_by: Mapped[datetime | None] = mapped_column(doc="Until when evidence may be sent.")

    payment: Mapped[Payment] = relationship(lazy="raise", doc="What was paid.")

    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)


class ProviderCustomer(Model):
    """A person as a provider knows them."""

    __tablename__ = "provider_customers"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[Provider]
    provider_id: Mapped[str]

    __table_args__ = (UniqueConstraint("provider", "provider_id"), UniqueConstraint("user_id", "provider"))


class SavedCard(Visible):
    """A card that the provider keeps for a person; only what may be shown of it is here."""

    __tablename__ = "saved_cards"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[Provider] = mapped_column(default=Provider.STRIPE, doc="Who keeps it.")
    provider_id: Mapped[str] = mapped_column(doc="The provider's own id, such as pm_….")
    brand: Mapped[str] = mapped_column(doc="Such as visa.")
    last4: Mapped[str] = mapped_column(doc="Its last four digits.")
    exp_month: Mapped[int] = mapped_column(doc="Month in which it expires.")
    exp_year: Mapped[int] = mapped_column(doc="Year in which it expires.")
    is_default: Mapped[bool] = mapped_column(default=False, doc="Whether it is charged unless another is named.")

    __table_args__ = (
        UniqueConstraint("user_id", "provider", "provider_id"),
        Index("uq_saved_cards_default", "user_id", unique=True, postgresql_where=text("is_default")),
    )


class ProviderEvent(Model):
    """A webhook as it came in; the provider's id makes a repeat a no-op."""

    __tablename__ = "provider_events"
    __history__ = False

    provider: Mapped[Provider]
    event_id: Mapped[str]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(info=SENSITIVE)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("provider", "event_id"),)
