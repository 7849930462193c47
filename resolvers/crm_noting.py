"""What the house tells its own CRM: written in the transaction of the booking, so that no booking is without its notice."""

from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from models.bookings import Booking
from models.events import Event


class CrmNoticeStatus(StrEnum):
    """What a notice tells."""

    RECEIVED = "received"
    CANCELLED = "cancelled"


async def note_for_crm(
    db: AsyncSession, booking: Booking, kind: CrmNoticeStatus = CrmNoticeStatus.RECEIVED, *, event_id: int | None = None
) -> None:
    """Tell the CRM of an event's booking in this transaction."""


async def note_event_for_crm(db: AsyncSession, event: Event) -> None:
    """Tell the CRM, in this transaction, that an event which people have booked is another one now."""
