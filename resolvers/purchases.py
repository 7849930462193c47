"""Buying: products are taken from the stock and paid for, picked up, or given back."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, IdempotencyKeyReused, NotFound, PaymentFailed, Unavailable
from jobs.queue import enqueue
from models.bookings import PaymentStatus
from models.identity import User
from models.keys import Key
from models.notifications import NotificationKind
from models.payments import Payment, PaymentPurpose, SavedCard
from models.scheduling import house_day
from models.shop import PURCHASE_MOVES, Product, Purchase, PurchaseItem, PurchaseStatus
from resolvers.charging import Find, PaymentBegun, begin, charge, settlement_of
from resolvers.context import Context, Viewer
from resolvers.giving_back import give_back
from resolvers.idempotency import answers
from resolvers.inputs.shop import PurchaseFilter, PurchaseInput
from resolvers.inputs.values import parse_text
from resolvers.limits import limit
from resolvers.moves import move
from resolvers.operations import SIGNED_IN, STAFF_ROLES, allow, persistently
from resolvers.payments import CONFIRMATIONS, card_for
from resolvers.purchase_payments import cancel
from resolvers.settling import fail, lock_payment, settle
from resolvers.shop_mails import KEEPERS, tell_about_purchase
from resolvers.stock import note_sale, take
from subscriptions.facts import announce
from subscriptions.shop import PurchaseCollected, PurchasePlaced, PurchaseReady

MOST_LINES, MOST_OF_ONE = 20, 100
PICKUP_DAYS = 60
PATIENCE = timedelta(minutes=30)
"""For so long products are set aside for somebody who has not paid."""
LONGEST_REASON = 500


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """The purchases that a viewer may see: their own, or all for the staff."""
    return true() if viewer.is_staff else Purchase.customer_id == viewer.id


@allow(SIGNED_IN)
def list_my_purchases(ctx: Context) -> Select[Purchase]:
    """The viewer's own purchases, newest first."""
    return select(Purchase).where(Purchase.customer_id == ctx.viewer.id).order_by(Purchase.id.desc())


@allow(SIGNED_IN)
def get_purchase(ctx: Context, *, id: Key[Purchase] | None = None, reference: str | None = None) -> Select[Purchase]:
    """One purchase, by its id or its order number."""
    if (id is None) == (reference is None):
        raise BadUserInput(id="Give either the id or the reference.")
    return select(Purchase).where(visible(ctx.viewer), id.names(Purchase) if id else Purchase.reference == reference)


@allow(*STAFF_ROLES)
def list_purchases(ctx: Context, *, filter: PurchaseFilter | None = None) -> Select[Purchase]:
    """Everybody's purchases, for the staff; the next to be picked up first."""
    found = select(Purchase).order_by(Purchase.pickup_on, Purchase.id)
    if filter is None:
        return found
    if filter.status is not None:
        found = found.where(Purchase.status == filter.status)
    if filter.customer_id is not None:
        customer: Key[User] = Key.parse(filter.customer_id, "customer_id")
        found = found.where(Purchase.customer_id == customer.of(User))
    return found.where(Purchase.pickup_on == filter.pickup_on) if filter.pickup_on is not None else found


@allow(SIGNED_IN)
async def purchase_products(ctx: Context, *, input: PurchaseInput, payment_method_id: str | None = None, pay_now: bool = True) -> Purchase:
    """Buy products and pay by the named card, or the default one; without a card they are set aside for half an hour, to be paid for."""
    if pay_now:
        await limit(ctx, "confirm_payment", CONFIRMATIONS)
    method = await _card(ctx, payment_method_id) if pay_now else None
    purchase = await _place(ctx, input, is_last=method is None)
    if method is None or purchase.payment_status is PaymentStatus.CHARGED:
        return purchase
    if purchase.status is PurchaseStatus.CANCELLED:
        raise PaymentFailed("The purchase was not paid, and is cancelled.")
    # From here on nothing is run again as a whole: that would buy twice.
    key = ctx.call.key if ctx.call else None

    async def conclude(db: AsyncSession, payment: Payment, _: str) -> Purchase:
        paid = await db.get_one(Purchase, purchase.id)
        answers(db, paid)
        return paid

    try:
        await persistently(lambda: begin(ctx, PaymentPurpose.PRODUCT, _locked_by(purchase.id, ctx.viewer)))
        mine = Payment.purchase_id == purchase.id
        bought: Purchase = await persistently(lambda: charge(ctx, mine, method, conclude, key=key or str(uuid4())))
    except (PaymentFailed, BadUserInput):
        await persistently(lambda: _drop(ctx, purchase.id, "The payment was declined."))
        raise
    except Conflict:
        # A repeat whose first try was paid at Stripe, which it did not hear of; or cancelled at the same time.
        bought = await persistently(lambda: _paid(ctx, purchase.id))
    return bought


