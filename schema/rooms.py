"""What clients see of rooms: the devices in them, scenes, and what became of commands."""

from datetime import datetime

import strawberry
from sqlalchemy import exists, func

from models import rooms as tables
from models.rooms import CommandStatus, DeviceAction, DeviceType, Heartbeat, SceneType
from resolvers.device_events import DeviceEventKind, follow_devices
from resolvers.device_register import create_device, update_device
from resolvers.inputs.scalars import Json
from resolvers.rooms import control_device, get_device, list_devices, list_rooms
from resolvers.scenes import activate_scene, create_scene, delete_scene, list_scenes, update_scene
from schema.catalogue import Category
from schema.fields import Connection, Record, column, expression, operation, related, shows


@shows(tables.Room)
class Room(Record):
    """A room in which appointments take place."""

    name: str
    door_number: int = column("number")
    is_active: bool
    location_name: str = column("location.name")
    time_zone: str = column("location.time_zone")
    category: Category | None = related("category")


@shows(tables.Device)
class Device(Record):
    """Something in a room that can be set from afar."""

    name: str
    device_type: DeviceType
    zone: str
    state: Json
    is_online: bool = expression(
        lambda device: ~device.in_maintenance & exists().where(Heartbeat.device_id == device.id, Heartbeat.good_until > func.now()),
        "Whether its last heartbeat is recent; false while it is out of service.",
    )
    in_maintenance: bool
    min_value: int
    max_value: int
    default_value: int
    seen_at: datetime | None = column("heartbeat.seen_at")
    room: Room | None = related("room")


@shows(tables.DeviceCommand)
class DeviceCommand(Record):
    """One order to one device, with what became of it."""

    action: DeviceAction
    value: Json
    status: CommandStatus
    duration_seconds: int | None
    answered_at: datetime | None


@shows(tables.Scene)
class Scene(Record):
    """Settings for all devices of a zone at once."""

    name: str
    slug: str
    description: str
    scene_type: SceneType
    zone: str
    device_settings: Json
    usage_count: int
    is_public: bool


@strawberry.type(description="What became of a command to a device.")
class ControlResult:
    """The device as it is now, and the command."""

    success: bool = strawberry.field(description="Whether the device followed; false when it refused or kept silent.")
    message: str = strawberry.field(description="The same in words.")
    device: Device = strawberry.field(description="The device with its present state.")
    command: DeviceCommand = strawberry.field(description="The command.")


@strawberry.type(description="What became of a scene.")
class SceneActivation:
    """The scene, and the devices that did not follow."""

    success: bool = strawberry.field(description="Whether every device followed.")
    message: str = strawberry.field(description="The same in words.")
    scene: Scene = strawberry.field(description="The scene.")
    failed_devices: list[Device] = strawberry.field(description="Devices that refused, kept silent, or are out of service.")


@strawberry.type(description="What became of a scene that was to be deleted.")
class SceneDeletion:
    """Nothing is left of it."""

    deleted: bool = strawberry.field(description="Always true; a scene that is not the viewer's is not found.")


strawberry.enum(DeviceEventKind, description=DeviceEventKind.__doc__)


@strawberry.type(description="Something that happened to a device.")
class DeviceEvent:
    """An event of the log, with the device as it is now."""

    cursor: str = strawberry.field(description="Where to go on after this event: give it as `after`.")
    kind: DeviceEventKind = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened.")
    device: Device | None = strawberry.field(description="The device as it is now; none once the reader may not see it.")
    command: DeviceCommand | None = strawberry.field(description="The command that was answered, if the event is about one.")


@strawberry.type
class RoomQueries:
    """Rooms, and what can be set in them."""

    rooms: Connection[Room] = operation(list_rooms)
    devices: Connection[Device] = operation(list_devices)
    device: Device = operation(get_device)
    scenes: Connection[Scene] = operation(list_scenes)


@strawberry.type
class RoomMutations:
    """Setting rooms."""

    control_device: ControlResult = operation(control_device)
    create_device: Device = operation(create_device)
    update_device: Device = operation(update_device)
    create_scene: Scene = operation(create_scene)
    update_scene: Scene = operation(update_scene)
    delete_scene: SceneDeletion = operation(delete_scene)
    activate_scene: SceneActivation = operation(activate_scene)


@strawberry.type
class RoomSubscriptions:
    """Following devices."""

    device_events: DeviceEvent = operation(follow_devices)
