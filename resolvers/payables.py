"""What people pay for: all that payments need to know of each kind of thing.

How a new kind of thing joins:
1. `models/payments.py`: a column of `payments` that names its row, unique, with a check that only its purpose fills it, and the purpose.
2. A class as below, in `resolvers/<kind>_payments.py`, and its line in PAYABLES. Confirming, webhooks, refunds and the books then work.
3. An operation that takes the money: it calls `begin` (resolvers/charging.py) with a coroutine that finds or makes the thing, locked, and
   then either answers the client secret, or calls `charge` with a card. create_payment_intent is the shortest example.
"""

from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from models.base import Model
from models.payments import Payment, PaymentPurpose
from resolvers.booking_payments import PayableBookings
from resolvers.membership_payments import PayableTerms
from resolvers.purchase_payments import PayablePurchases


class Payable(Protocol):
    """One kind of thing that is paid for; the methods are called with the thing and its payment locked."""

    name: str
    """What it is called in sentences."""
    table: type[Model]
    column: str
    """The column of `payments` that names its row."""

    async def lock(self, db: AsyncSession, id: int) -> Any:
        """The thing, locked, and before it whatever else must be; a payment is only ever locked after its thing."""

    def payer(self, thing: Any) -> int:
        """Whose money it takes."""

    def price(self, thing: Any) -> tuple[Decimal, str]:
        """Amount and currency; never the client's word."""

    def check(self, thing: Any) -> None:
        """Raise Conflict when it cannot be paid for, or not any more."""

    async def tell(self, db: AsyncSession, thing: Any, payment: Payment) -> None:
        """Note on the thing how its payment stands now."""

    async def paid(self, db: AsyncSession, thing: Any, payment: Payment) -> None:
        """What follows from the money, in the transaction that counts it; when it comes too late, `give_back`."""

    async def describe(self, db: AsyncSession, thing: Any) -> list[str]:
        """What it is, line by line, as it stands on a receipt."""

    async def refunded(self, db: AsyncSession, thing: Any, payment: Payment) -> None:
        """What follows when money went back; payment.status says whether all of it."""


PAYABLES: dict[PaymentPurpose, Payable] = {
    PaymentPurpose.SERVICE: PayableBookings(),
    PaymentPurpose.MEMBERSHIP: PayableTerms(),
    PaymentPurpose.PRODUCT: PayablePurchases(),
}


async def thing_of(db: AsyncSession, payment: Payment) -> tuple[Payable, Any | None]:
    """What a locked payment is for, locked before it and so at hand already; nothing for a payment that stands alone."""
    payable = PAYABLES[payment.purpose]
    id = getattr(payment, payable.column)
    return payable, None if id is None else await db.get_one(payable.table, id)


async def tell_thing(db: AsyncSession, payment: Payment) -> None:
    """Note on what is paid for how its payment stands."""
    payable, thing = await thing_of(db, payment)
    if thing is not None:
        await payable.tell(db, thing, payment)
