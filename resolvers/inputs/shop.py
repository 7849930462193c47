"""What clients send about products and purchases."""

from datetime import date
from decimal import Decimal
from enum import StrEnum

import strawberry

from models.shop import PurchaseStatus


class ProductOrder(StrEnum):
    """In which order products come.

    FEATURED: What the house recommends comes first.
    NAME: By name.
    PRICE: The cheapest comes first.
    NEWEST: The newest comes first.
    """

    FEATURED = "featured"
    NAME = "name"
    PRICE = "price"
    NEWEST = "newest"


@strawberry.input(description="Which products; everything that is given must hold.")
class ProductFilter:
    """Conditions on products."""

    category: str | None = strawberry.field(default=None, description="On this shelf, such as skincare.")
    featured: bool | None = strawberry.field(default=None, description="Only featured ones, or only others.")
    in_stock: bool | None = strawberry.field(default=None, description="Only what can be bought now, or only what is sold out.")
    search: str | None = strawberry.field(default=None, description="With these letters in the name.")


@strawberry.input(description="Which purchases; everything that is given must hold.")
class PurchaseFilter:
    """Conditions on purchases."""

    status: PurchaseStatus | None = strawberry.field(default=None, description="In this state.")
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="Of this person.")
    pickup_on: date | None = strawberry.field(default=None, description="To be picked up on this day.")


@strawberry.input(description="Some of one product.")
class PurchaseLine:
    """A line of a purchase."""

    product_id: strawberry.ID = strawberry.field(description="The product.")
    quantity: int = strawberry.field(default=1, description="How many, 1 to 100.")


@strawberry.input(description="What is bought together.")
class PurchaseInput:
    """A basket."""

    items: list[PurchaseLine] = strawberry.field(description="The products with their quantities, 20 lines at most.")
    pickup_on: date | None = strawberry.field(
        default=None, description="The day on which it is picked up, from today; tomorrow unless said."
    )


@strawberry.input(description="A product that is to be sold.")
class ProductInput:
    """What a new product is."""

    name: str = strawberry.field(description="Name shown to customers, at most 120 characters.")
    category: str = strawberry.field(description="The shelf it stands on, such as skincare.")
    price: Decimal = strawberry.field(description="What one costs.")
    description: str = strawberry.field(default="", description="What it is, at most 4000 characters.")
    image: str | None = strawberry.field(default=None, description="Path or address of its picture.")
    low_stock: int = strawberry.field(default=5, description="At this stock or below, staff are told.")
    is_featured: bool = strawberry.field(default=False, description="Whether it is shown first.")


@strawberry.input(description="What is to change of a product; what is left out stays.")
class ProductPatch:
    """Changes of a product."""

    name: str | None = strawberry.field(default=None, description="Name shown to customers, at most 120 characters.")
    category: str | None = strawberry.field(default=None, description="The shelf it stands on.")
    price: Decimal | None = strawberry.field(default=None, description="What one costs from now on.")
    description: str | None = strawberry.field(default=None, description="What it is, at most 4000 characters.")
    image: str | None = strawberry.field(default=None, description="Path or address of its picture.")
    low_stock: int | None = strawberry.field(default=None, description="At this stock or below, staff are told.")
    is_featured: bool | None = strawberry.field(default=None, description="Whether it is shown first.")
    is_active: bool | None = strawberry.field(default=None, description="Whether it is on sale.")
