"""What members have paid for their memberships, one whose renewal was declined, and a customer who asks their bank about a payment."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import JOHN
from demo.world import World, put
from gateways.minor_units import to_minor
from gateways.simulators.stripe_payments import paid_before
from models.bookings import PaymentStatus
from models.ledger import Account, AccountKind, Entry, LedgerTransaction
from models.memberships import Membership, MembershipStatus, MembershipTerm, Plan, TermKind, TermStatus
from models.payments import Dispute, Payment, PaymentPurpose, Provider
from models.simulations import SimulatedObject

POTS = ((AccountKind.PROVIDER_CLEARING, Provider.STRIPE.value), (AccountKind.REVENUE, PaymentPurpose.MEMBERSHIP.value))


async def fill(db: AsyncSession, world: World) -> None:
    """A paid term for every membership, with its payment and its place in the books."""
    found = (await db.execute(select(Membership, Plan).join(Plan, Plan.id == Membership.plan_id).order_by(Membership.id))).all()
    terms = await put(db, MembershipTerm, [
        {"user_id": membership.user_id, "membership_id": membership.id, "plan_id": plan.id, "kind": TermKind.JOINED,
         "status": TermStatus.PAID, "starts_on": membership.starts_on, "ends_on": membership.ends_on, "amount": plan.price}
        for membership, plan in found
    ])  # fmt: skip
    joined = [(term, membership, plan, _joined_at(membership, world)) for term, (membership, plan) in zip(terms, found, strict=True)]
    payments = await put(db, Payment, [
        {"user_id": membership.user_id, "term_id": term, "purpose": PaymentPurpose.MEMBERSHIP, "provider": Provider.STRIPE,
         "provider_id": _intent(term), "amount": plan.price, "status": PaymentStatus.CHARGED, "method": "visa •••• 4242",
         "charged_at": at, "created_at": at}
        for term, membership, plan, at in joined
    ])  # fmt: skip
    await put(db, SimulatedObject, [
        {"provider": "stripe", "key": thing["id"], "kind": thing["object"], "data": thing}
        for term, _, plan, _ in joined for thing in paid_before(_intent(term), to_minor(plan.price, "USD"), "usd", refunded=False)
    ])  # fmt: skip
    await _post(db, [(payment, plan, at) for payment, (_, _, plan, at) in zip(payments, joined, strict=True)])
    await _decline_a_renewal(db, world)
    await _ask_the_bank(db, world)


async def _post(db: AsyncSession, paid: list[tuple[int, Plan, datetime]]) -> None:
    wanted = [{"kind": kind, "name": name, "owner_id": None, "currency": "USD"} for kind, name in POTS]
    await db.execute(insert(Account).on_conflict_do_nothing(index_elements=["kind", "name", "owner_id", "currency"]), wanted)
    rows = await db.execute(select(Account.kind, Account.name, Account.id).where(Account.owner_id.is_(None), Account.currency == "USD"))
    accounts = {(kind, name): number for kind, name, number in rows}
    posted = await put(db, LedgerTransaction, [
        {"cause": f"payment:{payment}:charged", "description": f"Payment for the membership {plan.name}", "payment_id": payment,
         "created_at": at}
        for payment, plan, at in paid
    ])  # fmt: skip
    await put(db, Entry, [
        {"transaction_id": transaction, "account_id": accounts[pot], "amount": amount, "currency": "USD", "created_at": at}
        for transaction, (_, plan, at) in zip(posted, paid, strict=True)
        for pot, amount in zip(POTS, (plan.price, -plan.price), strict=True)
    ])  # fmt: skip


async def _decline_a_renewal(db: AsyncSession, world: World) -> None:
    """Somebody's days were over yesterday, and their card was declined; it is tried again tomorrow."""
    active = Membership.status == MembershipStatus.ACTIVE, Membership.user_id != JOHN
    [(membership, plan)] = (
        await db.execute(select(Membership, Plan).join(Plan, Plan.id == Membership.plan_id).where(*active).order_by(Membership.id).limit(1))
    ).all()
    yesterday, tomorrow = world.day(-1), world.day(1)
    days: dict[str, Any] = {"starts_on": world.day(-365), "ends_on": yesterday, "grace_ends_on": tomorrow, "reminded_of": yesterday}
    await db.execute(update(Membership).where(Membership.id == membership.id).values(**days, auto_renew=True))
    renewal = {
        "user_id": membership.user_id, "membership_id": membership.id, "plan_id": plan.id, "kind": TermKind.RENEWED,
        "status": TermStatus.PENDING, "starts_on": world.day(0), "ends_on": world.day(364), "amount": plan.price, "failures": 1,
        "next_try_on": tomorrow,
    }  # fmt: skip
    await put(db, MembershipTerm, [renewal])


async def _ask_the_bank(db: AsyncSession, world: World) -> None:
    """An inquiry, which moves no money as yet."""
    by_card = Payment.provider == Provider.STRIPE, Payment.status == PaymentStatus.CHARGED, Payment.user_id != JOHN
    payment = (await db.scalars(select(Payment).where(*by_card).order_by(Payment.charged_at.desc()).limit(1))).one()
    inquiry = {
        "payment_id": payment.id, "provider_id": "dp_demo_000001", "amount": payment.amount, "currency": payment.currency,
        "status": "warning_needs_response", "reason": "unrecognized", "answer_by": world.now + timedelta(days=7),
    }  # fmt: skip
    await put(db, Dispute, [inquiry])


def _joined_at(membership: Membership, world: World) -> datetime:
    return min(datetime.combine(membership.starts_on, time(15), UTC), world.now)


def _intent(term: int) -> str:
    return f"pi_demo_term_{term:06}"
