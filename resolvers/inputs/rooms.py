"""What clients send about rooms."""

import strawberry

from models.rooms import DeviceType
from resolvers.inputs.scalars import Json


@strawberry.input(description="Which devices.")
class DeviceFilter:
    """All conditions that are given must hold."""

    zone: str | None = strawberry.field(default=None, description="The area they serve, such as mensuite_main.")
    device_type: DeviceType | None = strawberry.field(default=None, description="What they do.")
    room_id: strawberry.ID | None = strawberry.field(default=None, description="The room they stand in.")


@strawberry.input(description="A scene of one's own.")
class SceneInput:
    """Settings for all devices of a zone at once."""

    name: str = strawberry.field(description="Name shown to guests, at most 80 characters.")
    description: str = strawberry.field(default="", description="What it feels like, at most 500 characters.")
    zone: str = strawberry.field(description="The area it is made for.")
    device_settings: Json = strawberry.field(description='Settings by device type: {"lighting": {"brightness": 60}, "temperature": 70}.')
    is_public: bool = strawberry.field(default=False, description="Whether everybody may use it.")


@strawberry.input(description="What to change of a scene.")
class ScenePatch:
    """What is left out stays as it is."""

    name: str | None = strawberry.field(default=None, description="Name shown to guests, at most 80 characters.")
    description: str | None = strawberry.field(default=None, description="What it feels like, at most 500 characters.")
    device_settings: Json | None = strawberry.field(default=None, description="Settings by device type, as in a new scene.")
    is_public: bool | None = strawberry.field(default=None, description="Whether everybody may use it.")


@strawberry.input(description="A device that comes into the house.")
class DeviceInput:
    """What is to be known of it before it speaks."""

    name: str = strawberry.field(description="Name shown to guests, at most 80 characters.")
    device_type: DeviceType = strawberry.field(description="What it does.")
    zone: str = strawberry.field(description="The area it serves, such as mensuite_main.")
    room_id: strawberry.ID | None = strawberry.field(default=None, description="The room it stands in.")
    min_value: int | None = strawberry.field(default=None, description="Smallest value it takes; usual for its kind when left out.")
    max_value: int | None = strawberry.field(default=None, description="Largest value it takes; usual for its kind when left out.")
    default_value: int | None = strawberry.field(default=None, description="Value it starts with; usual for its kind when left out.")


@strawberry.input(description="What to change of a device.")
class DevicePatch:
    """What is left out stays as it is."""

    name: str | None = strawberry.field(default=None, description="Name shown to guests, at most 80 characters.")
    zone: str | None = strawberry.field(default=None, description="The area it serves, such as mensuite_main.")
    room_id: strawberry.ID | None = strawberry.field(default=None, description="The room it stands in.")
    min_value: int | None = strawberry.field(default=None, description="Smallest value it takes.")
    max_value: int | None = strawberry.field(default=None, description="Largest value it takes.")
    default_value: int | None = strawberry.field(default=None, description="Value it starts with.")
    in_maintenance: bool | None = strawberry.field(default=None, description="Whether it is out of service.")
