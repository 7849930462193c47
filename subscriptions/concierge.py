"""What is announced about requests to the concierge."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.concierge import ConciergeRequest


@dataclass(frozen=True)
class ConciergeFact:
    """Something happened to a request; its customer and the staff may know."""

    kind: ClassVar[str]
    request: ConciergeRequest

    @property
    def topics(self) -> list[str]:
        return ["concierge", f"user:{self.request.customer_id}"]

    @property
    def subject_id(self) -> int:
        return self.request.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.request.status}


@dataclass(frozen=True)
class ConciergeRequested(ConciergeFact):
    """Somebody asked for something."""

    kind = "concierge.requested"


@dataclass(frozen=True)
class ConciergeMoved(ConciergeFact):
    """A request has another status."""

    kind = "concierge.moved"


@dataclass(frozen=True)
class ConciergeChanged(ConciergeFact):
    """Price, budget, day or whoever looks after a request changed, or staff wrote something."""

    kind = "concierge.changed"
