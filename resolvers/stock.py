"""The stock: taken by conditional updates, so that nobody buys what is not there; each change leaves a row that says why."""

from collections.abc import Mapping, Sequence

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import NotFound, OutOfStock
from jobs.queue import enqueue
from models.shop import Product, Purchase, PurchaseItem, StockCause, StockChange
from subscriptions.facts import announce
from subscriptions.shop import ProductRanLow

FRESH = {"populate_existing": True, "synchronize_session": False}


async def take(db: AsyncSession, wanted: Mapping[int, int]) -> list[Product]:
    """Take some of each product, all or none: OutOfStock when one has too few. Always in one order, so that buyers never deadlock."""
    taken: list[Product] = []
    for product_id, quantity in sorted(wanted.items()):
        enough = update(Product).where(Product.id == product_id, Product.is_active, Product.stock >= quantity)
        product = await db.scalar(enough.values(stock=Product.stock - quantity).returning(Product), execution_options=FRESH)
        if product is None:
            raise await _lack(db, product_id)
        taken.append(product)
    return taken


async def note_sale(db: AsyncSession, purchase: Purchase, items: Sequence[PurchaseItem], taken: Sequence[Product], actor_id: int) -> None:
    """Say why the stock went down, and tell staff of whatever ran low by it."""
    for item, product in zip(items, taken, strict=True):
        change = await _note(db, product, -item.quantity, StockCause.SOLD, purchase_id=purchase.id, actor_id=actor_id)
        if product.stock <= product.low_stock < product.stock + item.quantity:
            await announce(db, ProductRanLow(product))
            await enqueue(db, "tell_staff_of_low_stock", {"change_id": change.id})


async def give_stock_back(db: AsyncSession, purchase: Purchase, items: Sequence[PurchaseItem], actor_id: int | None) -> None:
    """Put everything of a purchase back; called once, where its status leaves those that hold stock."""
    for item in sorted(items, key=lambda each: each.product_id):
        await change_stock(db, item.product_id, item.quantity, StockCause.GIVEN_BACK, purchase_id=purchase.id, actor_id=actor_id)


async def change_stock(
    db: AsyncSession,
    product_id: int,
    change: int,
    cause: StockCause,
    *,
    note: str | None = None,
    purchase_id: int | None = None,
    actor_id: int | None = None,
) -> Product:
    """Add to the stock of a product, or take from it what is there."""
    there = update(Product).where(Product.id == product_id, Product.stock + change >= 0)
    product: Product | None = await db.scalar(there.values(stock=Product.stock + change).returning(Product), execution_options=FRESH)
    if product is None:
        raise await _lack(db, product_id)
    await _note(db, product, change, cause, note=note, purchase_id=purchase_id, actor_id=actor_id)
    return product


async def _note(
    db: AsyncSession,
    product: Product,
    change: int,
    cause: StockCause,
    *,
    note: str | None = None,
    purchase_id: int | None = None,
    actor_id: int | None,
) -> StockChange:
    row = StockChange(
        product_id=product.id, change=change, stock=product.stock, cause=cause, note=note, purchase_id=purchase_id, actor_id=actor_id
    )
    db.add(row)
    await db.flush()
    return row


async def _lack(db: AsyncSession, product_id: int) -> NotFound | OutOfStock:
    product = await db.get(Product, product_id, populate_existing=True)
    if product is None or not product.is_active:
        return NotFound("There is no such product.")
    there = f"Only {product.stock} of {product.name} are left." if product.stock else f"{product.name} is sold out."
    return OutOfStock(there, details={"product_id": product.id, "available": product.stock})
