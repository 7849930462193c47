"""Saved cards: kept on wish, one default, forgotten everywhere."""

import asyncio

import pytest
from sqlalchemy import select

from errors import BadUserInput, Conflict, NotFound, PaymentFailed
from models.database import Database
from models.identity import User
from models.keys import Key
from models.payments import SavedCard
from resolvers.cards import CardSaved, SetupBegun, confirm_setup, create_setup_intent, remove_card, set_default_card
from resolvers.context import Context
from resolvers.operations import perform
from tests.paying import begin, by, confirm, events, hook, make_booking, simulator
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


async def set_up(world: Context, person: User) -> str:
    begun: SetupBegun = await perform(create_setup_intent, by(world, person), {})
    assert begun.client_secret.startswith(f"{begun.setup_intent_id}_secret_")
    return begun.setup_intent_id


async def finish(world: Context, person: User, setup: str, method: str | None = None) -> CardSaved:
    saved: CardSaved = await perform(confirm_setup, by(world, person), {"setup_intent_id": setup, "payment_method_id": method})
    return saved


async def test_a_card_is_saved_without_paying_and_charged_when_its_owner_is_away(world: Context, database: Database, ann: User) -> None:
    setup = await set_up(world, ann)
    saved = await finish(world, ann, setup, "pm_card_mastercard")
    assert (saved.status, saved.client_secret) == ("succeeded", None)
    assert saved.card
    assert await cards(database) == [("4444", True)]
    again = await finish(world, ann, setup)
    assert again.card
    assert again.card.id == saved.card.id
    begun = await begin(by(world, ann), await make_booking(database, ann))
    paid = await world.gateways.stripe.confirm_intent(begun.payment_intent_id, saved.card.provider_id, off_session=True)
    assert paid.status == "succeeded"


async def test_the_owners_bank_may_ask_and_the_webhook_saves_the_card(world: Context, database: Database, ann: User) -> None:
    setup = await set_up(world, ann)
    saved = await finish(world, ann, setup, "pm_card_authenticationRequiredOnSetup")
    assert (saved.status, saved.card) == ("requires_action", None)
    assert saved.client_secret
    [event] = await simulator(world).answer_setup(setup, hold=True)
    for _ in range(2):
        await hook(world, *simulator(world).sign(event))
    assert await cards(database) == [("3155", True)]


async def test_a_card_whose_owner_does_not_agree_is_not_saved(world: Context, database: Database, ann: User) -> None:
    setup = await set_up(world, ann)
    await finish(world, ann, setup, "pm_card_threeDSecure2Required")
    [event] = await simulator(world).answer_setup(setup, agrees=False, hold=True)
    await hook(world, *simulator(world).sign(event))
    assert (await finish(world, ann, setup)).status == "requires_payment_method"
    assert await cards(database) == []


async def test_a_card_that_is_declined_is_not_saved(world: Context, database: Database, ann: User) -> None:
    setup = await set_up(world, ann)
    with pytest.raises(PaymentFailed) as declined:
        await finish(world, ann, setup, "pm_card_chargeDeclinedExpiredCard")
    assert declined.value.details == {"reason": "expired_card", "stripe_code": "expired_card"}
    assert await cards(database) == []


async def test_a_setup_is_its_owners_own(world: Context, database: Database, ann: User) -> None:
    setup = await set_up(world, ann)
    eve = await make_person(database, "eve")
    for setup_id in (setup, "seti_nobody", "seti_\x00", "", "pi_1"):
        with pytest.raises(NotFound):
            await finish(world, eve, setup_id, "pm_card_visa")
    with pytest.raises(BadUserInput):
        await finish(world, ann, setup, "card")
    assert await cards(database) == []


async def test_a_setup_of_another_systems_customer_is_passed_over(world: Context, database: Database) -> None:
    stripe = world.gateways.stripe
    setup = await stripe.create_setup(await stripe.create_customer("somebody else's"))
    await stripe.confirm_setup(setup.id, "pm_card_visa")
    [event] = [each for each in await events(world, database) if each["type"] == "setup_intent.succeeded"]
    await hook(world, *simulator(world).sign(event))
    assert await cards(database) == []
    with pytest.raises(Conflict):
        await stripe.confirm_setup(setup.id, "pm_card_visa")


async def test_two_first_setups_at_once_make_one_customer(world: Context, database: Database, ann: User) -> None:
    setups = await asyncio.gather(*(set_up(world, ann) for _ in range(5)))
    assert len({(await world.gateways.stripe.get_setup(each)).customer for each in setups}) == 1
