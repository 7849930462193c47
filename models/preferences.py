"""How people like their room, and what a room was set to for an appointment."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, Visible

if TYPE_CHECKING:
    from models.bookings import Booking
    from models.rooms import Scene


class Preferences(Model):
    """How a person likes a room; whatever is empty was never said."""

    __tablename__ = "preferences"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    default_scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id", ondelete="SET NULL"))
    scene_config: Mapped[dict[str, Any] | None] = mapped_column(doc="Changes of the default scene, by device type.")
    favorite_scents: Mapped[list[str] | None] = mapped_column(doc="Scents that are liked, the best first.")
    favorite_service_types: Mapped[list[str] | None] = mapped_column(doc="Kinds of treatment that are liked, such as massage.")
    scent_intensity: Mapped[int | None] = mapped_column(doc="How strong a scent should be, 0 to 10.")
    lighting_type: Mapped[str | None] = mapped_column(doc="The kind of light, such as warm.")
    lighting_intensity: Mapped[int | None] = mapped_column(doc="How bright the light should be, 0 to 100.")
    preferred_temperature: Mapped[float | None] = mapped_column(doc="How warm the room should be, in degrees Fahrenheit.")
    music_genre: Mapped[str | None] = mapped_column(doc="What music to play, such as ambient.")
    music_volume: Mapped[int | None] = mapped_column(doc="How loud the music should be, 0 to 100.")

    default_scene: Mapped["Scene | None"] = relationship(lazy="raise", viewonly=True, doc="The scene that rooms are set to.")

    __table_args__ = (
        CheckConstraint("scent_intensity BETWEEN 0 AND 10", name="scent"),
        CheckConstraint("lighting_intensity BETWEEN 0 AND 100", name="lighting"),
        CheckConstraint("preferred_temperature BETWEEN 50 AND 110", name="temperature"),
        CheckConstraint("music_volume BETWEEN 0 AND 100", name="music"),
    )


class SyncStatus(StrEnum):
    """How far a room has been set for its guest.

    WAITING: Nobody has set it yet.
    DONE: Every device has followed.
    PARTLY: Some devices have not followed; they are asked again.
    """

    WAITING = "waiting"
    DONE = "done"
    PARTLY = "partly"


class EquipmentSync(Visible):
    """What the room of an appointment is to be set to, and whether its devices followed."""

    __tablename__ = "equipment_syncs"

    booking_id: Mapped[int] = mapped_column(ForeignKey("bookings.id", ondelete="CASCADE"), unique=True)
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id", ondelete="SET NULL"))
    wishes: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="What was asked for this appointment, by device type.")
    status: Mapped[SyncStatus] = mapped_column(default=SyncStatus.WAITING, doc="How far it has come.")
    missed: Mapped[list[int]] = mapped_column(default=list, doc="Numbers of the devices that did not follow.")
    tries: Mapped[int] = mapped_column(default=0, doc="How often devices were asked.")
    tried_at: Mapped[datetime | None] = mapped_column(doc="When they were asked last.")
    applied_at: Mapped[datetime | None] = mapped_column(doc="When the room was set.")

    booking: Mapped["Booking"] = relationship(lazy="raise", viewonly=True, doc="The appointment.")
    scene: Mapped["Scene | None"] = relationship(lazy="raise", viewonly=True, doc="The scene that was asked for.")
