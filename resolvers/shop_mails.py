"""What customers are told about their purchases, and staff about the stock; written by jobs from what is true then."""

from enum import StrEnum

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.identity import Role, User, UserRole
from models.notifications import OutboxMessage
from models.shop import Product, Purchase, PurchaseItem, StockChange
from resolvers.context import Context
from resolvers.notifications import send

KEEPERS = (Role.SUPER_ADMIN, Role.ADMIN, Role.SUPPORT)
"""Who of the staff looks after shop and stock."""


class PurchaseNews(StrEnum):
    """What happened to a purchase."""

    CONFIRMED = "confirmed"
    READY = "ready to be picked up"
    CANCELLED = "cancelled"


CLOSING = {
    PurchaseNews.CONFIRMED: "We tell you when it is ready.",
    PurchaseNews.READY: "It waits for you at the reception.",
    PurchaseNews.CANCELLED: "Whatever you paid for it comes back to your card.",
}


async def tell_about_purchase(db: AsyncSession, purchase: Purchase, news: PurchaseNews) -> None:
    """Queue the mail about a purchase in this transaction."""
    await enqueue(db, "mail_about_purchase", {"purchase_id": purchase.id, "news": news.value})


async def mail_about_purchase(ctx: Context, purchase_id: int, news: str) -> None:
    """Write the mail about a purchase, unless its customer wants none or it was written before."""
    cause = f"purchase:{purchase_id}:{news}"
    async with ctx.writing() as db:
        if await db.scalar(select(OutboxMessage.id).where(OutboxMessage.cause == cause)) is not None:
            return
        found = await db.execute(select(Purchase, User).join(User, User.id == Purchase.customer_id).where(Purchase.id == purchase_id))
        purchase, customer = found.one()
        if customer.email is None or not customer.email_notifications:
            return
        items = await db.scalars(select(PurchaseItem).where(PurchaseItem.purchase_id == purchase_id).order_by(PurchaseItem.id))
        lines = [
            f"Dear {customer.first_name or 'guest'},",
            "",
            f"your order {purchase.reference} is {news}.",
            "",
            *[f"  {each.quantity} x {each.name}, {each.price * each.quantity:.2f} {purchase.currency}" for each in items],
            f"  Total: {purchase.total_amount:.2f} {purchase.currency}",
            f"  To be picked up from {purchase.pickup_on:%A}, {purchase.pickup_on.day} {purchase.pickup_on:%B %Y}",
            "",
            CLOSING[PurchaseNews(news)],
        ]
        subject = f"Your order {purchase.reference} is {news}"
        await send(db, to=customer.email, subject=subject, body="\n".join(lines), user_id=customer.id, cause=cause)


async def tell_staff_of_low_stock(ctx: Context, change_id: int) -> None:
    """Tell whoever looks after the stock that a product ran low, once for each time it does."""
    async with ctx.writing() as db:
        change = await db.get_one(StockChange, change_id)
        product = await db.get_one(Product, change.product_id)
        keepers = select(User).where(User.is_active, User.email.is_not(None), User.id.in_(_keepers())).order_by(User.id)
        told = set(await db.scalars(select(OutboxMessage.user_id).where(OutboxMessage.cause.startswith(f"low stock:{change_id}:"))))
        for each in await db.scalars(keepers):
            if each.id not in told:
                body = f"{product.name} (number {product.id}): {product.stock} are left. You are told at {product.low_stock} or fewer."
                cause = f"low stock:{change_id}:{each.id}"
                await send(db, to=each.email or "", subject=f"{product.name} runs low", body=body, user_id=each.id, cause=cause)


def _keepers() -> Select[int]:
    return select(UserRole.user_id).where(UserRole.role.in_(KEEPERS), UserRole.is_approved)
