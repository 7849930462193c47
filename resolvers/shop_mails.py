"""What customers are told about their purchases, and staff about the stock; worded by jobs from what is true then."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.identity import Role, User, UserRole
from models.notifications import NotificationKind
from models.shop import Product, Purchase, PurchaseItem, StockChange
from resolvers.context import Context
from resolvers.letters import spell_day, spell_money
from resolvers.notifications import Facts, notify

KEEPERS = (Role.SUPER_ADMIN, Role.ADMIN, Role.SUPPORT)
"""Who of the staff looks after shop and stock."""


async def tell_about_purchase(db: AsyncSession, purchase: Purchase, kind: NotificationKind) -> None:
    """Have the customer told about a purchase, in this transaction."""
    await enqueue(db, "mail_about_purchase", {"purchase_id": purchase.id, "kind": kind.value})


async def mail_about_purchase(ctx: Context, purchase_id: int, kind: str) -> None:
    """Tell a customer what happened to their purchase, once."""
    async with ctx.writing() as db:
        found = await db.execute(
            select(Purchase, User.first_name).join(User, User.id == Purchase.customer_id).where(Purchase.id == purchase_id)
        )
        purchase, first_name = found.one()
        items = await db.scalars(select(PurchaseItem).where(PurchaseItem.purchase_id == purchase_id).order_by(PurchaseItem.id))
        facts = {
            "first_name": first_name,
            "reference": purchase.reference,
            "items": "\n".join(
                f"{each.quantity} x {each.name}, {spell_money(each.price * each.quantity, purchase.currency)}" for each in items
            ),
            "total": spell_money(purchase.total_amount, purchase.currency),
            "pickup_on": spell_day(purchase.pickup_on),
        }
        action = f"/purchases/{purchase_id}"
        await notify(db, purchase.customer_id, NotificationKind(kind), facts, cause=f"purchase:{purchase_id}:{kind}", action_url=action)


async def tell_staff_of_low_stock(ctx: Context, change_id: int) -> None:
    """Tell whoever looks after the stock that a product ran low, once for each time it does."""
    async with ctx.writing() as db:
        change = await db.get_one(StockChange, change_id)
        product = await db.get_one(Product, change.product_id)
        facts: Facts = {"product": product.name, "number": product.id, "stock": product.stock, "low_stock": product.low_stock}
        keepers = select(User.id).where(User.is_active, User.id.in_(_keepers())).order_by(User.id)
        for each in (await db.scalars(keepers)).all():
            await notify(
                db, each, NotificationKind.STOCK_LOW, facts, cause=f"low stock:{change_id}:{each}", action_url=f"/products/{product.id}"
            )


def _keepers() -> Select[int]:
    return select(UserRole.user_id).where(UserRole.role.in_(KEEPERS), UserRole.is_approved)
