"""Renewing memberships: told in time, charged once, tried again by a schedule, and lapsed after the last try."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import IntegrityError

from errors import Conflict, NotFound, Unavailable
from gateways.stripe import Wire, lost
from jobs.registry import JOBS
from jobs.worker import Worker, working
from models.bookings import PaymentStatus
from models.database import Database
from models.event_log import EventRecord
from models.identity import User
from models.ledger import LedgerTransaction
from models.memberships import Membership, MembershipStatus, MembershipTerm, Plan, TermKind, TermStatus
from models.notifications import OutboxMessage
from models.payments import Payment, SavedCard
from models.simulations import SimulatedObject
from resolvers.membership_charges import MembershipPaid
from resolvers.operations import perform
from resolvers.renewals import charge_renewal, renew_membership, set_auto_renewal, tend_memberships
from settings import Settings
from tests.members import DAY, House, change, membership_of, on, open_house, run_mails, save_card, subjects, tend, terms_of
from tests.paying import by, count, hook, posted, simulator
from tests.worlds import make_person

FIRST, LAST = date(2027, 1, 1), date(2027, 1, 31)
DECLINED = "pm_card_chargeCustomerFail"
RENEWED = MembershipTerm.kind == TermKind.RENEWED, MembershipTerm.status == TermStatus.PAID
RUN_BY_WORKERS = {each.name: each for each in JOBS}
CHARGES = SimulatedObject.kind == "charge", SimulatedObject.data["paid"].as_boolean()


@pytest.fixture
async def house(database: Database, settings: Settings) -> AsyncIterator[House]:
    async with open_house(database, settings) as house:
        yield house


@pytest.fixture
async def ann(house: House, database: Database) -> User:
    """A member on the monthly plan since the first of January."""
    ann = await make_person(database)
    await save_card(database, ann)
    with on(FIRST):
        await change(by(house.ctx, ann), house.monthly)
        await run_mails(house.ctx)
    return ann


async def live(house: House, *days: date) -> None:
    """Let these days pass, one minute of work on each."""
    for day in days:
        with on(day):
            await tend(house.ctx)


async def test_a_year_of_renewals_charges_each_month_once_and_keeps_the_day(house: House, database: Database, ann: User) -> None:
    await live(house, *(FIRST + timedelta(days=each) for each in range(0, 365)))
    terms = await terms_of(database, ann)
    assert [each.starts_on.month for each in terms if each.status is TermStatus.PAID] == [*range(1, 13), 1]
    assert {each.starts_on.day for each in terms} == {1}
    assert await count(database, SimulatedObject, *CHARGES) == 13
    assert await count(database, LedgerTransaction) == 13
    mine = await membership_of(database, ann)
    assert (mine.status, mine.starts_on, mine.ends_on) == (MembershipStatus.ACTIVE, FIRST, date(2028, 1, 31))
    assert (await subjects(database, ann))[:3] == [
        "Welcome to Monthly",
        "Your Monthly membership renews on 31 January 2027",
        "Your Monthly membership is renewed until 28 February 2027",
    ]


async def test_the_member_is_told_once_a_week_before(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=8))
    assert len(await subjects(database, ann)) == 1
    for _ in range(3):
        await live(house, LAST - timedelta(days=7))
    assert len(await subjects(database, ann)) == 2
    [_, term] = await terms_of(database, ann)
    assert (term.kind, term.status, term.amount, term.next_try_on) == (TermKind.RENEWED, TermStatus.PENDING, Decimal("31.00"), LAST)
    assert await count(database, Payment) == 1


async def test_the_price_that_was_told_is_the_one_that_is_charged(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7))
    async with database.sessions.begin() as db:
        await db.execute(update(Plan).where(Plan.id == house.monthly.id).values(price=Decimal("99.00")))
    await live(house, LAST)
    assert [each.amount for each in await terms_of(database, ann)] == [Decimal("31.00"), Decimal("31.00")]
    assert (await membership_of(database, ann)).ends_on == date(2027, 2, 28)


async def test_a_declined_renewal_is_tried_again_and_lapses_after_the_last_try(house: House, database: Database, ann: User) -> None:
    await save_card(database, ann, DECLINED)
    await live(house, LAST - timedelta(days=7))
    seen = []
    for day in (LAST, LAST + DAY, LAST + 2 * DAY, LAST + 3 * DAY, LAST + 4 * DAY, LAST + 5 * DAY):
        await live(house, day, day)  # the calendar comes every minute
        mine, term = await membership_of(database, ann), (await terms_of(database, ann))[-1]
        seen.append((term.failures, mine.grace_ends_on, mine.status))
    active = MembershipStatus.ACTIVE
    assert seen == [
        (1, LAST + DAY, active),
        (2, LAST + 3 * DAY, active),
        (2, LAST + 3 * DAY, active),
        (3, LAST + 5 * DAY, active),
        (3, LAST + 5 * DAY, active),
        (4, None, MembershipStatus.EXPIRED),
    ]
    failed = "Your Monthly membership could not be renewed"
    assert (await subjects(database, ann))[2:] == [failed, failed, failed, "Your Monthly membership has ended"]
    assert (await terms_of(database, ann))[-1].status is TermStatus.LAPSED
    assert sum(await posted(database)) == 0
    await live(house, LAST + 6 * DAY)
    assert await count(database, SimulatedObject, *CHARGES) == 1  # the joining alone


async def test_while_it_is_tried_again_the_membership_counts(house: House, database: Database, ann: User) -> None:
    await save_card(database, ann, DECLINED)
    await live(house, LAST)
    async with database.sessions() as db:
        body = await db.scalar(select(OutboxMessage.body).order_by(OutboxMessage.id.desc()).limit(1))
    assert "Your card was declined." in (body or "")
    assert "We try again on 1 February 2027;" in (body or "")
    with on(LAST + DAY), pytest.raises(Conflict, match="renewal of the membership is due"):
        await change(by(house.ctx, ann), house.small)
    await save_card(database, ann)
    await live(house, LAST + DAY)
    mine = await membership_of(database, ann)
    assert (mine.ends_on, mine.grace_ends_on, mine.status) == (date(2027, 2, 28), None, MembershipStatus.ACTIVE)


async def test_a_bank_that_wants_to_ask_fails_the_job_and_the_member_pays_by_hand(house: House, database: Database, ann: User) -> None:
    await save_card(database, ann, "pm_card_authenticationRequired")
    await live(house, LAST)
    assert (await terms_of(database, ann))[-1].failures == 1
    with on(LAST + DAY, hour=1):
        paid: MembershipPaid = await perform(renew_membership, by(house.ctx, ann), {})
        assert (paid.is_complete, paid.status) == (False, "requires_action")
        assert paid.client_secret
        assert paid.payment
        assert paid.payment.provider_id
        await hook(house.ctx, **(await simulator(house.ctx).pay(paid.payment.provider_id, hold=True))["webhook"])
    mine = await membership_of(database, ann)
    assert (mine.ends_on, mine.grace_ends_on) == (date(2027, 2, 28), None)
    await live(house, LAST + DAY)
    assert await count(database, SimulatedObject, *CHARGES) == 2


async def test_without_a_card_the_renewal_fails_and_says_so(house: House, database: Database, ann: User) -> None:
    async with database.sessions.begin() as db:
        await db.execute(delete(SavedCard))
    await live(house, LAST)
    async with database.sessions() as db:
        body = await db.scalar(select(OutboxMessage.body).order_by(OutboxMessage.id.desc()).limit(1))
    assert "No card is saved." in (body or "")


async def test_many_tries_at_once_charge_once(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7))
    [_, term] = await terms_of(database, ann)
    with on(LAST):
        tries = (charge_renewal(house.ctx, term.id, LAST.isoformat()) for _ in range(12))
        done = await asyncio.gather(*tries, perform(renew_membership, by(house.ctx, ann), {}), return_exceptions=True)
    assert [each for each in done if isinstance(each, Exception) and not isinstance(each, Conflict)] == []
    assert await count(database, SimulatedObject, *CHARGES) == 2
    assert await count(database, LedgerTransaction) == 2
    assert (await membership_of(database, ann)).ends_on == date(2027, 2, 28)


async def test_many_failures_at_once_count_once(house: House, database: Database, ann: User) -> None:
    await save_card(database, ann, DECLINED)
    await live(house, LAST - timedelta(days=7))
    [_, term] = await terms_of(database, ann)
    with on(LAST):
        await asyncio.gather(*(charge_renewal(house.ctx, term.id, LAST.isoformat()) for _ in range(12)), return_exceptions=True)
        await charge_renewal(house.ctx, term.id, LAST.isoformat())
    assert (await terms_of(database, ann))[-1].failures == 1
    assert await count(database, EventRecord, EventRecord.kind == "membership.renewal_failed") == 1


async def test_two_workers_renew_twenty_members_once_each(house: House, database: Database, settings: Settings) -> None:
    members = [await make_person(database, f"member{each}") for each in range(20)]
    with on(FIRST):
        for each in members:
            await save_card(database, each)
            await change(by(house.ctx, each), house.monthly)
    jobs = [RUN_BY_WORKERS[name] for name in ("tend_memberships", "charge_renewal")]
    with on(LAST):
        async with database.sessions.begin() as db:
            await db.execute(text("DELETE FROM pgqueuer"))
        workers = [Worker(database.url, house.ctx.but, jobs, calendar={}) for _ in range(2)]
        async with working(workers[0]), working(workers[1]):
            await asyncio.gather(*(tend_memberships(house.ctx) for _ in range(4)))
            for _ in range(600):
                if await count(database, MembershipTerm, *RENEWED) == 20:
                    break
                await asyncio.sleep(0.05)
    assert await count(database, SimulatedObject, *CHARGES) == 40
    assert await count(database, Membership, Membership.ends_on == date(2027, 2, 28)) == 20
    assert await count(database, Payment, Payment.status == PaymentStatus.CHARGED) == 40


async def test_an_answer_that_got_lost_charges_nothing_twice(
    house: House, database: Database, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(house, LAST - timedelta(days=7))
    [_, term] = await terms_of(database, ann)
    through = Wire.request_async

    async def lose_the_charge(self: Any, method: str, url: str, *arguments: Any, **more: Any) -> Any:
        answer = await through(self, method, url, *arguments, **more)
        if url.endswith("/confirm"):
            raise lost(ConnectionResetError())
        return answer

    with on(LAST):
        monkeypatch.setattr(Wire, "request_async", lose_the_charge)
        with pytest.raises(Unavailable):
            await charge_renewal(house.ctx, term.id, LAST.isoformat())
        monkeypatch.undo()
        assert (await terms_of(database, ann))[-1].failures == 0
        await charge_renewal(house.ctx, term.id, LAST.isoformat())
    assert await count(database, SimulatedObject, *CHARGES) == 2
    assert (await membership_of(database, ann)).ends_on == date(2027, 2, 28)


async def test_a_period_is_one_row(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7))
    [_, term] = await terms_of(database, ann)
    with pytest.raises(IntegrityError, match="uq_membership_terms_period"):
        async with database.sessions.begin() as db:
            db.add(MembershipTerm(
                user_id=ann.id, membership_id=term.membership_id, plan_id=term.plan_id, kind=TermKind.RENEWED,
                starts_on=term.starts_on, ends_on=term.ends_on, amount=Decimal(1),
            ))  # fmt: skip


async def test_who_turns_renewal_off_is_reminded_of_the_end_and_charged_nothing(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7))
    with on(LAST - DAY):
        await perform(set_auto_renewal, by(house.ctx, ann), {"is_on": False})
    await live(house, LAST, LAST + DAY)
    assert (await membership_of(database, ann)).status is MembershipStatus.EXPIRED
    assert await count(database, SimulatedObject, *CHARGES) == 1
    with on(LAST + DAY), pytest.raises(NotFound):
        await perform(set_auto_renewal, by(house.ctx, ann), {"is_on": True})


async def test_who_was_forgotten_is_not_charged(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7))
    async with database.sessions.begin() as db:
        await db.execute(update(Membership).values(auto_renew=False))  # as erasing an account does
    await live(house, LAST, LAST + DAY)
    assert [each.status for each in await terms_of(database, ann)] == [TermStatus.PAID, TermStatus.LAPSED]
    assert (await membership_of(database, ann)).status is MembershipStatus.EXPIRED
    assert await count(database, SimulatedObject, *CHARGES) == 1


async def test_renewal_can_be_turned_off_and_on_again_until_the_end(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7))
    with on(LAST):
        for is_on in (False, True, False, True):
            await perform(set_auto_renewal, by(house.ctx, ann), {"is_on": is_on})
    await live(house, LAST)
    assert (await membership_of(database, ann)).ends_on == date(2027, 2, 28)


async def test_whose_renewal_is_off_is_told_of_the_end_in_time(house: House, database: Database, ann: User) -> None:
    with on(FIRST + DAY):
        await perform(set_auto_renewal, by(house.ctx, ann), {"is_on": False})
    await live(house, LAST - timedelta(days=7))
    assert (await subjects(database, ann))[-1] == "Your Monthly membership ends on 31 January 2027"


async def test_that_a_membership_ends_is_told_to_who_wants_no_mails(house: House, database: Database, ann: User) -> None:
    async with database.sessions.begin() as db:
        await db.execute(update(User).values(email_notifications=False))
    with on(FIRST + DAY):
        await perform(set_auto_renewal, by(house.ctx, ann), {"is_on": False})
    await live(house, LAST - timedelta(days=7), LAST + DAY)
    assert (await subjects(database, ann))[1:] == ["Your Monthly membership ends on 31 January 2027", "Your Monthly membership has ended"]


async def test_the_next_renewal_is_on_the_plan_that_was_chosen(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7))
    async with database.sessions.begin() as db:
        db.add(Plan(id=99, name="Tiny", slug="tiny", price=Decimal("10.00"), duration_months=1))
    with on(LAST - DAY):
        await change(by(house.ctx, ann), Plan(id=99))
    await live(house, LAST)
    mine, term = await membership_of(database, ann), (await terms_of(database, ann))[-1]
    assert (mine.plan_id, mine.next_plan_id, term.amount, term.status) == (99, None, Decimal("10.00"), TermStatus.PAID)


async def test_a_renewal_that_workers_missed_for_days_is_made_up_for(house: House, database: Database, ann: User) -> None:
    await live(house, LAST - timedelta(days=7), LAST + timedelta(days=4))
    mine = await membership_of(database, ann)
    assert (mine.status, mine.ends_on) == (MembershipStatus.ACTIVE, date(2027, 2, 28))


async def test_a_day_begins_when_it_does_at_the_house(database: Database, settings: Settings) -> None:
    async with open_house(database, settings, "America/New_York") as house:
        ann = await make_person(database)
        await save_card(database, ann)
        with on(FIRST):
            await change(by(house.ctx, ann), house.monthly)
        with on(LAST, hour=4):  # still the 30th there
            await tend(house.ctx)
        assert (await membership_of(database, ann)).ends_on == LAST
        with on(LAST, hour=6):
            await tend(house.ctx)
        assert (await membership_of(database, ann)).ends_on == date(2027, 2, 28)


async def test_only_members_renew(house: House, database: Database) -> None:
    bob = await make_person(database, "bob")
    for operation, arguments in ((renew_membership, {}), (set_auto_renewal, {"is_on": True})):
        with pytest.raises(NotFound):
            await perform(operation, by(house.ctx, bob), arguments)


async def test_a_quiet_minute_asks_the_database_three_times(
    house: House, database: Database, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    through = Database.run

    async def counting(self: Database, text: str, *more: Any) -> Any:
        if "pg_notify" not in text:  # the bell for jobs of before
            asked.append(text)
        return await through(self, text, *more)

    monkeypatch.setattr(Database, "run", counting)
    with on(FIRST + DAY):
        await tend_memberships(house.ctx)
    assert len(asked) == 3
    async with database.sessions() as db:
        assert await db.scalar(select(func.count(EventRecord.id)).where(EventRecord.kind.startswith("membership."))) == 1
