"""Visits for tests: services of several kinds, and who had which of them when."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from models.bookings import Appointment, Booking, BookingKind, BookingStatus, PaymentStatus
from models.catalogue import Service, ServiceLine, SpaService
from models.database import Database
from models.identity import User
from models.payments import Payment, Provider
from tests.worlds import Spa


async def make_service(database: Database, spa: Spa, name: str, service_type: str, **more: Any) -> Service:
    """A service of the spa's category."""
    async with database.sessions.begin() as db:
        slug = name.lower().replace(" ", "-")
        service = Service(line=ServiceLine.SPA, category_id=spa.category.id, name=name, slug=slug, price=Decimal("100.00"), **more)
        db.add(service)
        await db.flush()
        db.add(SpaService(service_id=service.id, member_price=Decimal("80.00"), service_type=service_type))
    return service


def ago(days: float, hour: int = 12) -> datetime:
    """An hour of a day that is past."""
    return datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0) - timedelta(days=days)


async def had(
    database: Database, spa: Spa, person: User, service: Service, *days_ago: float, at: datetime | None = None, **more: Any
) -> list[Booking]:
    """Visits of a person on days so long ago, or at one moment."""
    moments = [at] if at else [ago(each) for each in days_ago]
    return [await make_visit(database, spa, person, service, each, **more) for each in moments]


async def make_visit(
    database: Database,
    spa: Spa,
    person: User,
    service: Service,
    starts_at: datetime,
    *,
    status: BookingStatus = BookingStatus.COMPLETED,
    paid: str | None = None,
    refunded: str = "0.00",
    room: int = 0,
    **more: Any,
) -> Booking:
    """One appointment, with a payment if something was paid."""
    async with database.sessions.begin() as db:
        booking = Booking(
            kind=BookingKind.APPOINTMENT, customer_id=person.id, service_id=service.id, location_id=spa.location.id, status=status,
            starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), total_amount=Decimal(paid or "100.00"), **more,
        )  # fmt: skip
        db.add(booking)
        await db.flush()
        db.add(Appointment(booking_id=booking.id, room_id=spa.rooms[room].id))
        if paid is not None:
            db.add(
                Payment(
                    user_id=person.id, booking_id=booking.id, provider=Provider.CASH, amount=Decimal(paid), status=PaymentStatus.CHARGED,
                    refunded_amount=Decimal(refunded), charged_at=starts_at,
                )
            )  # fmt: skip
    return booking
