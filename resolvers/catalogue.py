"""What the catalogue offers; everybody may read it."""

from sqlalchemy import ColumnElement, Select, or_, select

from errors import BadUserInput
from models.analytics import ServiceRating
from models.catalogue import Addon, Category, Service, ServiceLine, SpaService
from models.keys import Key
from resolvers.context import Context
from resolvers.inputs.catalogue import ServiceFilter, ServiceOrder
from resolvers.operations import ANYONE, allow

MOST_WORDS = 8
"""Of a search; those that follow narrow it no further."""
ORDERS = {
    ServiceOrder.FEATURED: (Service.is_featured.desc(), Service.id),
    ServiceOrder.NAME: (Service.name, Service.id),
    ServiceOrder.PRICE: (Service.price, Service.id),
    ServiceOrder.NEWEST: (Service.id.desc(),),
}


@allow(ANYONE)
def list_categories(ctx: Context, *, line: ServiceLine | None = None) -> Select[Category]:
    """Categories of services, in the order in which they are shown."""
    found = select(Category).order_by(Category.position, Category.id)
    return found.where(Category.line == line) if line else found


@allow(ANYONE)
def get_category(
    ctx: Context, *, id: Key[Category] | None = None, slug: str | None = None, line: ServiceLine | None = None
) -> Select[Category]:
    """One category, by its id, or by its slug and line."""
    if (id is None) == (slug is None):
        raise BadUserInput(id="Give either the id or the slug.")
    found = select(Category).where(id.names(Category) if id else Category.slug == slug).order_by(Category.id)
    return found.where(Category.line == line) if line is not None else found


@allow(ANYONE)
def list_services(ctx: Context, *, filter: ServiceFilter | None = None, order: ServiceOrder = ServiceOrder.FEATURED) -> Select[Service]:
    """Services that can be booked."""
    found = select(Service).where(Service.is_active).order_by(*ORDERS[order])
    if filter is None:
        return found
    if filter.line is not None:
        found = found.where(Service.line == filter.line)
    if filter.category is not None:
        found = found.where(Service.category_id.in_(select(Category.id).where(Category.slug == filter.category)))
    if filter.featured is not None:
        found = found.where(Service.is_featured == filter.featured)
    return _priced(_of_the_spa(found, filter), filter)


def _priced(found: Select[Service], filter: ServiceFilter) -> Select[Service]:
    """The services that cost, last and are rated as was asked, and in which every word of the search stands."""
    if filter.price_from is not None:
        found = found.where(Service.price >= filter.price_from)
    if filter.price_to is not None:
        found = found.where(Service.price <= filter.price_to)
    if filter.longest_minutes is not None:
        found = found.where(Service.duration_minutes <= filter.longest_minutes)
    if filter.rated_from is not None:
        rated = select(ServiceRating.service_id).where(ServiceRating.stars >= filter.rated_from * ServiceRating.ratings)
        found = found.where(Service.id.in_(rated))
    for word in (filter.search or "").split()[:MOST_WORDS]:
        addons = select(Addon.service_id).where(Addon.is_active, Addon.name.icontains(word, autoescape=True))
        texts = (Service.name, Service.short_description, Service.description)
        found = found.where(or_(*(each.icontains(word, autoescape=True) for each in texts), Service.id.in_(addons)))
    return found


def _of_the_spa(found: Select[Service], filter: ServiceFilter) -> Select[Service]:
    """What only services of the spa can be asked for."""
    wanted: list[ColumnElement[bool]] = []
    if filter.service_type is not None:
        wanted.append(SpaService.service_type == filter.service_type)
    if filter.member_only is not None:
        wanted.append(SpaService.member_only == filter.member_only)
    return found.where(Service.id.in_(select(SpaService.service_id).where(*wanted))) if wanted else found


@allow(ANYONE)
def get_service(
    ctx: Context, *, id: Key[Service] | None = None, slug: str | None = None, line: ServiceLine | None = None
) -> Select[Service]:
    """One service, by its id or its slug, of a line if one is named."""
    if (id is None) == (slug is None):
        raise BadUserInput(id="Give either the id or the slug.")
    found = select(Service).where(Service.is_active, id.names(Service) if id else Service.slug == slug)
    return found.where(Service.line == line) if line is not None else found
