"""What is announced about rooms and the devices in them."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from models.rooms import DeviceCommand


class Described(Protocol):
    """What is told of a device, be it a row as a whole or a part of one."""

    @property
    def id(self) -> int: ...
    @property
    def room_id(self) -> int | None: ...
    @property
    def state(self) -> dict[str, Any]: ...


def _topics(device: Described) -> list[str]:
    return ["devices", f"device:{device.id}", *([f"room:{device.room_id}"] if device.room_id is not None else [])]


@dataclass(frozen=True)
class DeviceFact:
    """Something happened to a device; whoever may be in its room may know."""

    kind: ClassVar[str]
    device: Described

    @property
    def topics(self) -> list[str]:
        return _topics(self.device)

    @property
    def subject_id(self) -> int:
        return self.device.id

    @property
    def data(self) -> dict[str, Any]:
        return {"state": self.device.state}


@dataclass(frozen=True)
class DeviceChanged(DeviceFact):
    """A device reported another state."""

    kind = "device.changed"


@dataclass(frozen=True)
class DeviceOnline(DeviceFact):
    """A device was heard of again."""

    kind = "device.online"


@dataclass(frozen=True)
class DeviceOffline(DeviceFact):
    """A device was not heard of in time."""

    kind = "device.offline"


@dataclass(frozen=True)
class CommandAnswered:
    """A command was carried out, refused or timed out; besides the room's readers, whoever gave it may know."""

    kind: ClassVar[str] = "command.answered"
    command: DeviceCommand
    device: Described

    @property
    def topics(self) -> list[str]:
        giver = self.command.user_id
        return [*_topics(self.device), *([f"user:{giver}"] if giver is not None else [])]

    @property
    def subject_id(self) -> int:
        return self.command.id

    @property
    def data(self) -> dict[str, Any]:
        return {"device_id": self.device.id, "action": self.command.action, "status": self.command.status}
