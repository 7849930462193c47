"""Saved cards: kept on wish, one default, forgotten everywhere."""

import asyncio

import pytest
from sqlalchemy import select

from errors import BadUserInput, NotFound
from models.database import Database
from models.identity import User
from models.keys import Key
from models.payments import SavedCard
from resolvers.cards import remove_card, set_default_card
from resolvers.context import Context
from resolvers.operations import perform
from tests.paying import begin, by, confirm, make_booking
from tests.worlds import make_person


async def save(world: Context, database: Database, person: User, method: str) -> None:
    begun = await begin(by(world, person), await make_booking(database, person), save_card=True)
    await confirm(by(world, person), begun.payment_intent_id, method)


async def cards(database: Database) -> list[tuple[str, bool]]:
    async with database.sessions() as db:
        return [(each.last4, each.is_default) for each in await db.scalars(select(SavedCard).order_by(SavedCard.id))]


async def test_the_first_card_is_the_default_until_another_is_chosen(world: Context, database: Database, ann: User) -> None:
    await save(world, database, ann, "pm_card_visa")
    await save(world, database, ann, "pm_card_mastercard")
    assert await cards(database) == [("4242", True), ("4444", False)]
    await perform(set_default_card, by(world, ann), {"id": Key(number=2)})
    assert await cards(database) == [("4242", False), ("4444", True)]


async def test_two_first_cards_at_once_leave_one_default(world: Context, database: Database, ann: User) -> None:
    await asyncio.gather(*(save(world, database, ann, each) for each in ("pm_card_visa", "pm_card_mastercard", "pm_card_amex")))
    assert sorted(default for _, default in await cards(database)) == [False, False, True]


async def test_the_default_card_pays_when_none_is_named(world: Context, database: Database, ann: User) -> None:
    begun = await begin(by(world, ann), await make_booking(database, ann))
    with pytest.raises(BadUserInput) as refused:
        await confirm(by(world, ann), begun.payment_intent_id, None)
    assert list(refused.value.fields) == ["payment_method_id"]
    await save(world, database, ann, "pm_card_amex")
    again = await begin(by(world, ann), await make_booking(database, ann))
    assert (await confirm(by(world, ann), again.payment_intent_id, None)).payment.method == "amex •••• 0005"


async def test_a_removed_card_is_gone_here_and_at_stripe(world: Context, database: Database, ann: User) -> None:
    await save(world, database, ann, "pm_card_visa")
    await save(world, database, ann, "pm_card_mastercard")
    async with database.sessions() as db:
        visa = await db.get_one(SavedCard, 1)
    left = await perform(remove_card, by(world, ann), {"id": Key(number=1)})
    assert [(each.last4, each.is_default) for each in left] == [("4444", True)]
    begun = await begin(by(world, ann), await make_booking(database, ann))
    with pytest.raises(BadUserInput):
        await confirm(by(world, ann), begun.payment_intent_id, visa.provider_id)
    with pytest.raises(NotFound):
        await perform(remove_card, by(world, ann), {"id": Key(number=1)})


async def test_a_foreign_card_is_as_unknown_as_none(world: Context, database: Database, ann: User) -> None:
    await save(world, database, ann, "pm_card_visa")
    eve = by(world, await make_person(database, "eve"))
    for operation in (remove_card, set_default_card):
        with pytest.raises(NotFound):
            await perform(operation, eve, {"id": Key(number=1)})
    assert await cards(database) == [("4242", True)]


async def test_a_foreign_card_does_not_pay(world: Context, database: Database, ann: User) -> None:
    await save(world, database, ann, "pm_card_visa")
    eve = await make_person(database, "eve")
    async with database.sessions() as db:
        visa = await db.get_one(SavedCard, 1)
    begun = await begin(by(world, eve), await make_booking(database, eve))
    with pytest.raises(BadUserInput, match="another Customer"):
        await confirm(by(world, eve), begun.payment_intent_id, visa.provider_id)
