"""Joining a plan and moving to another: shown before, charged once, and true from the right day on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.execute import Engine
from errors import BadUserInput, Conflict, NotFound, PaymentFailed, Unavailable
from gateways.stripe import Wire, lost
from models.bookings import PaymentStatus
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.ledger import Account, AccountKind, Entry
from models.memberships import Membership, MembershipStatus, MembershipTerm, Plan, TermStatus
from models.payments import Payment, SavedCard
from models.simulations import SimulatedObject
from resolvers.appointments import take_credit
from resolvers.operations import perform
from resolvers.plan_changes import ChangeKind, PlanChange, preview_upgrade
from resolvers.refunds import refund_payment
from resolvers.renewals import set_auto_renewal
from settings import Settings
from tests.members import DAY, House, change, membership_of, on, open_house, run_jobs, run_mails, save_card, subjects, terms_of, years_on
from tests.paying import announced, by, count, hook, posted, simulator
from tests.worlds import make_person

TODAY = datetime.now(UTC).date()
FIRST = date(2027, 1, 1)


@pytest.fixture
async def house(database: Database, settings: Settings) -> AsyncIterator[House]:
    async with open_house(database, settings) as house:
        yield house


@pytest.fixture
async def ann(database: Database) -> User:
    ann = await make_person(database)
    await save_card(database, ann)
    return ann


async def preview(house: House, person: User, plan: Plan) -> PlanChange:
    found: PlanChange = await perform(preview_upgrade, by(house.ctx, person), {"plan_id": Key(number=plan.id)})
    return found


async def test_who_joins_pays_the_whole_price_and_is_a_member_from_today(house: House, database: Database, ann: User) -> None:
    shown = await preview(house, ann, house.small)
    assert (shown.kind, shown.amount, shown.takes_effect_on) == (ChangeKind.JOIN, Decimal("365.00"), TODAY)
    paid = await change(by(house.ctx, ann), house.small)
    assert (paid.is_complete, paid.status, paid.client_secret) == (True, "succeeded", None)
    mine = await membership_of(database, ann)
    assert (mine.status, mine.plan_id, mine.starts_on, mine.ends_on) == (
        MembershipStatus.ACTIVE,
        house.small.id,
        TODAY,
        years_on(TODAY) - DAY,
    )
    assert mine.auto_renew
    [term] = await terms_of(database, ann)
    assert (term.status, term.amount, term.membership_id) == (TermStatus.PAID, Decimal("365.00"), mine.id)
    assert await announced(database) == ["membership.joined"]
    assert await run_mails(house.ctx) == 1
    assert await subjects(database, ann) == ["Welcome to Small"]


async def test_the_books_know_what_memberships_brought_in(house: House, database: Database, ann: User) -> None:
    await change(by(house.ctx, ann), house.small)
    async with database.sessions() as db:
        found = await db.execute(select(Account.kind, Account.name, Entry.amount).join(Entry, Entry.account_id == Account.id))
        assert sorted(map(tuple, found)) == [
            (AccountKind.PROVIDER_CLEARING, "stripe", Decimal("365.00")),
            (AccountKind.REVENUE, "membership", Decimal("-365.00")),
        ]


async def test_moving_up_costs_the_difference_for_the_days_that_are_left(house: House, database: Database, ann: User) -> None:
    with on(FIRST):
        await change(by(house.ctx, ann), house.small)
    with on(date(2027, 12, 22)):  # ten of 365 days are left, at 1.00 and at 2.00 a day
        shown = await preview(house, ann, house.large)
        assert (shown.kind, shown.days, shown.unused, shown.price, shown.amount) == (
            ChangeKind.UPGRADE, 10, Decimal("10.00"), Decimal("20.00"), Decimal("10.00"),
        )  # fmt: skip
        paid = await change(by(house.ctx, ann), house.large, expected_amount=Decimal("10.00"))
        assert paid.payment
        assert paid.payment.amount == Decimal("10.00")
    mine = await membership_of(database, ann)
    assert (mine.plan_id, mine.starts_on, mine.ends_on) == (house.large.id, FIRST, date(2027, 12, 31))
    assert await announced(database) == ["membership.joined", "membership.changed"]


async def test_another_price_than_the_one_shown_is_refused(house: House, database: Database, ann: User) -> None:
    with pytest.raises(Conflict, match="price has changed"):
        await change(by(house.ctx, ann), house.small, expected_amount=Decimal("300.00"))
    assert await count(database, Payment) == 0


async def test_moving_down_costs_nothing_and_follows_with_the_renewal(house: House, database: Database, ann: User) -> None:
    await change(by(house.ctx, ann), house.large)
    shown = await preview(house, ann, house.small)
    mine = await membership_of(database, ann)
    assert (shown.kind, shown.amount, shown.takes_effect_on) == (ChangeKind.DOWNGRADE, Decimal(0), mine.ends_on + DAY)
    paid = await change(by(house.ctx, ann), house.small)
    assert (paid.is_complete, paid.payment) == (True, None)
    mine = await membership_of(database, ann)
    assert (mine.plan_id, mine.next_plan_id) == (house.large.id, house.small.id)
    await change(by(house.ctx, ann), house.large)  # rather stay
    assert (await membership_of(database, ann)).next_plan_id is None
    with pytest.raises(Conflict, match="your plan already"):
        await change(by(house.ctx, ann), house.large)


async def test_who_lets_it_end_chooses_no_plan_that_follows(house: House, ann: User) -> None:
    await change(by(house.ctx, ann), house.large)
    await perform(set_auto_renewal, by(house.ctx, ann), {"is_on": False})
    with pytest.raises(Conflict, match="renewal on"):
        await change(by(house.ctx, ann), house.small)


async def test_days_are_those_of_the_houses_calendar(database: Database, settings: Settings) -> None:
    async with open_house(database, settings, "Pacific/Auckland") as house:
        ann = await make_person(database)
        await save_card(database, ann)
        with on(FIRST, hour=12):  # the second there already
            await change(by(house.ctx, ann), house.small)
    assert (await membership_of(database, ann)).starts_on == FIRST + DAY


async def test_a_card_that_is_declined_says_why_and_another_may_pay(house: House, database: Database, ann: User) -> None:
    with pytest.raises(PaymentFailed) as declined:
        await change(by(house.ctx, ann), house.small, "pm_card_chargeDeclinedInsufficientFunds")
    assert declined.value.details == {"reason": "insufficient_funds", "stripe_code": "card_declined"}
    assert await count(database, Membership) == 0
    await change(by(house.ctx, ann), house.small)
    [term] = await terms_of(database, ann)
    assert term.status is TermStatus.PAID
    assert await count(database, Payment) == 1


async def test_the_bank_may_ask_and_the_webhook_completes(house: House, database: Database, ann: User) -> None:
    paid = await change(by(house.ctx, ann), house.small, "pm_card_authenticationRequired")
    assert (paid.is_complete, paid.status, paid.membership) == (False, "requires_action", None)
    assert paid.payment
    assert paid.client_secret == paid.payment.client_secret
    assert paid.payment.provider_id
    held = (await simulator(house.ctx).pay(paid.payment.provider_id, hold=True))["webhook"]
    for _ in range(2):
        await hook(house.ctx, **held)
    assert (await membership_of(database, ann)).plan_id == house.small.id
    assert await announced(database) == ["membership.joined"]


async def test_without_any_card_the_client_is_told_how_to_pay(house: House, database: Database) -> None:
    bob = await make_person(database, "bob")
    paid = await change(by(house.ctx, bob), house.small, None)
    assert (paid.status, paid.is_complete) == ("requires_payment_method", False)
    assert paid.client_secret
    assert paid.payment
    assert paid.payment.provider_id
    await hook(house.ctx, **(await simulator(house.ctx).pay(paid.payment.provider_id, hold=True))["webhook"])
    assert (await membership_of(database, bob)).plan_id == house.small.id
    assert await count(database, SavedCard, SavedCard.user_id == bob.id, SavedCard.is_default) == 1  # for the renewal


async def test_credits_are_back_when_the_month_begins_at_the_house(database: Database, settings: Settings) -> None:
    async with open_house(database, settings, "America/New_York") as house:
        ann = await make_person(database)
        await save_card(database, ann)
        engine, ctx, left = Engine(settings), by(house.ctx, ann), []
        with on(FIRST):
            await change(ctx, house.small)
        async with database.sessions.begin() as db:
            member = (await db.scalars(select(Membership.id))).one()
            assert [await take_credit(db, member, FIRST, 2) for _ in range(3)][2] is None
        for day, hour in ((date(2027, 1, 31), 12), (date(2027, 2, 1), 4), (date(2027, 2, 1), 6)):  # it turns at five o'clock UTC
            with on(day, hour):
                said: Any = (await engine.run("{ myMembership { serviceCreditsLeft canUseServiceCredit } }", ctx)).data
                left.append(tuple(said["myMembership"].values()))
    assert left == [(0, False), (0, False), (2, True)]


@pytest.mark.parametrize("method", ["stripe_card", "card", "pm_\x00"])
async def test_a_bad_card_is_named_under_its_argument(house: House, database: Database, method: str) -> None:
    bob = await make_person(database, "bob")
    with pytest.raises(BadUserInput) as refused:
        await change(by(house.ctx, bob), house.small, method)
    assert list(refused.value.fields) == ["payment_method"]


async def test_an_unknown_plan_is_not_found(house: House, ann: User) -> None:
    house.small.id = 999_999
    for what in (preview, lambda house, ann, plan: change(by(house.ctx, ann), plan)):
        with pytest.raises(NotFound):
            await what(house, ann, house.small)


async def test_twenty_joins_at_once_make_one_member_who_pays_once(house: House, database: Database, ann: User) -> None:
    plans = [house.small, house.large]
    tries = (change(by(house.ctx, ann), plans[each % 2], key=f"tap-{each}") for each in range(20))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [each for each in done if isinstance(each, Exception) and not isinstance(each, Conflict)] == []
    await run_jobs(house.ctx, "stop_payment")
    await run_jobs(house.ctx, "finish_refund")
    assert await count(database, Membership) == 1
    kept = await count(database, Payment, Payment.status == PaymentStatus.CHARGED)
    mine = await membership_of(database, ann)
    assert kept == await count(database, MembershipTerm, MembershipTerm.status == TermStatus.PAID)
    assert kept == (1 if mine.plan_id == house.small.id else kept)
    assert kept <= 2  # at most small, and then the difference to large
    assert sum(await posted(database)) == 0


async def test_money_for_a_wish_that_was_changed_buys_nothing_else_and_goes_back(house: House, database: Database, ann: User) -> None:
    first = await change(by(house.ctx, ann), house.small, "pm_card_authenticationRequired")
    assert first.payment
    assert first.payment.provider_id
    held = (await simulator(house.ctx).pay(first.payment.provider_id, hold=True))["webhook"]
    await change(by(house.ctx, ann), house.large)
    assert (await membership_of(database, ann)).plan_id == house.large.id
    await hook(house.ctx, **held)
    assert await run_jobs(house.ctx, "finish_refund") == 1
    async with database.sessions() as db:
        paid = {each.amount: each.status for each in await db.scalars(select(Payment))}
    assert paid == {Decimal("365.00"): PaymentStatus.REFUNDED, Decimal("730.00"): PaymentStatus.CHARGED}
    assert (await membership_of(database, ann)).plan_id == house.large.id


async def test_an_answer_that_got_lost_is_found_under_its_key(
    house: House, database: Database, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    through = Wire.request_async

    async def lose_the_charge(self: Any, method: str, url: str, *arguments: Any, **more: Any) -> Any:
        answer = await through(self, method, url, *arguments, **more)
        if url.endswith("/confirm"):
            raise lost(ConnectionResetError())
        return answer

    monkeypatch.setattr(Wire, "request_async", lose_the_charge)
    with pytest.raises(Unavailable):
        await change(by(house.ctx, ann), house.small, key="tap")
    monkeypatch.undo()
    for _ in range(2):
        paid = await change(by(house.ctx, ann), house.small, key="tap")
        assert paid.is_complete
    assert await count(database, SimulatedObject, SimulatedObject.kind == "charge") == 1


async def test_a_member_whose_days_are_over_joins_anew(house: House, database: Database, ann: User) -> None:
    with on(FIRST):
        await change(by(house.ctx, ann), house.monthly)
    with on(date(2027, 3, 1)):
        assert (await preview(house, ann, house.monthly)).kind is ChangeKind.JOIN
        await change(by(house.ctx, ann), house.monthly)
    async with database.sessions() as db:
        mine = list(await db.scalars(select(Membership).order_by(Membership.id)))
    assert [(each.status, each.starts_on) for each in mine] == [
        (MembershipStatus.EXPIRED, FIRST), (MembershipStatus.ACTIVE, date(2027, 3, 1)),
    ]  # fmt: skip


async def test_a_refund_of_all_ends_what_it_paid_for_and_a_part_of_it_does_not(house: House, database: Database, ann: User) -> None:
    paid = await change(by(house.ctx, ann), house.small)
    assert paid.payment
    clerk = by(house.ctx, await make_person(database, "clerk"), Role.FINANCE)
    for amount, status in ((Decimal("65.00"), MembershipStatus.ACTIVE), (None, MembershipStatus.CANCELLED)):
        await perform(refund_payment, clerk, {"id": Key(number=paid.payment.id), "amount": amount})
        assert (await membership_of(database, ann)).status is status
    assert await announced(database) == ["membership.joined", "membership.ended"]
    assert sum(await posted(database)) == 0


async def test_a_refund_of_a_change_brings_the_former_plan_back(house: House, database: Database, ann: User) -> None:
    await change(by(house.ctx, ann), house.small)
    paid = await change(by(house.ctx, ann), house.large)
    assert paid.payment
    clerk = by(house.ctx, await make_person(database, "clerk"), Role.FINANCE)
    await perform(refund_payment, clerk, {"id": Key(number=paid.payment.id)})
    mine = await membership_of(database, ann)
    assert (mine.plan_id, mine.status) == (house.small.id, MembershipStatus.ACTIVE)


async def test_a_plan_that_costs_nothing_is_joined_without_a_payment(house: House, database: Database) -> None:
    bob = await make_person(database, "bob")
    async with database.sessions.begin() as db:
        await db.execute(update(Plan).where(Plan.id == house.small.id).values(price=0))
    paid = await change(by(house.ctx, bob), house.small, None)
    assert (paid.is_complete, paid.payment) == (True, None)
    assert paid.membership
    assert await count(database, Payment) == 0


async def test_plans_in_different_currencies_are_not_compared(house: House, database: Database, ann: User) -> None:
    await change(by(house.ctx, ann), house.small)
    async with database.sessions.begin() as db:
        await db.execute(update(Plan).where(Plan.id == house.large.id).values(currency="EUR"))
    with pytest.raises(Conflict, match="EUR"):
        await preview(house, ann, house.large)


PREVIEW = """query ($plan: ID!) {
  previewUpgrade(planId: $plan) { kind plan { name } takesEffectOn endsOn amount currency days unused price renewalAmount }
}"""
JOIN = """mutation ($plan: ID!) {
  upgradeMembership(planId: $plan, expectedAmount: "365.00") {
    isComplete status clientSecret payment { amount status }
    membership {
      status daysRemaining serviceCreditsLeft guestPassesLeft plan { name } nextPlan { name }
      terms { kind status amount payment { status } }
    }
  }
}"""
ME = "{ me { isMember membership { plan { name } } } }"


async def test_the_same_over_graphql(house: House, ann: User) -> None:
    engine, ctx = Engine(house.ctx.settings), by(house.ctx, ann)
    plan = {"plan": str(house.small.id)}
    shown = await engine.run(PREVIEW, ctx, variables=plan)
    assert shown.errors == []
    assert shown.data["previewUpgrade"] == {  # type: ignore[index]
        "kind": "JOIN", "plan": {"name": "Small"}, "takesEffectOn": TODAY, "endsOn": years_on(TODAY) - DAY,
        "amount": "365.00", "currency": "USD", "days": 365, "unused": "0.00", "price": "365.00", "renewalAmount": "365.00",
    }  # fmt: skip
    joined = await engine.run(JOIN, ctx, variables=plan)
    assert joined.errors == []
    assert joined.data["upgradeMembership"] == {  # type: ignore[index]
        "isComplete": True, "status": "succeeded", "clientSecret": None, "payment": {"amount": "365.00", "status": "CHARGED"},
        "membership": {
            "status": "ACTIVE", "daysRemaining": 364, "serviceCreditsLeft": 2, "guestPassesLeft": 1, "plan": {"name": "Small"},
            "nextPlan": None, "terms": [{"kind": "JOINED", "status": "PAID", "amount": "365.00", "payment": {"status": "CHARGED"}}],
        },
    }  # fmt: skip


async def test_all_that_is_said_of_a_membership_goes_by_one_clock(house: House, ann: User) -> None:
    engine, ctx = Engine(house.ctx.settings), by(house.ctx, ann)
    with on(FIRST):
        await change(ctx, house.small)
    said = []
    for day in (FIRST - DAY, FIRST, date(2027, 12, 31), date(2028, 1, 1)):
        with on(day):
            me: Any = (await engine.run(ME, ctx)).data["me"]  # type: ignore[index]
            said.append((me["isMember"], me["membership"] is not None))
    assert said == [(False, False), (True, True), (True, True), (False, False)]
