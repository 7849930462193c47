"""How a client narrows and orders the catalogue."""

from decimal import Decimal
from enum import StrEnum

import strawberry

from models.catalogue import ServiceLine


class ServiceOrder(StrEnum):
    """In which order services come.

    FEATURED: Those that the house recommends come first.
    NAME: By their names.
    PRICE: The cheapest come first.
    NEWEST: Those added last come first.
    """

    FEATURED = "featured"
    NAME = "name"
    PRICE = "price"
    NEWEST = "newest"


@strawberry.input(description="Which services; everything that is given must hold.")
class ServiceFilter:
    """Conditions on services."""

    line: ServiceLine | None = strawberry.field(default=None, description="Of this line of business.")
    category: str | None = strawberry.field(default=None, description="Of the category with this slug.")
    featured: bool | None = strawberry.field(default=None, description="Only featured ones, or only others.")
    search: str | None = strawberry.field(
        default=None, description="With each of these words somewhere in its name, its descriptions or the names of its add-ons."
    )
    service_type: str | None = strawberry.field(default=None, description="Of this kind of treatment, such as massage; of the spa.")
    member_only: bool | None = strawberry.field(default=None, description="Only for members, or only for everybody; of the spa.")
    price_from: Decimal | None = strawberry.field(default=None, description="Costing this much or more, without a membership.")
    price_to: Decimal | None = strawberry.field(default=None, description="Costing this much at most, without a membership.")
    longest_minutes: int | None = strawberry.field(default=None, description="Taking this long at most.")
    rated_from: float | None = strawberry.field(default=None, description="Rated with this many stars or more on average.")
