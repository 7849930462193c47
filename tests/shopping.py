"""What tests of the shop share: products on the shelf, somebody with a card, and ways to look."""

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from models.database import Database
from models.identity import User
from models.payments import SavedCard
from models.shop import Product, Purchase, StockCause, StockChange
from resolvers import purchases
from resolvers.context import Context
from resolvers.inputs.shop import PurchaseInput, PurchaseLine
from resolvers.operations import perform


async def make_product(
    database: Database, name: str = "Premium Face Serum", *, stock: int = 10, price: str = "89.00", **more: Any
) -> Product:
    """A product whose stock was received."""
    async with database.sessions.begin() as db:
        slug = name.lower().replace(" ", "-")
        product = Product(**{"name": name, "slug": slug, "category": "skincare", "price": Decimal(price), "stock": stock, **more})
        db.add(product)
        await db.flush()
        if stock:
            db.add(StockChange(product_id=product.id, change=stock, stock=stock, cause=StockCause.RECEIVED))
    return product


async def save_card(database: Database, person: User, card: str = "pm_card_visa") -> None:
    """Somebody's default card, by one of Stripe's test names."""
    async with database.sessions.begin() as db:
        db.add(SavedCard(user_id=person.id, provider_id=card, brand="visa", last4="4242", exp_month=12, exp_year=2040, is_default=True))


async def buy(ctx: Context, *lines: tuple[Product, int], key: str | None = None, **more: Any) -> Purchase:
    """Buy some of each product."""
    items = [PurchaseLine(product_id=str(product.id), quantity=quantity) for product, quantity in lines]  # type: ignore[arg-type]
    arguments = {"input": PurchaseInput(items=items, pickup_on=more.pop("pickup_on", None)), **more}
    bought: Purchase = await perform(purchases.purchase_products, ctx, arguments, key=key)
    return bought


async def stock_of(database: Database, product: Product) -> int:
    """How many are left, which all changes together must explain."""
    async with database.sessions() as db:
        stock = (await db.scalars(select(Product.stock).where(Product.id == product.id))).one()
        explained = await db.scalar(select(func.sum(StockChange.change)).where(StockChange.product_id == product.id))
    assert explained == stock
    return stock


async def purchase_now(database: Database, purchase: Purchase) -> Purchase:
    async with database.sessions() as db:
        return await db.get_one(Purchase, purchase.id)
