"""Money that customers ask back through their bank: kept, counted in the books, and told to the staff, who answer at Stripe."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateways.minor_units import from_minor
from gateways.stripe_objects import Disputed
from models.identity import User, UserRole
from models.ledger import AccountKind
from models.notifications import NotificationKind
from models.payments import Dispute, Payment
from resolvers.context import Context
from resolvers.ledger import BOOKKEEPERS, Pot, clearing, post
from resolvers.letters import spell_money
from resolvers.notifications import notify
from resolvers.operations import allow
from subscriptions.facts import announce
from subscriptions.payments import DisputeChanged, PaymentDisputed

OVER = ("won", "lost")
LOST_MONEY = Pot(AccountKind.DISPUTES)
PROVIDER_FEES = Pot(AccountKind.FEES, "stripe")


@allow(*BOOKKEEPERS)
def list_disputes(ctx: Context, *, status: str | None = None) -> Select[Dispute]:
    """Payments that customers ask back through their bank, newest first."""
    found = select(Dispute).order_by(Dispute.id.desc())
    return found if status is None else found.where(Dispute.status == status)


async def note_dispute(db: AsyncSession, payment: Payment, told: Disputed) -> None:
    """Write down how a dispute of a locked payment stands, and every movement of money once, in whatever order it is told."""
    dispute = await db.scalar(select(Dispute).where(Dispute.provider_id == told.id))
    if dispute is None:
        dispute = Dispute(
            payment_id=payment.id,
            provider_id=told.id,
            amount=from_minor(told.amount, told.currency),
            currency=told.currency,
            status=told.status,
            reason=told.reason,
            answer_by=told.answer_by,
        )
        db.add(dispute)
        await db.flush()
        await announce(db, PaymentDisputed(dispute))
        await _tell_staff(db, payment, dispute, "opened")
    elif dispute.status != told.status and dispute.status not in OVER:
        dispute.status, dispute.answer_by = told.status, told.answer_by
        await announce(db, DisputeChanged(dispute))
        if told.status in OVER:
            await _tell_staff(db, payment, dispute, told.status)
    for movement in told.movements:
        amount, fee = (from_minor(each, movement.currency) for each in (movement.amount, movement.fee))
        entries = {LOST_MONEY: -amount, PROVIDER_FEES: fee, clearing(payment.provider): amount - fee}
        await post(
            db,
            f"dispute:{movement.id}",
            f"Dispute {dispute.provider_id}: money {'taken' if amount < 0 else 'given'} back by the bank",
            {pot: value for pot, value in entries.items() if value},
            movement.currency,
            payment_id=payment.id,
            booking_id=payment.booking_id,
        )


async def _tell_staff(db: AsyncSession, payment: Payment, dispute: Dispute, what: str) -> None:
    """Tell everybody who keeps the books, each once."""
    keepers = (
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .where(UserRole.role.in_(BOOKKEEPERS), UserRole.is_approved, User.is_active)
        .distinct()
        .order_by(User.id)
    )
    facts = {
        "dispute": dispute.provider_id,
        "state": what,
        "amount": spell_money(dispute.amount, dispute.currency),
        "reason": dispute.reason,
        "answer_by": f"{dispute.answer_by:%d %B %Y, %H:%M} UTC" if dispute.answer_by and what == "opened" else "",
        "payment": f"{payment.id}, {payment.provider_id}",
    }
    for keeper in (await db.scalars(keepers)).all():
        await notify(db, keeper, NotificationKind.PAYMENT_DISPUTED, facts, cause=f"dispute:{dispute.id}:{what}:{keeper}")
