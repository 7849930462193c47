"""The shop: nobody buys what is not there, money and stock go together, and what is given back is on the shelf again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from errors import BadUserInput, Conflict, Forbidden, IdempotencyKeyReused, NotFound, OutOfStock, PaymentFailed
from gateways.all import open_gateways
from gateways.stripe import Wire, lost
from models.bookings import PaymentStatus
from models.database import Database
from models.history import Change
from models.identity import Role, User
from models.keys import Key
from models.ledger import Account, Entry
from models.notifications import Notification, OutboxMessage
from models.payments import Payment, Refund
from models.shop import Product, Purchase, PurchaseItem, PurchaseStatus, StockChange
from resolvers import payments, purchases, refunds, shop
from resolvers.context import Context
from resolvers.inputs.shop import ProductInput, ProductPatch
from resolvers.shop_mails import mail_about_purchase, tell_staff_of_low_stock
from settings import Settings
from tests.members import run_jobs
from tests.paying import announced, by, count, hook, posted, queued, simulator
from tests.people import call
from tests.shopping import buy, make_product, purchase_now, save_card, stock_of
from tests.worlds import make_person


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def ann(database: Database, world: Context) -> Context:
    person = await make_person(database)
    await save_card(database, person)
    return by(world, person)


@pytest.fixture
async def clerk(database: Database, world: Context) -> Context:
    return by(world, await make_person(database, "clerk", Role.ADMIN), Role.ADMIN)


@pytest.fixture
async def serum(database: Database) -> Product:
    return await make_product(database)


def of(purchase: Purchase) -> dict[str, Any]:
    return {"id": Key(number=purchase.id)}


async def test_several_products_are_bought_and_paid_for_together(database: Database, ann: Context, serum: Product) -> None:
    oil = await make_product(database, "Beard Oil", price="24.50", stock=3)
    bought = await buy(ann, (serum, 2), (oil, 3))
    assert (bought.total_amount, bought.payment_status, bought.status) == (
        Decimal("251.50"),
        PaymentStatus.CHARGED,
        PurchaseStatus.CONFIRMED,
    )
    assert bought.reference == f"ORD-{datetime.now(UTC).year}-{bought.id}"
    assert bought.pickup_on == datetime.now(UTC).date() + timedelta(days=1)
    assert (await stock_of(database, serum), await stock_of(database, oil)) == (8, 0)
    assert await announced(database) == ["purchase.placed", "purchase.paid"]
    async with database.sessions() as db:
        rows = await db.execute(
            select(Account.kind, Account.name, Entry.amount).join(Entry, Entry.account_id == Account.id).order_by(Entry.amount)
        )
        assert [tuple(map(str, row)) for row in rows] == [("revenue", "product", "-251.50"), ("provider_clearing", "stripe", "251.50")]
        changed = await db.scalar(select(func.count()).where(Change.table_name == "purchases", Change.row_id == bought.id))
    assert changed
    assert "mail_about_purchase" in await queued(database)


async def test_a_product_that_is_named_twice_counts_once(database: Database, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 1), (serum, 2))
    assert bought.total_amount == Decimal("267.00")
    assert await stock_of(database, serum) == 7


async def test_two_hundred_buyers_get_the_twenty_that_are_there(database: Database, world: Context) -> None:
    scarce = await make_product(database, stock=20)
    people = [await make_person(database, f"buyer{number}") for number in range(200)]
    got = await asyncio.gather(*(buy(by(world, each), (scarce, 1)) for each in people), return_exceptions=True)
    assert sum(isinstance(each, Purchase) for each in got) == 20
    assert {type(each) for each in got} == {Purchase, OutOfStock}
    assert await stock_of(database, scarce) == 0
    assert await count(database, Purchase) == 20


async def test_buyers_of_the_same_products_in_another_order_never_deadlock(database: Database, world: Context) -> None:
    one, other = await make_product(database, "One", stock=30), await make_product(database, "Other", stock=30)
    people = [await make_person(database, f"buyer{number}") for number in range(40)]
    baskets = [((one, 1), (other, 1)) if number % 2 else ((other, 1), (one, 1)) for number in range(40)]
    got = await asyncio.gather(
        *(buy(by(world, each), *basket) for each, basket in zip(people, baskets, strict=True)), return_exceptions=True
    )
    assert sum(isinstance(each, Purchase) for each in got) == 30
    assert (await stock_of(database, one), await stock_of(database, other)) == (0, 0)


async def test_nothing_is_taken_when_one_of_the_products_is_missing(database: Database, ann: Context, serum: Product) -> None:
    rare = await make_product(database, "Rare", stock=1)
    with pytest.raises(OutOfStock, match="Only 1 of Rare") as refused:
        await buy(ann, (serum, 1), (rare, 2))
    assert refused.value.details == {"product_id": rare.id, "available": 1}
    assert (await stock_of(database, serum), await stock_of(database, rare)) == (10, 1)
    assert await count(database, Purchase) == 0


@pytest.mark.parametrize("quantity", [0, -1, 101])
async def test_quantities_are_sensible(ann: Context, serum: Product, quantity: int) -> None:
    with pytest.raises(BadUserInput) as refused:
        await buy(ann, (serum, quantity))
    assert list(refused.value.fields) == ["quantity"]


@pytest.mark.parametrize("days", [-1, 61])
async def test_a_purchase_is_picked_up_soon(ann: Context, serum: Product, days: int) -> None:
    with pytest.raises(BadUserInput) as refused:
        await buy(ann, (serum, 1), pickup_on=date.today() + timedelta(days=days))
    assert list(refused.value.fields) == ["pickup_on"]


async def test_what_is_not_on_sale_is_as_unknown_as_nothing(database: Database, ann: Context) -> None:
    gone = await make_product(database, "Gone", is_active=False)
    with pytest.raises(NotFound):
        await buy(ann, (gone, 1))
    gone.id = 999_999
    with pytest.raises(NotFound):
        await buy(ann, (gone, 1))


async def test_a_declined_card_buys_nothing(database: Database, world: Context, serum: Product) -> None:
    bob = await make_person(database, "bob")
    with pytest.raises(PaymentFailed):
        await buy(by(world, bob), (serum, 4), payment_method_id="pm_card_chargeDeclined")
    assert await stock_of(database, serum) == 10
    async with database.sessions() as db:
        purchase = (await db.scalars(select(Purchase))).one()
    assert (purchase.status, purchase.payment_status) == (PurchaseStatus.CANCELLED, PaymentStatus.FAILED)
    assert await posted(database) == []


async def test_the_same_key_buys_once(database: Database, ann: Context, serum: Product) -> None:
    first = await buy(ann, (serum, 2), key="once")
    again = await asyncio.gather(*(buy(ann, (serum, 2), key="once") for _ in range(3)))
    assert {each.id for each in again} == {first.id}
    assert await stock_of(database, serum) == 8
    with pytest.raises(IdempotencyKeyReused):
        await buy(ann, (serum, 3), key="once")


async def test_a_repeat_goes_on_where_the_answer_got_lost(
    database: Database, ann: Context, serum: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe took the money, and nobody heard of it."""
    real = Wire.request_async

    async def cut(self: Wire, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        answer = await real(self, method, url, headers, post_data)
        if url.endswith("/confirm"):
            raise lost(ConnectionError())
        return answer

    monkeypatch.setattr(Wire, "request_async", cut)
    with pytest.raises(Exception, match="does not answer"):
        await buy(ann, (serum, 2), key="once")
    monkeypatch.setattr(Wire, "request_async", real)
    bought = await buy(ann, (serum, 2), key="once")
    assert (await purchase_now(database, bought)).payment_status is PaymentStatus.CHARGED
    assert await count(database, Purchase) == 1
    assert await stock_of(database, serum) == 8
    assert sorted(await posted(database)) == [Decimal("-178.00"), Decimal("178.00")]


async def test_a_bank_that_asks_its_customer_is_waited_for(database: Database, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 1), payment_method_id="pm_card_authenticationRequired")
    assert (bought.status, bought.payment_status) == (PurchaseStatus.PENDING, PaymentStatus.PENDING)
    begun = await call(purchases.create_purchase_intent, ann, **of(bought))
    assert (await ann.gateways.stripe.get_intent(begun.payment_intent_id)).status == "requires_action"
    held = await simulator(ann).pay(begun.payment_intent_id, "pm_card_visa", fails=False, hold=True)
    await hook(ann, held["webhook"]["body"], held["webhook"]["headers"])
    assert (await purchase_now(database, bought)).status is PurchaseStatus.CONFIRMED


