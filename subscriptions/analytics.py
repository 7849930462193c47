"""What is announced about ratings."""

from dataclasses import dataclass
from typing import Any

from subscriptions.bookings import BookingFact


@dataclass(frozen=True)
class BookingRated(BookingFact):
    """A customer rated a completed booking, or changed the rating."""

    kind = "booking.rated"

    @property
    def data(self) -> dict[str, Any]:
        return super().data | {"rating": self.booking.rating}
