"""The books: posting movements of money, each once, and reading what they add up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.bookings import Booking
from models.identity import Role, User
from models.keys import Key
from models.ledger import Account, AccountKind, Entry, LedgerTransaction
from models.payments import Payment, PaymentPurpose, Provider
from resolvers.context import Context
from resolvers.operations import allow

BOOKKEEPERS = (Role.SUPER_ADMIN, Role.ADMIN, Role.FINANCE)


@dataclass(frozen=True, order=True)
class Pot:
    """An account by what it is; its row is made when money first moves there."""

    kind: AccountKind
    name: str = ""
    owner_id: int | None = None


def clearing(provider: Provider) -> Pot:
    """Money that a payment provider holds for us; cash is in the till."""
    return Pot(AccountKind.CASH) if provider is Provider.CASH else Pot(AccountKind.PROVIDER_CLEARING, provider.value)


def revenue(purpose: PaymentPurpose) -> Pot:
    """What we earned with one thing that we sell."""
    return Pot(AccountKind.REVENUE, purpose.value)


def refunds(purpose: PaymentPurpose) -> Pot:
    """What of it we gave back."""
    return Pot(AccountKind.REFUNDS, purpose.value)


async def post(
    db: AsyncSession,
    cause: str,
    description: str,
    entries: Mapping[Pot, Decimal],
    currency: str,
    *,
    payment_id: int | None = None,
    booking_id: int | None = None,
) -> bool:
    """Post a movement (positive is debit, negative is credit), once per cause; false when it was posted before."""
    if not entries or sum(entries.values()) != 0 or 0 in entries.values():
        raise ValueError(f"{cause}: entries must be there, differ from zero, and sum to zero")
    posted = insert(LedgerTransaction).values(cause=cause, description=description, payment_id=payment_id, booking_id=booking_id)
    transaction_id = await db.scalar(posted.on_conflict_do_nothing(index_elements=["cause"]).returning(LedgerTransaction.id))
    if transaction_id is None:
        return False
    for pot in sorted(entries, key=lambda pot: (pot.kind, pot.name, pot.owner_id or 0)):  # one order, so that posters never deadlock
        account_id = await _account(db, pot, currency)
        db.add(Entry(transaction_id=transaction_id, account_id=account_id, amount=entries[pot], currency=currency))
    await db.flush()
    return True


async def balance(db: AsyncSession, pot: Pot, currency: str) -> Decimal:
    """What an account holds; zero when no money ever moved there."""
    total = select(func.coalesce(func.sum(Entry.amount), 0)).join(Account, Account.id == Entry.account_id)
    return Decimal(await db.scalar(total.where(*_is(pot, currency))) or 0)


def balance_of(account: type[Account]) -> ColumnElement[Decimal]:
    """The balance of each account of a statement."""
    total = select(func.coalesce(func.sum(Entry.amount), 0)).where(Entry.account_id == account.id)
    return total.scalar_subquery()


async def _account(db: AsyncSession, pot: Pot, currency: str) -> int:
    found = select(Account.id).where(*_is(pot, currency))
    if (number := await db.scalar(found)) is not None:
        return number
    made = insert(Account).values(kind=pot.kind, name=pot.name, owner_id=pot.owner_id, currency=currency)
    await db.execute(made.on_conflict_do_nothing(index_elements=["kind", "name", "owner_id", "currency"]))
    return (await db.scalars(found)).one()


def _is(pot: Pot, currency: str) -> list[ColumnElement[bool]]:
    return [
        Account.kind == pot.kind,
        Account.name == pot.name,
        Account.owner_id.is_not_distinct_from(pot.owner_id),
        Account.currency == currency,
    ]


@allow(*BOOKKEEPERS)
def list_accounts(ctx: Context, *, kind: AccountKind | None = None, owner_id: Key[User] | None = None) -> Select[Account]:
    """The chart of accounts; each shows its balance."""
    found = select(Account).order_by(Account.kind, Account.name, Account.currency, Account.id)
    if kind is not None:
        found = found.where(Account.kind == kind)
    return found.where(Account.owner_id == owner_id.of(User)) if owner_id else found


@allow(*BOOKKEEPERS)
def list_ledger_transactions(
    ctx: Context, *, payment_id: Key[Payment] | None = None, booking_id: Key[Booking] | None = None
) -> Select[LedgerTransaction]:
    """Movements of money, newest first."""
    found = select(LedgerTransaction).order_by(LedgerTransaction.id.desc())
    if payment_id:
        found = found.where(LedgerTransaction.payment_id == payment_id.of(Payment))
    if booking_id:
        found = found.where(LedgerTransaction.booking_id == booking_id.of(Booking))
    return found