async def test_without_a_card_products_are_set_aside_and_paid_for_later(database: Database, world: Context, serum: Product) -> None:
    bob = by(world, await make_person(database, "bob"))
    bought = await buy(bob, (serum, 2))
    assert (bought.status, bought.payment_status) == (PurchaseStatus.PENDING, PaymentStatus.PENDING)
    begun = await call(purchases.create_purchase_intent, bob, **of(bought))
    assert (begun.amount, begun.currency) == (17800, "usd")
    await call(payments.confirm_payment, bob, payment_intent_id=begun.payment_intent_id, payment_method_id="pm_card_visa")
    assert (await purchase_now(database, bought)).status is PurchaseStatus.CONFIRMED
    with pytest.raises(Conflict):
        await call(purchases.create_purchase_intent, bob, **of(bought))


async def test_what_is_not_paid_in_time_goes_back_to_the_shelf(database: Database, world: Context, serum: Product) -> None:
    bob = by(world, await make_person(database, "bob"))
    bought = await buy(bob, (serum, 2))
    begun = await call(purchases.create_purchase_intent, bob, **of(bought))
    for _ in range(2):
        await purchases.expire_purchase(world, bought.id)
    assert (await purchase_now(database, bought)).status is PurchaseStatus.CANCELLED
    assert await stock_of(database, serum) == 10
    assert (await world.gateways.stripe.get_intent(begun.payment_intent_id)).status == "canceled"


