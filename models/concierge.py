"""What members ask the concierge to find for them."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Money, Visible

if TYPE_CHECKING:
    from models.identity import User


class ConciergeStatus(StrEnum):
    """Where a request stands.

    RECEIVED: Nobody has looked at it yet.
    SOURCING: It is being looked for.
    ORDERED: It was ordered.
    READY: It waits to be picked up.
    FULFILLED: The customer has it.
    DECLINED: The house cannot do it.
    CANCELLED: The customer does not want it any more.
    """

    RECEIVED = "received"
    SOURCING = "sourcing"
    ORDERED = "ordered"
    READY = "ready"
    FULFILLED = "fulfilled"
    DECLINED = "declined"
    CANCELLED = "cancelled"


CONCIERGE_MOVES = {
    ConciergeStatus.RECEIVED: {ConciergeStatus.SOURCING, ConciergeStatus.DECLINED, ConciergeStatus.CANCELLED},
    ConciergeStatus.SOURCING: {ConciergeStatus.ORDERED, ConciergeStatus.DECLINED, ConciergeStatus.CANCELLED},
    ConciergeStatus.ORDERED: {ConciergeStatus.READY, ConciergeStatus.SOURCING, ConciergeStatus.DECLINED},
    ConciergeStatus.READY: {ConciergeStatus.FULFILLED},
}


class ConciergeRequest(Visible):
    """Something that the house is to find and bring in for a person."""

    __tablename__ = "concierge_requests"

    reference: Mapped[str] = mapped_column(
        Computed("'CON-' || extract(year FROM timezone('UTC', created_at))::text || '-' || id::text", persisted=True),
        unique=True,
        doc="What customers quote, such as CON-2026-789.",
    )
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    assigned_to_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[ConciergeStatus] = mapped_column(default=ConciergeStatus.RECEIVED, doc="Where it stands.")
    item_description: Mapped[str] = mapped_column(info=SENSITIVE, doc="What is wanted.")
    item_url: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Where it was seen.")
    budget: Mapped[Money | None] = mapped_column(doc="What it may cost; empty: whatever is asked for it.")
    price: Mapped[Money | None] = mapped_column(doc="What it will cost, once staff found it.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of budget and price.")
    needed_by: Mapped[date | None] = mapped_column(doc="The day by which it is needed.")
    estimated_on: Mapped[date] = mapped_column(doc="The day on which the house expects to have it.")
    special_instructions: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What else is to be known.")
    closed_at: Mapped[datetime | None] = mapped_column(doc="When it was fulfilled, declined or cancelled.")

    customer: Mapped["User"] = relationship(lazy="raise", foreign_keys=customer_id, doc="Who asked for it.")
    assigned_to: Mapped["User | None"] = relationship(lazy="raise", foreign_keys=assigned_to_id, doc="Who of the staff looks after it.")
    messages: Mapped[list["ConciergeNote"]] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(ConciergeNote.request_id == ConciergeRequest.id, ConciergeNote.is_shown)",
        order_by="ConciergeNote.id",
        doc="What staff told the customer.",
    )
    notes: Mapped[list["ConciergeNote"]] = relationship(lazy="raise", viewonly=True, order_by="ConciergeNote.id", doc="What staff noted.")

    __table_args__ = (
        CheckConstraint("budget > 0", name="budget"),
        CheckConstraint("price > 0", name="price"),
        # Nothing is ordered that nobody agreed to pay for.
        CheckConstraint(
            "status NOT IN ('ordered', 'ready', 'fulfilled') OR (price IS NOT NULL AND price <= coalesce(budget, price))", name="agreed"
        ),
        Index(None, "status", "id"),
    )


class ConciergeNote(Visible):
    """What staff noted about a request, for themselves or for the customer."""

    __tablename__ = "concierge_notes"

    request_id: Mapped[int] = mapped_column(ForeignKey("concierge_requests.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str] = mapped_column(info=SENSITIVE, doc="The note.")
    is_shown: Mapped[bool] = mapped_column(default=False, doc="Whether the customer sees it.")

    author: Mapped["User"] = relationship(lazy="raise", doc="Who wrote it.")
