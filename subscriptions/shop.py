"""What is announced about the shop."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.shop import Product, Purchase


@dataclass(frozen=True)
class PurchaseFact:
    """Something happened to a purchase; its customer and the staff may know."""

    kind: ClassVar[str]
    purchase: Purchase

    @property
    def topics(self) -> list[str]:
        return ["purchases", f"purchase:{self.purchase.id}", f"user:{self.purchase.customer_id}"]

    @property
    def subject_id(self) -> int:
        return self.purchase.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.purchase.status, "payment_status": self.purchase.payment_status}


@dataclass(frozen=True)
class PurchasePlaced(PurchaseFact):
    """Products were taken from the stock for a customer."""

    kind = "purchase.placed"


@dataclass(frozen=True)
class PurchasePaid(PurchaseFact):
    """The money for a purchase has come in."""

    kind = "purchase.paid"


@dataclass(frozen=True)
class PurchaseReady(PurchaseFact):
    """A purchase can be picked up."""

    kind = "purchase.ready"


@dataclass(frozen=True)
class PurchaseCollected(PurchaseFact):
    """A purchase was picked up."""

    kind = "purchase.collected"


@dataclass(frozen=True)
class PurchaseCancelled(PurchaseFact):
    """A purchase does not hold any more; its products are in stock again."""

    kind = "purchase.cancelled"


@dataclass(frozen=True)
class PurchaseRefunded(PurchaseFact):
    """Money for a purchase went back."""

    kind = "purchase.refunded"


@dataclass(frozen=True)
class ProductRanLow:
    """Few of a product are left; the staff may know."""

    kind: ClassVar[str] = "product.low"
    product: Product

    @property
    def topics(self) -> list[str]:
        return ["stock"]

    @property
    def subject_id(self) -> int:
        return self.product.id

    @property
    def data(self) -> dict[str, Any]:
        return {"stock": self.product.stock}
