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
