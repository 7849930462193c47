"""Cards that a provider keeps for a person; only what may be shown of them is stored here."""

from sqlalchemy import Select, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import NotFound
from gateways.stripe import Card
from models.identity import User
from models.keys import Key
from models.payments import Provider, SavedCard
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.operations import SIGNED_IN, allow

CardId = Key[SavedCard]


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
