"""The shelf of the shop, what guests have bought over the last months, and what John buys."""

import random
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import ADMIN, FIRST_GUEST, GUESTS, JOHN
from demo.world import World, put
from gateways.minor_units import to_minor
from gateways.simulators.stripe_payments import paid_before
from models.bookings import PaymentStatus
from models.identity import Role
from models.keys import Key
from models.ledger import Account, AccountKind, Entry, LedgerTransaction
from models.payments import Payment, PaymentPurpose, Provider
from models.shop import Product, Purchase, PurchaseItem, PurchaseStatus, StockCause, StockChange
from models.simulations import SimulatedObject
from resolvers.context import Context, Viewer
from resolvers.inputs.shop import PurchaseInput, PurchaseLine
from resolvers.operations import perform
from resolvers.purchases import mark_purchase_ready, purchase_products

ZONE = "America/New_York"
PURCHASES = 140
RECEIVED = 60

# Name, shelf, price, what it is. The first is known from the documents.
PRODUCTS = [
    ("Premium Face Serum", "skincare", 89, "Anti-aging serum with peptides and hyaluronic acid; two drops morning and night."),
    ("Daily Mineral Sunscreen SPF 50", "skincare", 42, "Zinc oxide, no white cast, made for under a shirt collar."),
    ("Charcoal Cleanser", "skincare", 28, "Takes the day off without taking the skin along."),
    ("Night Repair Cream", "skincare", 76, "Ceramides and oat, for skin that has flown too much."),
    ("Cooling Eye Gel", "skincare", 38, "Caffeine and cucumber in a steel-tipped tube."),
    ("Rose Clay Mask", "skincare", 34, "The mask of the Side by Side Facial, for the bathroom at home."),
    ("Vitamin C Ampoules", "skincare", 64, "Seven ampoules, one week, a visible difference."),
    ("Cedar Beard Oil", "grooming", 26, "The oil of our barbers: cedar, bergamot, nothing else."),
    ("Badger Brush", "grooming", 95, "Pure badger in a walnut handle."),
    ("Warm Lather Shaving Soap", "grooming", 22, "A hard soap in an aluminium bowl; lasts half a year."),
    ("Cold Stone After Shave", "grooming", 32, "Witch hazel and menthol, no alcohol."),
    ("Matte Clay", "grooming", 24, "Holds all day and washes out in one go."),
    ("Lavender Bath Salts", "bath", 29, "Dead Sea salt with lavender from the Luberon."),
    ("Eucalyptus Shower Mist", "bath", 27, "Three sprays and the shower is a steam room."),
    ("Hammam Glove", "bath", 18, "The kessa glove of the Private Hammam."),
    ("Rose Milk Bath", "bath", 36, "Dried milk and petals, enough for four baths."),
    ("Alpine Herb Footbath", "bath", 21, "Arnica, pine and mountain salt."),
    ("Massage Oil Calm", "body", 39, "Sweet almond, lavender and vetiver."),
    ("Massage Oil Strong", "body", 39, "Arnica, black pepper and ginger, for the day after."),
    ("Magnesium Muscle Balm", "body", 31, "Rub in after sport; smells of nothing."),
    ("Body Polish Sea Salt", "body", 44, "The scrub of the Chocolate and Sea Salt Ritual."),
    ("Swiss Alps Room Scent", "home", 58, "The scent of the scene, in a diffuser for three months."),
    ("Massage Candle", "home", 34, "Burns to a warm oil."),
    ("Waffle Robe", "home", 120, "The robe you wore upstairs."),
    ("Sleep Mask in Silk", "home", 45, "Dark, cool, and it stays on."),
    ("Crystal Singing Bowl", "home", 210, "A small one of the Sound Bath, with its mallet."),
]
FEATURED = {1, 8, 13, 22, 24}
SCARCE = {6: 3, 26: 1, 9: 0}
"""How many are left of what ran low."""


async def fill(db: AsyncSession, world: World) -> None:
    """Products with their stock, and purchases of guests that are paid and mostly picked up."""
    await put(db, Product, [
        {"id": number, "name": name, "slug": name.lower().replace(" ", "-"), "category": shelf, "price": Decimal(price),
         "description": text, "image": f"/media/products/{name.lower().replace(' ', '-')}.jpg", "stock": 0,
         "is_featured": number in FEATURED}
        for number, (name, shelf, price, text) in enumerate(PRODUCTS, start=1)
    ])  # fmt: skip
    bought = [_purchase(world, number) for number in range(PURCHASES)]
    bought.sort(key=lambda each: each["row"]["created_at"])
    numbers = await put(db, Purchase, [each["row"] for each in bought])
    for number, each in zip(numbers, bought, strict=True):
        each["number"] = number
    await put(db, PurchaseItem, [
        {"purchase_id": each["number"], "product_id": product, "name": PRODUCTS[product - 1][0], "price": Decimal(PRODUCTS[product - 1][2]),
         "quantity": quantity} for each in bought for product, quantity in each["items"].items()
    ])  # fmt: skip
    await _stock(db, world, bought)
    await _pay(db, bought)


