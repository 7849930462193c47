"""What is announced about notifications."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.notifications import Notification


@dataclass(frozen=True)
class NotificationFact:
    """Something happened to a notification; only its reader may know."""

    kind: ClassVar[str]
    notification: Notification

    @property
    def topics(self) -> list[str]:
        return [f"user:{self.notification.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.notification.id

    @property
    def data(self) -> dict[str, Any]:
        return {"about": self.notification.kind}


@dataclass(frozen=True)
class NotificationCreated(NotificationFact):
    """Somebody is told something."""

    kind = "notification.created"


@dataclass(frozen=True)
class NotificationRead(NotificationFact):
    """Somebody has read what they were told."""

    kind = "notification.read"
