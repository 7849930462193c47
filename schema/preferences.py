"""What clients see of preferences, and of rooms that are set by them."""

from datetime import datetime
from typing import Any

import strawberry

from models import preferences as tables
from models.identity import User
from models.preferences import SyncStatus
from resolvers import equipment, preferences
from resolvers.inputs.scalars import Json
from resolvers.preferences import HOUSE
from schema.bookings import Booking
from schema.fields import Record, column, computed, operation, related, shows
from schema.rooms import Device, Scene


def _liked(name: str) -> Any:
    """What the person said, or else how the house has it."""
    path = f"preferences.{name}"
    documented = tables.Preferences.__mapper__.columns[name].doc or ""
    return computed([path], lambda row: HOUSE[name] if row[path] is None else row[path], documented)


@shows(User, name="Preferences", with_keys=False)
class Preferences(Record):
    """How a person likes a room; what they never said is as the house has it."""

    default_scene: Scene | None = related("preferences.default_scene")
    default_scene_name: str | None = column("preferences.default_scene.name", "Name of the scene that rooms are set to.")
    scene_config: Json = _liked("scene_config")
    favorite_scents: list[str] = _liked("favorite_scents")
    favorite_service_types: list[str] = _liked("favorite_service_types")
    scent_intensity: int = _liked("scent_intensity")
    lighting_type: str = _liked("lighting_type")
    lighting_intensity: int = _liked("lighting_intensity")
    preferred_temperature: float = _liked("preferred_temperature")
    music_genre: str = _liked("music_genre")
    music_volume: int = _liked("music_volume")


@shows(tables.EquipmentSync)
class EquipmentSync(Record):
    """What the room of an appointment is to be set to, and whether its devices followed."""

    booking: Booking = related("booking")
    scene: Scene | None = related("scene")
    wishes: Json
    status: SyncStatus
    tries: int
    applied_at: datetime | None


@strawberry.type(description="What became of the wish for a room.")
class EquipmentResult:
    """The wish, and the devices that did not follow."""

    success: bool = strawberry.field(description="Whether every device followed, or will be asked when it is time.")
    message: str = strawberry.field(description="The same in words.")
    sync: EquipmentSync = strawberry.field(description="The wish as it is kept.")
    failed_devices: list[Device] = strawberry.field(description="Devices that refused, kept silent, or are out of service.")


@strawberry.type
class PreferencesQueries:
    """How the viewer likes a room."""

    my_preferences: Preferences = operation(preferences.get_my_preferences)


@strawberry.type
class PreferencesMutations:
    """Saying how one likes a room, and having it set so."""

    update_preferences: Preferences = operation(preferences.update_preferences)
    sync_equipment: EquipmentResult = operation(equipment.sync_equipment)
