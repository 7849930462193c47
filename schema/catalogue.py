"""What clients see of the catalogue: categories, services of every line, add-ons and programmes."""

from decimal import Decimal

import strawberry

from models import catalogue as tables
from models.catalogue import ServiceLine
from resolvers import catalogue
from schema.fields import Connection, Record, column, computed, operation, related, shows


@shows(tables.Category)
class Category(Record):
    """A group of services of one line."""

    line: ServiceLine
    name: str
    slug: str
    description: str
    image: str | None
    featured_technologies: list[str]


@shows(tables.Addon)
class Addon(Record):
    """An extra that can be booked with a service."""

    name: str
    price: Decimal
    is_active: bool


@shows(tables.Programme)
class Programme(Record):
    """A way in which a service can be carried out."""

    name: str
    slug: str
    description: str


@shows(tables.Service, interface=True)
class Service(Record):
    """What customers book, of any line."""

    line: ServiceLine
    name: str
    slug: str
    short_description: str
    description: str
    price: Decimal
    currency: str
    duration: int = column("duration_minutes")
    is_featured: bool
    rating: float | None = computed(
        ["rated.ratings", "rated.stars"],
        lambda row: round(row["rated.stars"] / row["rated.ratings"], 2) if row["rated.ratings"] else None,
        "Stars of all rated visits on average; none before the first.",
    )
    rating_count: int = computed(["rated.ratings"], lambda row: row["rated.ratings"] or 0, "How many visits were rated.")
    category: Category = related("category")
    addons: list[Addon] = related("addons")


@shows(tables.Service, kind=ServiceLine.SPA)
class SpaService(Service):
    """A service of the spa, with a price for members."""

    service_type: str = column("spa.service_type")
    member_price: Decimal = column("spa.member_price")
    max_capacity: int = column("spa.max_capacity")
    requires_appointment: bool = column("spa.requires_appointment")
    member_only: bool = column("spa.member_only")
    main_image: str | None = column("spa.main_image")
    gallery_images: list[str] = column("spa.gallery_images")
    video_url: str | None = column("spa.video_url")
    programmes: list[Programme] = related("programmes")


@shows(tables.Service, kind=ServiceLine.MARKETPLACE)
class MarketplaceService(Service):
    """A service that a provider offers in the marketplace."""


@shows(tables.Service, kind=ServiceLine.HOME)
class HomeService(Service):
    """A service that is brought to the customer's home."""


@strawberry.type
class CatalogueQueries:
    """Reading the catalogue; open to everybody."""

    categories: list[Category] = operation(catalogue.list_categories)
    category: Category = operation(catalogue.get_category)
    services: Connection[Service] = operation(catalogue.list_services)
    service: Service = operation(catalogue.get_service)
