"""How a client narrows and orders the catalogue."""

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
    search: str | None = strawberry.field(default=None, description="With these letters in the name.")
