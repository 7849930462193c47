"""Products: what is on sale, which everybody may see, and how staff keep shelf and stock."""

import re
from typing import Any

from sqlalchemy import Select, select

from errors import BadUserInput, NotFound
from models.keys import Key
from models.shop import Product, StockCause, StockChange
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.shop import ProductFilter, ProductInput, ProductOrder, ProductPatch
from resolvers.inputs.values import parse_text
from resolvers.operations import ANYONE, STAFF_ROLES, allow
from resolvers.shop_mails import KEEPERS
from resolvers.stock import change_stock

ORDERS = {
    ProductOrder.FEATURED: (Product.is_featured.desc(), Product.id),
    ProductOrder.NAME: (Product.name, Product.id),
    ProductOrder.PRICE: (Product.price, Product.id),
    ProductOrder.NEWEST: (Product.id.desc(),),
}
LONGEST = {"name": 120, "description": 4000, "image": 500, "category": 60}
CATEGORY = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
MOST = 100_000


@allow(ANYONE)
def list_products(ctx: Context, *, filter: ProductFilter | None = None, order: ProductOrder = ProductOrder.FEATURED) -> Select[Product]:
    """Products that are on sale."""
    return _narrowed(select(Product).where(Product.is_active), filter).order_by(*ORDERS[order])


@allow(ANYONE)
def get_product(ctx: Context, *, id: Key[Product] | None = None, slug: str | None = None) -> Select[Product]:
    """One product that is on sale, by its id or its slug."""
    if (id is None) == (slug is None):
        raise BadUserInput(id="Give either the id or the slug.")
    return select(Product).where(Product.is_active, id.names(Product) if id else Product.slug == slug)


@allow(*STAFF_ROLES)
def list_stock(ctx: Context, *, filter: ProductFilter | None = None, low_only: bool = False) -> Select[Product]:
    """Every product with its stock, those off sale too; the scarcest first."""
    found = _narrowed(select(Product), filter).order_by(Product.stock, Product.id)
    return found.where(Product.is_active, Product.stock <= Product.low_stock) if low_only else found


@allow(*STAFF_ROLES)
def list_stock_changes(ctx: Context, *, product_id: Key[Product] | None = None) -> Select[StockChange]:
    """Why there are more or fewer of a product; newest first."""
    found = select(StockChange).order_by(StockChange.id.desc())
    return found.where(StockChange.product_id == product_id.of(Product)) if product_id else found


@allow(*KEEPERS)
async def create_product(ctx: Context, *, input: ProductInput) -> Product:
    """Put a new product on sale; there are none of it until some are received."""
    values = _checked(vars(input))
    async with ctx.writing() as db:
        product = Product(**values, slug=await _free_slug(ctx, values["name"]))
        db.add(product)
        await db.flush()
        answers(db, product)
    return product


@allow(*KEEPERS)
async def update_product(ctx: Context, *, id: Key[Product], patch: ProductPatch) -> Product:
    """Change a product, or take it off sale; what was bought keeps its name and price."""
    values = _checked({name: value for name, value in vars(patch).items() if value is not None})
    async with ctx.writing() as db:
        product = await db.scalar(select(Product).where(id.names(Product)).with_for_update(key_share=True))
        if product is None:
            raise NotFound
        for name, value in values.items():
            setattr(product, name, value)
        await db.flush()
        answers(db, product)
    return product


@allow(*KEEPERS)
async def receive_stock(ctx: Context, *, id: Key[Product], quantity: int, note: str | None = None) -> Product:
    """Note that some of a product came in."""
    if not 0 < quantity <= MOST:
        raise BadUserInput(quantity=f"Give 1 to {MOST}.")
    return await _change(ctx, id, quantity, StockCause.RECEIVED, note, is_count=False)


@allow(*KEEPERS)
async def correct_stock(ctx: Context, *, id: Key[Product], counted: int, note: str | None = None) -> Product:
    """Set the stock of a product to what somebody counted on the shelf, without what is set aside for customers."""
    if not 0 <= counted <= MOST:
        raise BadUserInput(counted=f"Give 0 to {MOST}.")
    return await _change(ctx, id, counted, StockCause.CORRECTED, note, is_count=True)


async def _change(ctx: Context, id: Key[Product], number: int, cause: StockCause, note: str | None, *, is_count: bool) -> Product:
    note = parse_text(note, "note", longest=500) if note is not None else None
    async with ctx.writing() as db:
        product = await db.scalar(select(Product).where(id.names(Product)).with_for_update(key_share=True))
        if product is None:
            raise NotFound
        change = number - product.stock if is_count else number
        if change:
            product = await change_stock(db, product.id, change, cause, note=note, actor_id=ctx.viewer.id)
        answers(db, product)
    return product


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a product as they are stored; BadUserInput names each that cannot be."""
    wrong: dict[str, Any] = {}
    for name, longest in LONGEST.items():
        if values.get(name) is not None:
            values[name] = parse_text(values[name], name, longest=longest)
    if values.get("name") == "":
        wrong["name"] = "Give it a name."
    if "category" in values and not CATEGORY.fullmatch(values["category"]):
        wrong["category"] = "Give a word in small letters, such as skincare."
    if "price" in values and values["price"] <= 0:
        wrong["price"] = "Give more than nothing."
    if "low_stock" in values and not 0 <= values["low_stock"] <= MOST:
        wrong["low_stock"] = f"Give 0 to {MOST}."
    if wrong:
        raise BadUserInput(**wrong)
    return values


async def _free_slug(ctx: Context, name: str) -> str:
    """A slug that no product bears; should somebody else take it meanwhile, the constraint says so."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "product"
    taken = {row["slug"] for row in await ctx.fetch(select(Product.slug).where(Product.slug.startswith(slug, autoescape=True)))}
    return next(each for number in range(1, len(taken) + 2) if (each := slug if number == 1 else f"{slug}-{number}") not in taken)


def _narrowed(found: Select[Product], filter: ProductFilter | None) -> Select[Product]:
    if filter is None:
        return found
    if filter.category is not None:
        found = found.where(Product.category == filter.category)
    if filter.featured is not None:
        found = found.where(Product.is_featured == filter.featured)
    if filter.in_stock is not None:
        found = found.where(Product.stock > 0 if filter.in_stock else Product.stock == 0)
    if filter.search:
        found = found.where(Product.name.icontains(filter.search, autoescape=True))
    return found
