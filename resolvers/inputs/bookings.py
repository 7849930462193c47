"""How a client narrows and orders bookings."""

from datetime import datetime
from enum import StrEnum

import strawberry

from models.bookings import BookingKind, BookingStatus


class BookingOrder(StrEnum):
    """In which order bookings come.

    NEWEST: Those made last come first.
    SOONEST: Those that begin first come first.
    """

    NEWEST = "newest"
    SOONEST = "soonest"


@strawberry.input(description="Which bookings; everything that is given must hold.")
class BookingFilter:
    """Conditions on bookings."""

    kind: BookingKind | None = strawberry.field(default=None, description="Of this line of business.")
    status: BookingStatus | None = strawberry.field(default=None, description="In this state.")
    upcoming: bool | None = strawberry.field(default=None, description="Only those not over and not cancelled, or only the others.")
    starts_after: datetime | None = strawberry.field(default=None, description="Beginning at this moment or later.")
    starts_before: datetime | None = strawberry.field(default=None, description="Beginning before this moment.")
