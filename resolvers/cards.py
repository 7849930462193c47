"""Cards that a provider keeps for a person; only what may be shown of them is stored here."""

import re
from dataclasses import dataclass

from sqlalchemy import Select, and_, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, NotFound
from gateways.stripe_objects import Card, Setup
from models.identity import User
from models.keys import Key
from models.payments import Provider, ProviderCustomer, SavedCard
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.limits import limit
from resolvers.operations import SIGNED_IN, allow

CardId = Key[SavedCard]
SETUPS = "20/hour"
"""Enough for anybody's cards, too few for trying stolen ones."""
SETUP, METHOD = re.compile(r"seti_[A-Za-z0-9_]{1,200}"), re.compile(r"pm_[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True)
class SetupBegun:
    """What a client needs to save a card without paying."""

    setup_intent_id: str
    client_secret: str


@dataclass(frozen=True)
class CardSaved:
    """What became of saving a card, in Stripe's word; the secret is there while the client has to act."""

    status: str
    card: SavedCard | None
    client_secret: str | None


@allow(SIGNED_IN)
def list_my_saved_cards(ctx: Context) -> Select[SavedCard]:
    """The viewer's saved cards, the default first."""
    return _mine(ctx).order_by(SavedCard.is_default.desc(), SavedCard.id.desc())


@allow(SIGNED_IN)
async def set_default_card(ctx: Context, *, id: CardId) -> SavedCard:
    """Choose the card that is charged unless another is named."""
    async with ctx.writing() as db:
        await _lock_cards(db, ctx.viewer.id)
        card = await db.scalar(_mine(ctx).where(id.names(SavedCard)))
        if card is None:
            raise NotFound
        await _make_default(db, card)
        answers(db, card)
    return card


@allow(SIGNED_IN)
async def remove_card(ctx: Context, *, id: CardId) -> list[SavedCard]:
    """Forget a card, here and at the provider; answers the cards that are left."""
    found = await ctx.fetch(select(SavedCard.provider_id).where(SavedCard.user_id == ctx.viewer.id, id.names(SavedCard)))
    if not found:
        raise NotFound
    await ctx.gateways.stripe.detach_card(found[0]["provider_id"])
    async with ctx.writing() as db:
        await _lock_cards(db, ctx.viewer.id)
        card = await db.scalar(_mine(ctx).where(id.names(SavedCard)))
        if card is not None:
            await db.delete(card)
            await db.flush()
        left = list(await db.scalars(_mine(ctx).order_by(SavedCard.is_default.desc(), SavedCard.id.desc())))
        if left and not left[0].is_default:
            await _make_default(db, left[0])
        answers(db, left)
    return left


@allow(SIGNED_IN)
async def create_setup_intent(ctx: Context) -> SetupBegun:
    """Begin to save a card without paying; the client completes it with the secret, or names a card in confirmSetup."""
    await limit(ctx, "create_setup_intent", SETUPS)
    customer = await customer_of(ctx)
    setup = await ctx.gateways.stripe.create_setup(customer)
    async with ctx.writing() as db:
        begun = SetupBegun(setup.id, setup.client_secret)
        answers(db, begun)
    return begun


@allow(SIGNED_IN)
async def confirm_setup(ctx: Context, *, setup_intent_id: str, payment_method_id: str | None = None) -> CardSaved:
    """Save the card that a setup was completed with, or this one; where the bank asks its owner, the client secret says how to go on."""
    if not SETUP.fullmatch(setup_intent_id):
        raise NotFound
    if payment_method_id is not None and not METHOD.fullmatch(payment_method_id):
        raise BadUserInput(payment_method_id="This is not a payment method's id.")
    await limit(ctx, "create_setup_intent", SETUPS)
    setup = await _my_setup(ctx, setup_intent_id)
    if payment_method_id is not None and setup.status != "succeeded":
        setup = await ctx.gateways.stripe.confirm_setup(setup.id, payment_method_id)
    async with ctx.writing() as db:
        card = None
        if setup.status == "succeeded" and setup.card:
            await keep_card(db, ctx.viewer.id, Provider.STRIPE, setup.card)
            card = await db.scalar(_mine(ctx).where(SavedCard.provider_id == setup.card.id))
        saved = CardSaved(setup.status, card, None if card else setup.client_secret)
        answers(db, saved)
    return saved


async def customer_of(ctx: Context) -> str:
    """The viewer as Stripe knows them; made there when they are not known yet."""
    found = await ctx.fetch(
        select(User.uuid, ProviderCustomer.provider_id)
        .join(ProviderCustomer, and_(ProviderCustomer.user_id == User.id, ProviderCustomer.provider == Provider.STRIPE), isouter=True)
        .where(User.id == ctx.viewer.id)
    )
    if found[0]["provider_id"] is not None:
        return str(found[0]["provider_id"])
    customer = await ctx.gateways.stripe.create_customer(str(found[0]["uuid"]))
    async with ctx.writing() as db:
        known = insert(ProviderCustomer).values(user_id=ctx.viewer.id, provider=Provider.STRIPE, provider_id=customer)
        await db.execute(known.on_conflict_do_nothing())
    return customer


async def _my_setup(ctx: Context, id: str) -> Setup:
    """A setup of the viewer's; anybody else's is as unknown as none."""
    mine = select(ProviderCustomer.provider_id).where(
        ProviderCustomer.user_id == ctx.viewer.id, ProviderCustomer.provider == Provider.STRIPE
    )
    customers = {row["provider_id"] for row in await ctx.fetch(mine)}
    try:
        setup = await ctx.gateways.stripe.get_setup(id)
    except BadUserInput:
        raise NotFound from None
    if setup.customer not in customers:
        raise NotFound
    return setup


async def keep_card(db: AsyncSession, user_id: int, provider: Provider, card: Card) -> None:
    """Note a card that the provider keeps; a person's first one is the default."""
    await _lock_cards(db, user_id)
    has_default = await db.scalar(select(exists().where(SavedCard.user_id == user_id, SavedCard.is_default)))
    row = SavedCard(
        user_id=user_id,
        provider=provider,
        provider_id=card.id,
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        is_default=not has_default,
    )
    known = select(exists().where(SavedCard.user_id == user_id, SavedCard.provider == provider, SavedCard.provider_id == card.id))
    if not await db.scalar(known):
        db.add(row)
        await db.flush()


async def _make_default(db: AsyncSession, card: SavedCard) -> None:
    others = update(SavedCard).where(SavedCard.user_id == card.user_id, SavedCard.is_default, SavedCard.id != card.id)
    await db.execute(others.values(is_default=False))
    card.is_default = True
    await db.flush()


async def _lock_cards(db: AsyncSession, user_id: int) -> None:
    """One default at most: let one transaction at a time deal with a person's cards."""
    await db.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


def _mine(ctx: Context) -> Select[SavedCard]:
    return select(SavedCard).where(SavedCard.user_id == ctx.viewer.id)
