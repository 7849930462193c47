"""The books: double-entry postings that only ever grow. Triggers of the migration keep every transaction at zero."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, ForeignKeyConstraint, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, Money, Visible


class AccountKind(StrEnum):
    """What an account's balance means; owners have one of a kind per currency.

    PROVIDER_CLEARING: What a payment provider holds for us.
    REVENUE: What was earned by sales.
    REFUNDS: What was given back.
    DISPUTES: What customers' banks took back.
    FEES: What payment providers keep for themselves.
    TAX: Tax that is owed.
    EARNINGS: What is owed to those who gave a service.
    WALLET: What a person has in credit here.
    CASH: Notes and coins in somebody's hands.
    """

    PROVIDER_CLEARING = "provider_clearing"  # money that a payment provider holds for us
    REVENUE = "revenue"
    REFUNDS = "refunds"
    DISPUTES = "disputes"  # what customers' banks took back
    FEES = "fees"
    TAX = "tax"
    EARNINGS = "earnings"  # what we owe a provider or partner
    WALLET = "wallet"  # what we owe a customer
    CASH = "cash"


class Account(Model):
    """A pot of money in one currency, of the house or of one person."""

    __tablename__ = "accounts"

    kind: Mapped[AccountKind] = mapped_column(doc="What its balance means.")
    name: Mapped[str] = mapped_column(default="", doc="Which of the kind, such as stripe or service.")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), doc="Whose it is; empty: the house's.")
    currency: Mapped[str] = mapped_column(doc="ISO 4217 code of all its entries.")

    __table_args__ = (
        UniqueConstraint("kind", "name", "owner_id", "currency", postgresql_nulls_not_distinct=True),
        UniqueConstraint("id", "currency"),
    )


class LedgerTransaction(Visible):
    """One movement of money; its entries sum to zero per currency, and there is at least one."""

    __tablename__ = "ledger_transactions"
    __history__ = False

    description: Mapped[str] = mapped_column(doc="What moved, in words.")
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), index=True)
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("bookings.id"), index=True)
    cause: Mapped[str] = mapped_column(unique=True, doc="What it stands for, such as payment:5:charged; posted once.")

    entries: Mapped[list["Entry"]] = relationship(lazy="raise", viewonly=True, order_by="Entry.id", doc="Its sides; they sum to zero.")


class Entry(Model):
    """One side of a movement: positive is debit, negative is credit."""

    __tablename__ = "ledger_entries"
    __history__ = False

    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transactions.id"), index=True)
    account_id: Mapped[int] = mapped_column(index=True)
    amount: Mapped[Money] = mapped_column(doc="Positive is debit, negative is credit.")
    currency: Mapped[str] = mapped_column(doc="ISO 4217 code; always its account's.")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    account: Mapped[Account] = relationship(lazy="raise", viewonly=True, doc="The account that it stands in.")

    __table_args__ = (ForeignKeyConstraint(["account_id", "currency"], ["accounts.id", "accounts.currency"]),)
