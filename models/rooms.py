"""Rooms of a location, the devices in them, and the scenes that set them."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, Visible

if TYPE_CHECKING:
    from models.catalogue import Category
    from models.scheduling import Location, Resource


class Room(Visible):
    """A room in which appointments take place."""

    __tablename__ = "rooms"

    location_id: Mapped[int] = mapped_column(ForeignKey("locations.id"), index=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("resources.id"), unique=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"), doc="Which services it suits; empty: all.")
    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    number: Mapped[int] = mapped_column(unique=True, doc="Number on the door, as in room-123.")
    is_active: Mapped[bool] = mapped_column(default=True, doc="Whether it can be booked.")

    location: Mapped["Location"] = relationship(lazy="raise", doc="Where it is.")
    category: Mapped["Category | None"] = relationship(lazy="raise", doc="Which services it suits; none: all.")
    resource: Mapped["Resource"] = relationship(lazy="raise")
    devices: Mapped[list["Device"]] = relationship(lazy="raise", viewonly=True, order_by="Device.id", doc="Devices in the room.")


class DeviceType(StrEnum):
    """What a device does.

    LIGHTING: Lights.
    SCENT: A diffuser of scents.
    TEMPERATURE: A heating or an air conditioner.
    MUSIC: Loudspeakers.
    SCREEN: A screen.
    """

    LIGHTING = "lighting"
    SCENT = "scent"
    TEMPERATURE = "temperature"
    MUSIC = "music"
    SCREEN = "screen"


class Device(Visible):
    """Something in a room that can be set from afar."""

    __tablename__ = "devices"

    room_id: Mapped[int | None] = mapped_column(ForeignKey("rooms.id"), index=True)
    name: Mapped[str] = mapped_column(doc="Name shown to guests.")
    device_type: Mapped[DeviceType] = mapped_column(doc="What it does.")
    zone: Mapped[str] = mapped_column(index=True, doc="The area it serves, such as mensuite_main.")
    # The history does not follow it: devices report every second, and what people change is kept as commands.
    state: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="Its settings as it last reported them.")
    min_value: Mapped[int] = mapped_column(default=0, doc="Smallest value it takes.")
    max_value: Mapped[int] = mapped_column(default=100, doc="Largest value it takes.")
    default_value: Mapped[int] = mapped_column(default=50, doc="Value it starts with.")
    in_maintenance: Mapped[bool] = mapped_column(default=False, doc="Whether it is out of service.")

    room: Mapped[Room | None] = relationship(lazy="raise", doc="Where it stands.")
    heartbeat: Mapped["Heartbeat | None"] = relationship(lazy="raise", viewonly=True, doc="When it was last heard of.")

    __table_args__ = (CheckConstraint("min_value <= default_value AND default_value <= max_value", name="values"),)


class Heartbeat(Model):
    """The last sign of life of a device; apart from it, so that the history is not filled with them."""

    __tablename__ = "device_heartbeats"
    __history__ = False

    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), unique=True)
    seen_at: Mapped[datetime] = mapped_column(doc="When it came, by the real clock.")
    good_until: Mapped[datetime] = mapped_column(doc="Until when the device counts as online.")
    is_missed: Mapped[bool] = mapped_column(default=False, doc="Whether it was announced that the device went offline.")


class DeviceAction(StrEnum):
    """What can be asked of a device.

    SET_BRIGHTNESS: How bright the light is.
    SET_COLOR: The colour of the light.
    SET_MODE: One of the device's own programmes.
    SET_TEMPERATURE: How warm the room is to be.
    SET_INTENSITY: How strong the scent is.
    SET_VOLUME: How loud the music is.
    SET_PLAYLIST: What music is played.
    TURN_ON: Switch it on.
    TURN_OFF: Switch it off.
    SET_SCENE: What belongs to a scene.
    REVERT: Back to what was set before a command with a duration.
    """

    SET_BRIGHTNESS = "set_brightness"
    SET_COLOR = "set_color"
    SET_MODE = "set_mode"
    SET_TEMPERATURE = "set_temperature"
    SET_INTENSITY = "set_intensity"
    SET_VOLUME = "set_volume"
    SET_PLAYLIST = "set_playlist"
    TURN_ON = "turn_on"
    TURN_OFF = "turn_off"
    SET_SCENE = "set_scene"
    REVERT = "revert"


class CommandStatus(StrEnum):
    """How far a command to a device has come.

    SENT: On its way; the device has not answered.
    DONE: The device has followed it.
    REFUSED: The device said no.
    TIMED_OUT: The device did not answer in time.
    """

    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"


COMMAND_MOVES = {CommandStatus.SENT: {CommandStatus.DONE, CommandStatus.REFUSED, CommandStatus.TIMED_OUT}}


class DeviceCommand(Visible):
    """One order to one device, with what became of it."""

    __tablename__ = "device_commands"

    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    action: Mapped[DeviceAction] = mapped_column(doc="What is to be done.")
    value: Mapped[dict[str, Any]] = mapped_column(doc="The settings to change.")
    status: Mapped[CommandStatus] = mapped_column(default=CommandStatus.SENT, doc="How far it has come.")
    duration_seconds: Mapped[int | None] = mapped_column(doc="After how many seconds the change is reverted.")
    previous_state: Mapped[dict[str, Any]] = mapped_column(doc="The settings before.")
    answered_at: Mapped[datetime | None] = mapped_column(doc="When the device answered.")

    device: Mapped[Device] = relationship(lazy="raise", doc="The device it was sent to.")

    __table_args__ = (
        Index(None, "device_id", "created_at", "id"),
        Index("ix_device_commands_sent", "id", postgresql_where=text("status = 'sent'")),
    )


class SceneType(StrEnum):
    """Who made a scene.

    PRESET: Made by the house, for everybody.
    CUSTOM: Made by a person.
    """

    PRESET = "preset"
    CUSTOM = "custom"


class Scene(Visible):
    """Settings for all devices of a zone at once."""

    __tablename__ = "scenes"

    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(doc="Name shown to guests.")
    slug: Mapped[str] = mapped_column(doc="Name in addresses, unique per owner.")
    description: Mapped[str] = mapped_column(default="", doc="What it feels like.")
    scene_type: Mapped[SceneType] = mapped_column(default=SceneType.CUSTOM, doc="Preset by the house, or made by a guest.")
    zone: Mapped[str] = mapped_column(doc="The area it is made for.")
    device_settings: Mapped[dict[str, Any]] = mapped_column(doc="Settings by device type.")
    usage_count: Mapped[int] = mapped_column(default=0, doc="How often it was activated.")
    is_public: Mapped[bool] = mapped_column(default=False, doc="Whether everybody may use it.")

    __table_args__ = (UniqueConstraint("owner_id", "slug", postgresql_nulls_not_distinct=True),)
