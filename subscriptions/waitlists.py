"""What is announced about waiting lists."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.waitlists import WaitlistEntry


@dataclass(frozen=True)
class WaitlistFact:
    """Something happened to somebody's place in a waiting list; they and the staff may know."""

    kind: ClassVar[str]
    entry: WaitlistEntry

    @property
    def topics(self) -> list[str]:
        return ["waitlists", f"user:{self.entry.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.entry.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.entry.status, "event_id": self.entry.event_id, "quantity": self.entry.quantity}


@dataclass(frozen=True)
class WaitlistJoined(WaitlistFact):
    """Somebody waits."""

    kind = "waitlist.joined"


@dataclass(frozen=True)
class WaitlistOffered(WaitlistFact):
    """Something is kept for somebody who waited."""

    kind = "waitlist.offered"


@dataclass(frozen=True)
class WaitlistTaken(WaitlistFact):
    """Somebody has booked what was kept for them."""

    kind = "waitlist.taken"


@dataclass(frozen=True)
class WaitlistExpired(WaitlistFact):
    """Nobody took an offer in time."""

    kind = "waitlist.expired"


@dataclass(frozen=True)
class WaitlistLeft(WaitlistFact):
    """Somebody does not wait any more."""

    kind = "waitlist.left"


@dataclass(frozen=True)
class WaitlistClosed(WaitlistFact):
    """Nothing will become free any more."""

    kind = "waitlist.closed"
