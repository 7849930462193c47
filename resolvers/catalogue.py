"""What the catalogue offers; everybody may read it."""

from sqlalchemy import Select, select

from errors import BadUserInput
from models.catalogue import Category, Service, ServiceLine
from models.keys import Key
from resolvers.context import Context
from resolvers.inputs.catalogue import ServiceFilter, ServiceOrder
from resolvers.operations import ANYONE, allow

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
    if filter.search:
        found = found.where(Service.name.icontains(filter.search, autoescape=True))
    return found


@allow(ANYONE)
def get_service(
    ctx: Context, *, id: Key[Service] | None = None, slug: str | None = None, line: ServiceLine | None = None
) -> Select[Service]:
    """One service, by its id or its slug, of a line if one is named."""
    if (id is None) == (slug is None):
        raise BadUserInput(id="Give either the id or the slug.")
    found = select(Service).where(Service.is_active, id.names(Service) if id else Service.slug == slug)
    return found.where(Service.line == line) if line is not None else found
