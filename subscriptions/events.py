"""What is announced about events and the seats at them."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.bookings import Booking
from models.events import Event


@dataclass(frozen=True)
class EventFact:
    """Something happened to an event; everybody may know, and its facilitator follows it."""

    kind: ClassVar[str]
    event: Event

    @property
    def topics(self) -> list[str]:
        return ["events", f"event:{self.event.id}", f"facilitator:{self.event.facilitator_id}"]

    @property
    def subject_id(self) -> int:
        return self.event.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.event.status, "starts_at": self.event.starts_at.isoformat()}


@dataclass(frozen=True)
class EventCreated(EventFact):
    """An event can be booked."""

    kind = "event.created"


@dataclass(frozen=True)
class EventChanged(EventFact):
    """What is told about an event was changed; `changed` names what."""

    kind = "event.changed"
    changed: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        return super().data | {"changed": list(self.changed)}


@dataclass(frozen=True)
class EventCancelled(EventFact):
    """An event does not take place."""

    kind = "event.cancelled"


@dataclass(frozen=True)
class EventCompleted(EventFact):
    """An event has taken place."""

    kind = "event.completed"


@dataclass(frozen=True)
class SeatFact:
    """Something happened to somebody's seats; they, the facilitator and the staff may know."""

    kind: ClassVar[str]
    booking: Booking
    event_id: int
    facilitator_id: int
    seats: int

    @property
    def topics(self) -> list[str]:
        booking = self.booking
        return ["event bookings", f"booking:{booking.id}", f"user:{booking.customer_id}", f"facilitator:{self.facilitator_id}"]

    @property
    def subject_id(self) -> int:
        return self.booking.id

    @property
    def data(self) -> dict[str, Any]:
        return {"event_id": self.event_id, "seats": self.seats, "status": self.booking.status}


@dataclass(frozen=True)
class EventBooked(SeatFact):
    """Somebody took seats at an event."""

    kind = "event.booked"


@dataclass(frozen=True)
class EventBookingCancelled(SeatFact):
    """Somebody's seats at an event are free again."""

    kind = "event.booking_cancelled"
