"""What is announced about sessions."""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from models.identity import Session

AUTHORITY = "authority"
"""The topic of whatever changes what somebody may do; the server's own processes follow it, and nobody else."""


def session_topic(family: UUID) -> str:
    """The topic of one session; only the connections that were opened by it follow it."""
    return f"session:{family}"


@dataclass(frozen=True)
class SessionEnded:
    """A session ended before its time: whatever is connected by it must be closed."""

    kind: ClassVar[str] = "session.ended"
    session: Session

    @property
    def topics(self) -> list[str]:
        return [session_topic(self.session.family), f"user:{self.session.user_id}", AUTHORITY]

    @property
    def subject_id(self) -> int:
        return self.session.id

    @property
    def data(self) -> dict[str, Any]:
        return {"reason": self.session.end_reason}


def whose(topics: tuple[str, ...]) -> int:
    """The person whom an event of the topic `authority` is about."""
    return next(int(each.removeprefix("user:")) for each in topics if each.startswith("user:"))