@allow(SIGNED_IN)
async def create_purchase_intent(ctx: Context, *, id: Key[Purchase], save_card: bool = False) -> PaymentBegun:
    """Begin to pay for a purchase of the viewer's that is not paid yet, or go on."""

    async def find(db: AsyncSession) -> Purchase:
        return await _access(db, Purchase.customer_id == ctx.viewer.id, id.names(Purchase))

    return await begin(ctx, PaymentPurpose.PRODUCT, find, save_card=save_card, answer=answers)


@allow(SIGNED_IN)
async def cancel_purchase(ctx: Context, *, id: Key[Purchase], reason: str | None = None) -> Purchase:
    """Cancel a purchase that was not picked up; its products go back to the shelf, and the money to whoever paid."""
    if reason is not None:
        reason = parse_text(reason, "reason", longest=LONGEST_REASON)
    async with ctx.writing() as db:
        purchase = await _access(db, visible(ctx.viewer), id.names(Purchase))
        await cancel(db, purchase, reason, ctx.now(), actor_id=ctx.viewer.id)
        payment = await lock_payment(db, Payment.purchase_id == purchase.id)
        if payment is not None and payment.status is PaymentStatus.CHARGED:
            await give_back(db, payment, "The purchase was cancelled.")
        await tell_about_purchase(db, purchase, NotificationKind.PURCHASE_CANCELLED)
        answers(db, purchase)
    return purchase


@allow(*KEEPERS)
async def mark_purchase_ready(ctx: Context, *, id: Key[Purchase]) -> Purchase:
    """Say that a purchase can be picked up, and tell its customer."""
    async with ctx.writing() as db:
        purchase = await _access(db, id.names(Purchase))
        await move(db, purchase, PurchaseStatus.READY, PURCHASE_MOVES)
        purchase.ready_at = ctx.now()
        await announce(db, PurchaseReady(purchase))
        await tell_about_purchase(db, purchase, NotificationKind.PURCHASE_READY)
        answers(db, purchase)
    return purchase


@allow(*KEEPERS)
async def mark_purchase_collected(ctx: Context, *, id: Key[Purchase]) -> Purchase:
    """Say that a purchase was picked up."""
    async with ctx.writing() as db:
        purchase = await _access(db, id.names(Purchase))
        await move(db, purchase, PurchaseStatus.COLLECTED, PURCHASE_MOVES)
        purchase.collected_at = ctx.now()
        await announce(db, PurchaseCollected(purchase))
        answers(db, purchase)
    return purchase


async def expire_purchase(ctx: Context, purchase_id: int) -> None:
    """Give the products of a purchase back that nobody has paid for; what Stripe has taken meanwhile counts."""
    pending = Purchase.status == PurchaseStatus.PENDING
    found = await ctx.fetch(
        select(Payment.provider_id)
        .select_from(Purchase)
        .join(Payment, Payment.purchase_id == Purchase.id, isouter=True)
        .where(Purchase.id == purchase_id, pending)
    )
    if not found:
        return
    if (intent_id := found[0]["provider_id"]) is not None:
        try:
            await ctx.gateways.stripe.cancel_intent(intent_id)
        except Conflict:
            present = await ctx.gateways.stripe.get_intent(intent_id)
            if present.status == "processing":
                raise Unavailable("The payment is under way.") from None
            if present.status == "succeeded":
                async with ctx.writing() as db:
                    if payment := await lock_payment(db, Payment.purchase_id == purchase_id):
                        await settle(db, payment, settlement_of(present))
                return
    await _drop(ctx, purchase_id, "It was not paid in time.")


async def _place(ctx: Context, input: PurchaseInput, *, is_last: bool) -> Purchase:
    """Take the products and write the purchase, in one transaction; under a key that was used before, the purchase of that time."""
    wanted = await _wanted(ctx, input)
    [[today]] = await ctx.fetch(select(house_day(ctx.moment())))
    pickup_on = _pickup(input.pickup_on, today)
    asked_as = f"{ctx.call.scope} {ctx.call.key}" if ctx.call and ctx.call.key else None
    async with ctx.writing() as db:
        known = await db.scalar(select(Purchase).where(Purchase.asked_as == asked_as)) if asked_as else None
        if known and await _items(db, known.id) != wanted:
            raise IdempotencyKeyReused
        purchase = known or await _write(db, ctx, wanted, pickup_on, asked_as)
        if is_last or purchase.payment_status is PaymentStatus.CHARGED:
            answers(db, purchase)
    return purchase


