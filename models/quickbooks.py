"""What of ours QuickBooks has: one row for each thing that is to be there, and the token by which we are let in."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Model, Visible
from models.payments import Payment, Refund


class BooksKind(StrEnum):
    """What is synchronised.

    CUSTOMER: A customer.
    ITEM: What is sold, by its name.
    PAYMENT: A payment, with what was sold.
    REFUND: Money that went back.
    """

    CUSTOMER = "customer"
    ITEM = "item"
    PAYMENT = "payment"
    REFUND = "refund"


class BooksStatus(StrEnum):
    """Whether QuickBooks has it.

    WAITING: It is on its way.
    DONE: QuickBooks has it.
    REFUSED: QuickBooks refused it; somebody must look.
    """

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


BOOKS_MOVES = {
    BooksStatus.WAITING: {BooksStatus.DONE, BooksStatus.REFUSED},
    BooksStatus.REFUSED: {BooksStatus.WAITING},
}


class BooksEntry(Visible):
    """One of our rows and its counterpart in QuickBooks."""

    __tablename__ = "books_entries"
    __history__ = False

    kind: Mapped[BooksKind] = mapped_column(doc="What it is.")
    subject: Mapped[str] = mapped_column(doc="Which of the kind: the row's UUID, or an item's name.")
    status: Mapped[BooksStatus] = mapped_column(default=BooksStatus.WAITING, doc="Whether QuickBooks has it.")
    quickbooks_id: Mapped[str | None] = mapped_column(doc="Under which id QuickBooks has it.")
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), index=True)
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    error: Mapped[str | None] = mapped_column(doc="Why it is not there, in words.")
    refusals: Mapped[int] = mapped_column(default=0, server_default=text("0"), doc="How often QuickBooks refused it.")
    synchronised_at: Mapped[datetime | None] = mapped_column(doc="When QuickBooks took it.")

    payment: Mapped[Payment | None] = relationship(lazy="raise", doc="The payment.")
    refund: Mapped[Refund | None] = relationship(lazy="raise", doc="The refund.")

    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        Index("ix_books_entries_open", "id", postgresql_where=text("status <> 'done'")),
    )


class BooksToken(Model):
    """The newest refresh token of one company, encrypted; Intuit replaces it from time to time."""

    __tablename__ = "books_tokens"
    __history__ = False

    company: Mapped[str] = mapped_column(unique=True)
    sealed: Mapped[str] = mapped_column(info=SENSITIVE)
