"""What tests of memberships share: a house with plans, members with saved cards, the business clock, and queued jobs run by hand."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import delete, select, text

import clock
from gateways.all import open_gateways
from jobs.registry import JOBS
from models.database import Database
from models.identity import User
from models.keys import Key
from models.memberships import Membership, MembershipTerm, Plan
from models.notifications import OutboxMessage
from models.payments import SavedCard
from models.scheduling import Location, Schedule
from resolvers.context import Context
from resolvers.membership_charges import MembershipPaid
from resolvers.operations import perform
from resolvers.plan_changes import upgrade_membership
from settings import Settings

RUN = {job.name: job.run for job in JOBS}
TAKE = text("DELETE FROM pgqueuer WHERE entrypoint = ANY(:names) RETURNING id, entrypoint, payload")


@dataclass(frozen=True)
class House:
    """A house with three plans, of 12 months the first two, of one month the third."""

    ctx: Context
    small: Plan
    large: Plan
    monthly: Plan


@asynccontextmanager
async def open_house(database: Database, settings: Settings, time_zone: str = "UTC") -> AsyncIterator[House]:
    """The house, with a simulated Stripe that holds its webhooks."""
    async with database.sessions.begin() as db:
        schedule = Schedule(name="Every day", time_zone=time_zone)
        db.add(schedule)
        await db.flush()
        db.add(Location(name="Downtown", slug="downtown", time_zone=time_zone, schedule_id=schedule.id))
        small = Plan(name="Small", slug="small", price=Decimal("365.00"), monthly_service_credits=2, guest_passes=1)
        large = Plan(name="Large", slug="large", price=Decimal("730.00"), tier="premium", monthly_service_credits=4, guest_passes=3)
        monthly = Plan(name="Monthly", slug="monthly", price=Decimal("31.00"), duration_months=1)
        db.add_all([small, large, monthly])
    async with open_gateways(settings, database) as gateways:
        yield House(Context(settings, database, gateways), small, large, monthly)


@contextmanager
def on(day: date, hour: int = 12) -> Iterator[None]:
    """Let the business clock show an hour, UTC, of a day."""
    clock.set_ahead((datetime.combine(day, time(hour), UTC) - datetime.now(UTC)).total_seconds())
    try:
        yield
    finally:
        clock.set_ahead(0)


async def save_card(database: Database, person: User, method: str = "pm_card_visa") -> SavedCard:
    """A person's only card, under a name by which the simulated Stripe knows it."""
    async with database.sessions.begin() as db:
        await db.execute(delete(SavedCard).where(SavedCard.user_id == person.id))
        card = SavedCard(user_id=person.id, provider_id=method, brand="visa", last4="4242", exp_month=12, exp_year=2040, is_default=True)
        db.add(card)
    return card


async def change(
    ctx: Context, plan: Plan, payment_method: str | None = "stripe_card", *, key: str | None = None, **more: Any
) -> MembershipPaid:
    """Join a plan or move to it."""
    arguments = {"plan_id": Key(number=plan.id), "payment_method": payment_method, **more}
    paid: MembershipPaid = await perform(upgrade_membership, ctx, arguments, key=key)
    return paid


async def membership_of(database: Database, person: User) -> Membership:
    """A person's newest membership, as it stands in the database."""
    async with database.sessions() as db:
        mine = select(Membership).where(Membership.user_id == person.id).order_by(Membership.id.desc()).limit(1)
        return (await db.scalars(mine)).one()


async def terms_of(database: Database, person: User) -> list[MembershipTerm]:
    """What a person has paid for, or is to, in its order."""
    async with database.sessions() as db:
        return list(await db.scalars(select(MembershipTerm).where(MembershipTerm.user_id == person.id).order_by(MembershipTerm.id)))


async def run_jobs(ctx: Context, *names: str) -> int:
    """Run the jobs that wait under these names, each once; returns how many there were."""
    async with ctx.database.sessions.begin() as db:
        waiting = sorted((await db.execute(TAKE, {"names": list(names)})).all())
    for _, name, payload in waiting:
        await RUN[name](ctx, **orjson.loads(payload))
    return len(waiting)


async def tend(ctx: Context) -> None:
    """What the calendar does within one minute, and the mails that follow."""
    await RUN["tend_memberships"](ctx)
    await run_jobs(ctx, "charge_renewal")
    await run_mails(ctx)


async def run_mails(ctx: Context) -> int:
    """Word and queue what members are told about their memberships; returns how much there was."""
    told = await run_jobs(ctx, "tell_about_membership")
    await run_jobs(ctx, "send_notification")
    return told


async def subjects(database: Database, person: User) -> list[str]:
    """The subjects of the mails to a person, oldest first."""
    async with database.sessions() as db:
        return list(await db.scalars(select(OutboxMessage.subject).where(OutboxMessage.user_id == person.id).order_by(OutboxMessage.id)))


def years_on(day: date, years: int = 1) -> date:
    """The same day of another year."""
    return day.replace(year=day.year + years)


DAY = timedelta(days=1)