async def _write(db: AsyncSession, ctx: Context, wanted: dict[int, int], pickup_on: date, asked_as: str | None) -> Purchase:
    taken = await take(db, wanted)
    if len({each.currency for each in taken}) > 1:
        raise BadUserInput(items="These products are sold in different currencies. Buy them apart.")
    total = sum((each.price * wanted[each.id] for each in taken), Decimal(0))
    purchase = Purchase(customer_id=ctx.viewer.id, total_amount=total, currency=taken[0].currency, pickup_on=pickup_on, asked_as=asked_as)
    db.add(purchase)
    await db.flush()
    items = [
        PurchaseItem(purchase_id=purchase.id, product_id=each.id, name=each.name, price=each.price, quantity=wanted[each.id])
        for each in taken
    ]
    db.add_all(items)
    await note_sale(db, purchase, items, taken, ctx.viewer.id)
    await announce(db, PurchasePlaced(purchase))
    await enqueue(db, "expire_purchase", {"purchase_id": purchase.id}, after=PATIENCE)
    return purchase


async def _items(db: AsyncSession, purchase_id: int) -> dict[int, int]:
    rows = await db.execute(select(PurchaseItem.product_id, PurchaseItem.quantity).where(PurchaseItem.purchase_id == purchase_id))
    return {product_id: quantity for product_id, quantity in rows}


async def _wanted(ctx: Context, input: PurchaseInput) -> dict[int, int]:
    """How many of which product; a product that is named twice counts once."""
    if not 0 < len(input.items) <= MOST_LINES:
        raise BadUserInput(items=f"Give 1 to {MOST_LINES} lines.")
    if any(not 0 < each.quantity <= MOST_OF_ONE for each in input.items):
        raise BadUserInput(quantity=f"Give 1 to {MOST_OF_ONE}.")
    keys: list[Key[Product]] = [Key.parse(each.product_id, "product_id") for each in input.items]
    rows = await ctx.fetch(select(Product.id, Product.uuid).where(Product.is_active, or_(*[each.names(Product) for each in keys])))
    numbers = {name: row["id"] for row in rows for name in (row["id"], row["uuid"])}
    wanted: Counter[int] = Counter()
    for key, line in zip(keys, input.items, strict=True):
        number = numbers.get(key.uuid or key.number)
        if number is None:
            raise NotFound("There is no such product.")
        wanted[number] += line.quantity
    return dict(wanted)


def _pickup(asked: date | None, today: date) -> date:
    if asked is None:
        return today + timedelta(days=1)
    if not today <= asked <= today + timedelta(days=PICKUP_DAYS):
        raise BadUserInput(pickup_on=f"Choose a day from today, within {PICKUP_DAYS} days.")
    return asked


async def _card(ctx: Context, named: str | None) -> str | None:
    """The card to charge; none where nobody named one and none is saved."""
    saved = select(SavedCard.id).where(SavedCard.user_id == ctx.viewer.id, SavedCard.is_default)
    return await card_for(ctx, named) if named is not None or await ctx.fetch(saved) else None


def _locked_by(purchase_id: int, viewer: Viewer) -> Find:
    async def find(db: AsyncSession) -> Purchase:
        return await _access(db, Purchase.id == purchase_id, Purchase.customer_id == viewer.id)

    return find


async def _access(db: AsyncSession, *which: ColumnElement[bool]) -> Purchase:
    purchase = await db.scalar(select(Purchase).where(*which).with_for_update(key_share=True))
    if purchase is None:
        raise NotFound
    return purchase


async def _paid(ctx: Context, purchase_id: int) -> Purchase:
    async with ctx.writing() as db:
        purchase = await _access(db, Purchase.id == purchase_id)
        if purchase.payment_status is not PaymentStatus.CHARGED:
            raise Conflict(f"The purchase is {purchase.status}.")
        answers(db, purchase)
    return purchase


async def _drop(ctx: Context, purchase_id: int, reason: str) -> None:
    """Cancel a purchase that was not paid; nothing happens to one that was, or that is cancelled already."""
    async with ctx.writing() as db:
        purchase = await _access(db, Purchase.id == purchase_id)
        if purchase.status is not PurchaseStatus.PENDING:
            return
        await cancel(db, purchase, reason, ctx.now(), actor_id=ctx.viewer.user_id)
        if payment := await lock_payment(db, Payment.purchase_id == purchase_id):
            await fail(db, payment, reason)