async def test_money_that_came_before_the_time_was_over_counts(database: Database, world: Context, serum: Product) -> None:
    bob = by(world, await make_person(database, "bob"))
    bought = await buy(bob, (serum, 2))
    begun = await call(purchases.create_purchase_intent, bob, **of(bought))
    await simulator(world).pay(begun.payment_intent_id, "pm_card_visa", fails=False, hold=True)
    await purchases.expire_purchase(world, bought.id)
    now = await purchase_now(database, bought)
    assert (now.status, now.payment_status) == (PurchaseStatus.CONFIRMED, PaymentStatus.CHARGED)
    assert await stock_of(database, serum) == 8


async def test_money_for_what_was_cancelled_goes_back(database: Database, world: Context, serum: Product) -> None:
    bob = by(world, await make_person(database, "bob"))
    bought = await buy(bob, (serum, 2))
    begun = await call(purchases.create_purchase_intent, bob, **of(bought))
    held = await simulator(world).pay(begun.payment_intent_id, "pm_card_visa", fails=False, hold=True)
    await call(purchases.cancel_purchase, bob, **of(bought))
    await hook(world, held["webhook"]["body"], held["webhook"]["headers"])
    await _finish_refunds(database, world)
    now = await purchase_now(database, bought)
    assert (now.status, now.payment_status) == (PurchaseStatus.CANCELLED, PaymentStatus.REFUNDED)
    assert await stock_of(database, serum) == 10
    assert sum(await posted(database)) == 0


async def test_a_cancelled_purchase_gives_stock_and_money_back_once(
    database: Database, world: Context, ann: Context, serum: Product
) -> None:
    bought = await buy(ann, (serum, 2))
    done = await asyncio.gather(
        *(call(purchases.cancel_purchase, ann, reason="Changed my mind", **of(bought)) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, Purchase) for each in done) == 1
    assert {type(each) for each in done} == {Purchase, Conflict}
    assert await stock_of(database, serum) == 10
    await _finish_refunds(database, world)
    now = await purchase_now(database, bought)
    assert (now.status, now.payment_status) == (PurchaseStatus.CANCELLED, PaymentStatus.REFUNDED)
    assert sorted(await posted(database)) == [Decimal("-178.00"), Decimal("-178.00"), Decimal("178.00"), Decimal("178.00")]


async def test_a_refund_by_staff_puts_what_was_not_picked_up_back(database: Database, clerk: Context, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 2))
    async with database.sessions() as db:
        payment = (await db.scalars(select(Payment).where(Payment.purchase_id == bought.id))).one()
    await call(refunds.refund_payment, clerk, id=Key(number=payment.id), amount=Decimal("10.00"))
    assert (await purchase_now(database, bought)).status is PurchaseStatus.CONFIRMED
    await call(refunds.refund_payment, clerk, id=Key(number=payment.id))
    now = await purchase_now(database, bought)
    assert (now.status, now.payment_status) == (PurchaseStatus.CANCELLED, PaymentStatus.REFUNDED)
    assert await stock_of(database, serum) == 10


async def test_a_purchase_is_made_ready_and_picked_up(database: Database, clerk: Context, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 1))
    with pytest.raises(Forbidden):
        await call(purchases.mark_purchase_ready, ann, **of(bought))
    await call(purchases.mark_purchase_ready, clerk, **of(bought))
    collected = await call(purchases.mark_purchase_collected, clerk, **of(bought))
    assert collected.ready_at
    assert collected.collected_at
    with pytest.raises(Conflict):
        await call(purchases.cancel_purchase, ann, **of(bought))
    assert (await announced(database))[-2:] == ["purchase.ready", "purchase.collected"]


async def test_what_is_not_paid_is_not_handed_out(database: Database, world: Context, clerk: Context, serum: Product) -> None:
    bought = await buy(by(world, await make_person(database, "bob")), (serum, 1))
    for operation in (purchases.mark_purchase_ready, purchases.mark_purchase_collected):
        with pytest.raises(Conflict):
            await call(operation, clerk, **of(bought))


