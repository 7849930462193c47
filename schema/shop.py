"""What clients see of the shop: products, purchases, and for staff the stock."""

from datetime import date, datetime
from decimal import Decimal

import strawberry

from models import shop as tables
from models.bookings import PaymentStatus
from models.shop import PurchaseStatus, StockCause
from resolvers import purchases, shop
from schema.fields import Connection, Record, column, expression, operation, related, shows
from schema.identity import Person
from schema.payments import Payment, PaymentBegun


@shows(tables.Product)
class Product(Record):
    """Something that can be bought and taken home."""

    name: str
    slug: str
    description: str
    category: str
    price: Decimal
    currency: str
    image: str | None
    in_stock: bool = expression(lambda product: product.stock > 0, "Whether it can be bought now.")
    is_featured: bool


@shows(tables.PurchaseItem)
class PurchaseItem:
    """Some of one product as they were bought."""

    name: str
    price: Decimal
    quantity: int
    product: Product = related("product")


@shows(tables.Purchase)
class Purchase(Record):
    """Products that a customer bought together, to be picked up on a day."""

    reference: str
    status: PurchaseStatus
    payment_status: PaymentStatus
    total_amount: Decimal
    currency: str
    pickup_on: date
    ready_at: datetime | None
    collected_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str | None
    items: list[PurchaseItem] = related("items")
    payment: Payment | None = related("payment")
    customer: Person = related("customer")


@shows(tables.Product)
class StockedProduct(Record):
    """A product as staff see it, with its stock."""

    name: str
    slug: str
    category: str
    price: Decimal
    currency: str
    stock: int
    low_stock: int
    is_low: bool = expression(lambda product: product.stock <= product.low_stock, "Whether it is time to order more.")
    is_featured: bool
    is_active: bool


@shows(tables.StockChange)
class StockChange(Record):
    """Some of a product came in or went out."""

    change: int
    stock: int
    cause: StockCause
    note: str | None
    product: StockedProduct = related("product")
    purchase_reference: str | None = column("purchase.reference")


@strawberry.type
class ShopQueries:
    """Reading the shop."""

    products: Connection[Product] = operation(shop.list_products)
    product: Product = operation(shop.get_product)
    my_purchases: Connection[Purchase] = operation(purchases.list_my_purchases)
    purchase: Purchase = operation(purchases.get_purchase)
    purchases: Connection[Purchase] = operation(purchases.list_purchases)
    stock: Connection[StockedProduct] = operation(shop.list_stock)
    stock_changes: Connection[StockChange] = operation(shop.list_stock_changes)


@strawberry.type
class ShopMutations:
    """Buying, and keeping the shop."""

    purchase_products: Purchase = operation(purchases.purchase_products)
    create_purchase_intent: PaymentBegun = operation(purchases.create_purchase_intent)
    cancel_purchase: Purchase = operation(purchases.cancel_purchase)
    mark_purchase_ready: Purchase = operation(purchases.mark_purchase_ready)
    mark_purchase_collected: Purchase = operation(purchases.mark_purchase_collected)
    create_product: StockedProduct = operation(shop.create_product)
    update_product: StockedProduct = operation(shop.update_product)
    receive_stock: StockedProduct = operation(shop.receive_stock)
    correct_stock: StockedProduct = operation(shop.correct_stock)
