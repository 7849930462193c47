"""The shop: products with their stock, and purchases that are picked up at the spa."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Model, Money, Visible
from models.bookings import PaymentStatus

if TYPE_CHECKING:
    from models.identity import User
    from models.payments import Payment


class Product(Visible):
    """Something that can be bought and taken home."""

    __tablename__ = "products"

    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    slug: Mapped[str] = mapped_column(unique=True, doc="Name in addresses.")
    description: Mapped[str] = mapped_column(default="", doc="What it is.")
    category: Mapped[str] = mapped_column(doc="The shelf it stands on, such as skincare.")
    price: Mapped[Money] = mapped_column(doc="What one costs.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of its price.")
    image: Mapped[str | None] = mapped_column(doc="Path or address of its picture.")
    stock: Mapped[int] = mapped_column(
        default=0, server_default=text("0"), doc="How many can be sold; what is bought and not picked up is out."
    )
    low_stock: Mapped[int] = mapped_column(default=5, server_default=text("5"), doc="At this stock or below, staff are told.")
    is_featured: Mapped[bool] = mapped_column(default=False, doc="Whether it is shown first.")
    is_active: Mapped[bool] = mapped_column(default=True, doc="Whether it is on sale.")

    __table_args__ = (
        CheckConstraint("price > 0", name="price"),
        CheckConstraint("stock >= 0", name="stock"),
        CheckConstraint("low_stock >= 0", name="low_stock"),
        Index(None, "category", "id"),
    )


class PurchaseStatus(StrEnum):
    """Where a purchase stands.

    PENDING: Set aside, and not paid for yet.
    CONFIRMED: Paid for.
    READY: It waits to be picked up.
    COLLECTED: It was picked up.
    CANCELLED: It will not be; its products are on the shelf again.
    """

    PENDING = "pending"
    CONFIRMED = "confirmed"
    READY = "ready"
    COLLECTED = "collected"
    CANCELLED = "cancelled"


PURCHASE_MOVES = {
    PurchaseStatus.PENDING: {PurchaseStatus.CONFIRMED, PurchaseStatus.CANCELLED},
    PurchaseStatus.CONFIRMED: {PurchaseStatus.READY, PurchaseStatus.COLLECTED, PurchaseStatus.CANCELLED},
    PurchaseStatus.READY: {PurchaseStatus.COLLECTED, PurchaseStatus.CANCELLED},
}


class Purchase(Visible):
    """Products that a customer bought together, to be picked up on a day."""

    __tablename__ = "purchases"

    reference: Mapped[str] = mapped_column(
        Computed("'ORD-' || extract(year FROM timezone('UTC', created_at))::text || '-' || id::text", persisted=True),
        unique=True,
        doc="The order number, such as ORD-2026-456.",
    )
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[PurchaseStatus] = mapped_column(default=PurchaseStatus.PENDING, doc="Where it stands.")
    payment_status: Mapped[PaymentStatus] = mapped_column(default=PaymentStatus.PENDING, doc="Whether it is paid.")
    total_amount: Mapped[Money] = mapped_column(doc="What the customer pays.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of its amounts.")
    pickup_on: Mapped[date] = mapped_column(doc="The day on which it can be picked up.")
    ready_at: Mapped[datetime | None] = mapped_column(doc="When staff had it ready.")
    collected_at: Mapped[datetime | None] = mapped_column(doc="When it was picked up.")
    cancelled_at: Mapped[datetime | None] = mapped_column(doc="When it was cancelled.")
    cancel_reason: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Why it was cancelled.")
    asked_as: Mapped[str | None] = mapped_column(unique=True, doc="By whom and under which idempotency key it was asked for.")

    customer: Mapped["User"] = relationship(lazy="raise", doc="Who bought.")
    items: Mapped[list["PurchaseItem"]] = relationship(lazy="raise", viewonly=True, order_by="PurchaseItem.id", doc="What was bought.")
    payment: Mapped["Payment | None"] = relationship(lazy="raise", back_populates="purchase", doc="Its payment, once one was begun.")

    __table_args__ = (CheckConstraint("total_amount > 0", name="amount"), Index(None, "status", "pickup_on", "id"))


class PurchaseItem(Model):
    """Some of one product as they were bought; name and price stay as they were then."""

    __tablename__ = "purchase_items"

    purchase_id: Mapped[int] = mapped_column(ForeignKey("purchases.id", ondelete="CASCADE"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    name: Mapped[str] = mapped_column(doc="The product's name when it was bought.")
    price: Mapped[Money] = mapped_column(doc="What one cost when it was bought.")
    quantity: Mapped[int] = mapped_column(doc="How many.")

    product: Mapped[Product] = relationship(lazy="raise", doc="The product as it is now.")

    __table_args__ = (UniqueConstraint("purchase_id", "product_id"), CheckConstraint("quantity > 0", name="quantity"))


class StockCause(StrEnum):
    """Why there are more or fewer of a product.

    RECEIVED: A delivery came.
    CORRECTED: Somebody counted.
    SOLD: It was sold, or set aside.
    GIVEN_BACK: A purchase did not come about.
    """

    RECEIVED = "received"
    CORRECTED = "corrected"
    SOLD = "sold"
    GIVEN_BACK = "given_back"


class StockChange(Visible):
    """Some of a product came in or went out; all changes of a product add up to its stock."""

    __tablename__ = "stock_changes"
    __history__ = False

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    change: Mapped[int] = mapped_column(doc="How many more; negative is fewer.")
    stock: Mapped[int] = mapped_column(doc="How many there were afterwards.")
    cause: Mapped[StockCause] = mapped_column(doc="Why.")
    note: Mapped[str | None] = mapped_column(doc="What staff noted, such as the delivery's number.")
    purchase_id: Mapped[int | None] = mapped_column(ForeignKey("purchases.id"), index=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), doc="Who did it; empty: the system.")

    product: Mapped[Product] = relationship(lazy="raise", doc="The product.")
    purchase: Mapped[Purchase | None] = relationship(lazy="raise", doc="The purchase that caused it.")

    __table_args__ = (Index(None, "product_id", "id"), CheckConstraint("change <> 0", name="change"))
