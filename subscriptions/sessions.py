"""What is announced about sessions."""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from models.identity import Session


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
        return [session_topic(self.session.family), f"user:{self.session.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.session.id

    @property
    def data(self) -> dict[str, Any]:
        return {"reason": self.session.end_reason}