def _purchase(world: World, index: int) -> dict[str, Any]:
    dice = random.Random(f"purchase {index}")  # noqa: S311 - the same in every demo
    days_ago = dice.randint(0, 170)
    at = min(world.moment(-days_ago, time(dice.randint(10, 18), dice.randint(0, 59)), ZONE), world.now - timedelta(minutes=index + 5))
    items = {product: dice.choice((1, 1, 1, 2)) for product in dice.sample(range(1, len(PRODUCTS) + 1), dice.choice((1, 1, 2, 3)))}
    total = sum(Decimal(PRODUCTS[product - 1][2]) * quantity for product, quantity in items.items())
    is_collected = days_ago > 3
    row = {
        "customer_id": FIRST_GUEST + dice.randrange(GUESTS), "total_amount": total, "pickup_on": world.day(2 - days_ago), "created_at": at,
        "payment_status": PaymentStatus.CHARGED, "ready_at": at + timedelta(minutes=40) if is_collected else None,
        "status": PurchaseStatus.COLLECTED if is_collected else PurchaseStatus.CONFIRMED,
        "collected_at": at + timedelta(hours=26) if is_collected else None,
    }  # fmt: skip
    return {"row": row, "items": items, "total": total, "at": at}


async def _stock(db: AsyncSession, world: World, bought: list[dict[str, Any]]) -> None:
    """Deliveries before, sales since: what is left is what the changes add up to."""
    changes: list[dict[str, Any]] = []
    before = world.moment(-200, time(9), ZONE)
    sold = {number: sum(each["items"].get(number, 0) for each in bought) for number in range(1, len(PRODUCTS) + 1)}
    left = {number: sold[number] + SCARCE.get(number, RECEIVED - number) for number in sold}
    for number, stock in left.items():
        if stock:
            changes.append({"product_id": number, "change": stock, "stock": stock, "cause": StockCause.RECEIVED, "created_at": before,
                            "note": "First delivery", "purchase_id": None, "actor_id": ADMIN})  # fmt: skip
    for each in bought:
        for product, quantity in each["items"].items():
            left[product] -= quantity
            changes.append({"product_id": product, "change": -quantity, "stock": left[product], "cause": StockCause.SOLD,
                            "created_at": each["at"], "note": None, "purchase_id": each["number"],
                            "actor_id": each["row"]["customer_id"]})  # fmt: skip
    await put(db, StockChange, changes)
    for product in await db.scalars(select(Product)):
        product.stock = left[product.id]


async def _pay(db: AsyncSession, bought: list[dict[str, Any]]) -> None:
    payments = await put(db, Payment, [
        {"user_id": each["row"]["customer_id"], "purchase_id": each["number"], "purpose": PaymentPurpose.PRODUCT,
         "provider": Provider.STRIPE, "provider_id": f"pi_demo_shop_{each['number']:06}", "amount": each["total"],
         "status": PaymentStatus.CHARGED, "method": "visa •••• 4242", "charged_at": each["at"], "created_at": each["at"]} for each in bought
    ])  # fmt: skip
    await put(db, SimulatedObject, [
        {"provider": "stripe", "key": thing["id"], "kind": thing["object"], "data": thing} for each in bought
        for thing in paid_before(f"pi_demo_shop_{each['number']:06}", to_minor(each["total"], "USD"), "usd", refunded=False)
    ])  # fmt: skip
    pots = [(AccountKind.PROVIDER_CLEARING, Provider.STRIPE.value), (AccountKind.REVENUE, PaymentPurpose.PRODUCT.value)]
    wanted = [{"kind": kind, "name": name, "owner_id": None, "currency": "USD"} for kind, name in pots]
    await db.execute(insert(Account).on_conflict_do_nothing(index_elements=["kind", "name", "owner_id", "currency"]), wanted)
    rows = await db.execute(select(Account.kind, Account.name, Account.id).where(Account.owner_id.is_(None), Account.currency == "USD"))
    accounts = {(kind, name): number for kind, name, number in rows}
    posted = await put(db, LedgerTransaction, [
        {"cause": f"payment:{payment}:charged", "description": "Payment for a product by stripe", "payment_id": payment,
         "created_at": each["at"]}
        for payment, each in zip(payments, bought, strict=True)
    ])  # fmt: skip
    await put(db, Entry, [
        {"transaction_id": transaction, "account_id": accounts[pot], "amount": amount, "currency": "USD", "created_at": each["at"]}
        for transaction, each in zip(posted, bought, strict=True)
        for pot, amount in ((pots[0], each["total"]), (pots[1], -each["total"]))
    ])  # fmt: skip


async def play(ctx: Context, world: World) -> None:
    """John buys twice; the first is ready for him."""
    john = ctx.with_viewer(Viewer(JOHN, frozenset({Role.CUSTOMER})))
    clerk = ctx.with_viewer(Viewer(ADMIN, frozenset({Role.SUPER_ADMIN})))
    for turn, products in enumerate([(1, 8), (13,)]):
        items = [PurchaseLine(product_id=str(number), quantity=1) for number in products]  # type: ignore[arg-type]
        bought = await perform(purchase_products, john, {"input": PurchaseInput(items=items)}, key=f"demo purchase {turn}")
        if turn == 0:
            await perform(mark_purchase_ready, clerk, {"id": Key(number=bought.id)}, key="demo purchase ready")
