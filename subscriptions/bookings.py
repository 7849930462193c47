"""What is announced about bookings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from models.bookings import Booking
from models.scheduling import Hold


@dataclass(frozen=True)
class BookingFact:
    """Something happened to a booking; its customer and the staff may know."""

    kind: ClassVar[str]
    booking: Booking

    @property
    def topics(self) -> list[str]:
        return ["bookings", f"booking:{self.booking.id}", f"user:{self.booking.customer_id}"]

    @property
    def subject_id(self) -> int:
        return self.booking.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.booking.status, "payment_status": self.booking.payment_status}


@dataclass(frozen=True)
class BookingRequested(BookingFact):
    """A booking was made."""

    kind = "booking.requested"


@dataclass(frozen=True)
class BookingConfirmed(BookingFact):
    """A booking holds."""

    kind = "booking.confirmed"


@dataclass(frozen=True)
class BookingRescheduled(BookingFact):
    """A booking was moved to another time, and perhaps another room."""

    kind = "booking.rescheduled"
    previous_starts_at: datetime
    previous_ends_at: datetime

    @property
    def data(self) -> dict[str, Any]:
        previous = {"previous_starts_at": self.previous_starts_at.isoformat(), "previous_ends_at": self.previous_ends_at.isoformat()}
        return super().data | previous


@dataclass(frozen=True)
class GuestArrived(BookingFact):
    """The customer has checked in at the entrance."""

    kind = "booking.guest_arrived"


@dataclass(frozen=True)
class BookingStarted(BookingFact):
    """The customer is there, and the service has begun."""

    kind = "booking.started"


@dataclass(frozen=True)
class BookingCompleted(BookingFact):
    """The service was given."""

    kind = "booking.completed"


@dataclass(frozen=True)
class BookingCancelled(BookingFact):
    """A booking does not hold any more; its time is free."""

    kind = "booking.cancelled"


@dataclass(frozen=True)
class BookingPaid(BookingFact):
    """The money for a booking has come in."""

    kind = "booking.paid"


@dataclass(frozen=True)
class BookingRefunded(BookingFact):
    """Money for a booking went back."""

    kind = "booking.refunded"


@dataclass(frozen=True)
class HoldFact:
    """Something happened to a slot that is kept for a person."""

    kind: ClassVar[str]
    hold: Hold

    @property
    def topics(self) -> list[str]:
        return ["holds", f"user:{self.hold.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.hold.id

    @property
    def data(self) -> dict[str, Any]:
        return {"room_id": self.hold.room_id, "starts_at": self.hold.starts_at.isoformat(), "ends_at": self.hold.ends_at.isoformat()}


@dataclass(frozen=True)
class HoldPlaced(HoldFact):
    """A slot is kept for a person."""

    kind = "hold.placed"


@dataclass(frozen=True)
class HoldReleased(HoldFact):
    """A slot is not kept any more: given back, or expired."""

    kind = "hold.released"