async def test_a_foreign_purchase_is_as_unknown_as_none(database: Database, world: Context, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 1))
    eve = by(world, await make_person(database, "eve"))
    for operation in (purchases.cancel_purchase, purchases.create_purchase_intent):
        with pytest.raises(NotFound):
            await call(operation, eve, **of(bought))


async def test_customers_are_told_once_of_each_news(database: Database, world: Context, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 2))
    for _ in range(2):
        await mail_about_purchase(world, bought.id, "purchase_confirmed")
    await run_jobs(world, "send_notification")
    async with database.sessions() as db:
        [mail] = (await db.scalars(select(OutboxMessage))).all()
    assert mail.subject == f"Your order {bought.reference} is confirmed"
    assert "2 x Premium Face Serum, 178.00 USD" in mail.body


async def test_who_wants_no_mails_finds_it_in_the_app_alone(database: Database, world: Context, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 1))
    async with database.sessions.begin() as db:
        await db.execute(update(User).values(email_notifications=False))
    await mail_about_purchase(world, bought.id, "purchase_confirmed")
    await run_jobs(world, "send_notification")
    async with database.sessions() as db:
        assert (await db.scalars(select(Notification.title))).all() == ["Order confirmed"]
        assert (await db.scalars(select(OutboxMessage))).all() == []


async def test_staff_are_told_once_when_a_product_runs_low(database: Database, world: Context, clerk: Context, ann: Context) -> None:
    scarce = await make_product(database, stock=7)
    await make_person(database, "money", Role.FINANCE)
    for _ in range(3):
        await buy(ann, (scarce, 1))
    assert (await announced(database)).count("product.low") == 1
    async with database.sessions() as db:
        changes = (await db.scalars(select(StockChange).where(StockChange.stock == 5))).all()
    for _ in range(2):
        await tell_staff_of_low_stock(world, changes[0].id)
    await run_jobs(world, "send_notification")
    async with database.sessions() as db:
        [mail] = (await db.scalars(select(OutboxMessage))).all()
    assert (mail.to, mail.subject) == ("clerk@example.com", "Premium Face Serum runs low")


async def test_staff_put_products_on_sale_receive_and_count_them(database: Database, clerk: Context, ann: Context) -> None:
    wanted = ProductInput(name="Hand Cream", category="skincare", price=Decimal("18.00"))
    cream = await call(shop.create_product, clerk, input=wanted)
    twin = await call(shop.create_product, clerk, input=ProductInput(name="Hand Cream", category="skincare", price=Decimal("18.00")))
    assert (cream.slug, twin.slug, cream.stock) == ("hand-cream", "hand-cream-2", 0)
    id: Key[Product] = Key(number=cream.id)
    await call(shop.receive_stock, clerk, id=id, quantity=12, note="Delivery 44")
    await call(shop.correct_stock, clerk, id=id, counted=11)
    assert await stock_of(database, cream) == 11
    await call(shop.update_product, clerk, id=id, patch=ProductPatch(price=Decimal("20.00"), is_active=False))
    with pytest.raises(NotFound):
        await buy(ann, (cream, 1))
    for operation, arguments in ((shop.receive_stock, {"id": id, "quantity": 1}), (shop.create_product, {"input": wanted})):
        with pytest.raises(Forbidden):
            await call(operation, ann, **arguments)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"name": " "}, "name"), ({"category": "Skin Care!"}, "category"), ({"price": Decimal(0)}, "price"), ({"low_stock": -1}, "low_stock")],
)
async def test_bad_products_are_refused(clerk: Context, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await call(
            shop.create_product, clerk, input=ProductInput(**{"name": "Cream", "category": "skincare", "price": Decimal(5), **wrong})
        )
    assert list(refused.value.fields) == [field]


async def test_the_price_that_was_paid_stays(database: Database, clerk: Context, ann: Context, serum: Product) -> None:
    bought = await buy(ann, (serum, 1))
    await call(shop.update_product, clerk, id=Key(number=serum.id), patch=ProductPatch(price=Decimal("99.00"), name="Better Serum"))
    async with database.sessions() as db:
        [item] = (await db.scalars(select(PurchaseItem).where(PurchaseItem.purchase_id == bought.id))).all()
    assert (item.name, item.price) == ("Premium Face Serum", Decimal("89.00"))


async def _finish_refunds(database: Database, world: Context) -> None:
    async with database.sessions() as db:
        waiting = list(await db.scalars(select(Refund.id)))
    for each in waiting:
        await refunds.finish_refund(world, each)
