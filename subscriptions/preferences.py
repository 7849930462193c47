"""What is announced about preferences, and about rooms that are set for their guests."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.preferences import EquipmentSync


@dataclass(frozen=True)
class PreferencesChanged:
    """A person said how they like a room; which of their words changed, not what they are."""

    kind: ClassVar[str] = "preferences.changed"
    user_id: int
    changed: list[str]

    @property
    def topics(self) -> list[str]:
        return [f"user:{self.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.user_id

    @property
    def data(self) -> dict[str, Any]:
        return {"changed": self.changed}


@dataclass(frozen=True)
class EquipmentSynced:
    """A room was to be set for its guest: it waits for the appointment, or its devices were asked."""

    kind: ClassVar[str] = "equipment.synced"
    sync: EquipmentSync
    customer_id: int
    room_id: int

    @property
    def topics(self) -> list[str]:
        return [f"room:{self.room_id}", f"booking:{self.sync.booking_id}", f"user:{self.customer_id}"]

    @property
    def subject_id(self) -> int:
        return self.sync.booking_id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.sync.status, "missed": self.sync.missed}
