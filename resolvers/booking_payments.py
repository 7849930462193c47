"""Bookings as payments see them: what one costs, when it can be paid for, and what follows from the money."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict
from models.base import Model
from models.bookings import BOOKING_MOVES, Booking, BookingAddon, BookingStatus, PaymentStatus
from models.catalogue import Service
from models.payments import PAYMENT_MOVES, Payment
from models.scheduling import Location
from resolvers.booking_mails import News, tell_about
from resolvers.giving_back import give_back
from resolvers.moves import move
from subscriptions.bookings import BookingConfirmed, BookingPaid, BookingRefunded
from subscriptions.facts import announce


class PayableBookings:
    """A booking has one payment at most, of its total."""

    name = "booking"
    table: type[Model] = Booking
    column = "booking_id"

    async def lock(self, db: AsyncSession, id: int) -> Booking:
        """The booking, locked."""
        fresh: dict[str, Any] = {"with_for_update": {"key_share": True}, "populate_existing": True}
        return await db.get_one(Booking, id, **fresh)

    def payer(self, thing: Booking) -> int:
        """Its customer."""
        return thing.customer_id

    def price(self, thing: Booking) -> tuple[Decimal, str]:
        """Its total."""
        return thing.total_amount, thing.currency

    def check(self, thing: Booking) -> None:
        """Only a booking that holds and is not paid can be paid for."""
        if thing.status is BookingStatus.CANCELLED:
            raise Conflict("The booking is cancelled.")
        if thing.payment_status in (PaymentStatus.CHARGED, PaymentStatus.REFUNDED):
            raise Conflict("The booking is paid already.")

    async def tell(self, db: AsyncSession, thing: Booking, payment: Payment) -> None:
        """The booking shows its payment's status."""
        if thing.payment_status != payment.status:
            await move(db, thing, payment.status, PAYMENT_MOVES, "payment_status")

    async def paid(self, db: AsyncSession, thing: Booking, payment: Payment) -> None:
        """Who has paid is expected; money for what was cancelled meanwhile goes back."""
        was_pending = thing.status is BookingStatus.PENDING
        if was_pending:
            await move(db, thing, BookingStatus.CONFIRMED, BOOKING_MOVES)
        elif thing.status is BookingStatus.CANCELLED:
            await give_back(db, payment, "The booking was cancelled before it was paid.")
        await announce(db, BookingPaid(thing))
        if was_pending:
            await announce(db, BookingConfirmed(thing))
            await tell_about(db, thing, News.CONFIRMED)

    async def describe(self, db: AsyncSession, thing: Booking) -> list[str]:
        """The service with its day and hour, and every extra."""
        service = await db.get(Service, thing.service_id) if thing.service_id else None
        location = await db.get(Location, thing.location_id) if thing.location_id else None
        starts = thing.starts_at.astimezone(ZoneInfo(location.time_zone if location else "UTC"))
        addons = await db.scalars(select(BookingAddon.name).where(BookingAddon.booking_id == thing.id).order_by(BookingAddon.id))
        what = f"{service.name if service else 'Booking'}, {starts.day} {starts:%B %Y, %H:%M}"
        return [what, *addons, f"Booking {thing.reference}"]

    async def refunded(self, db: AsyncSession, thing: Booking, payment: Payment) -> None:
        """Whoever follows the booking learns of it."""
        await announce(db, BookingRefunded(thing))
