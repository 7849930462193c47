"""What a guest wishes of the devices in a room: rules without a database."""

from collections.abc import Mapping, Sequence
from typing import Any

from errors import BadUserInput
from models.preferences import Preferences
from models.rooms import Device, DeviceType
from resolvers.device_settings import SETTINGS, of_scene

Wishes = Mapping[str, Any]
"""Settings by device type; a bare value stands for the setting that bears the type's name."""

OTHER_NAMES = {
    DeviceType.LIGHTING: {"type": "mode", "intensity": "brightness"},
    DeviceType.MUSIC: {"genre": "playlist"},
    DeviceType.SCREEN: {"intensity": "brightness"},
}
"""Preferences and devices have two words for some things; both are understood."""

WIDEST = 1000
MOST_SETTINGS = 10


def read_wishes(wishes: Wishes, field: str) -> dict[str, dict[str, Any]]:
    """What was asked, in the words of devices; BadUserInput says what no device could ever follow."""
    read: dict[str, dict[str, Any]] = {}
    for kind, wanted in wishes.items():
        if kind not in list(DeviceType):
            raise BadUserInput(**{field: f"There are no devices of the type {str(kind)[:40]}."})
        anything = Device(device_type=DeviceType(kind), min_value=-WIDEST, max_value=WIDEST)
        if settings := _read(wanted, anything, field):
            read[kind] = settings
    return read


def check_range(wishes: Wishes, devices: Sequence[Device], field: str) -> None:
    """Refuse what the devices of this room cannot do; BadUserInput names it."""
    for device in devices:
        _read(wishes.get(device.device_type), device, field)


def standing(preferences: Preferences) -> dict[str, dict[str, Any]]:
    """A person's preferences as wishes; what they never said is no wish."""
    scents = preferences.favorite_scents
    said: dict[str, dict[str, Any]] = {
        DeviceType.LIGHTING: {"mode": preferences.lighting_type, "brightness": preferences.lighting_intensity},
        DeviceType.SCENT: {"type": scents[0] if scents else None, "intensity": preferences.scent_intensity},
        DeviceType.TEMPERATURE: {"temperature": preferences.preferred_temperature},
        DeviceType.MUSIC: {"playlist": preferences.music_genre, "volume": preferences.music_volume},
    }
    return {kind: kept for kind, each in said.items() if (kept := {name: value for name, value in each.items() if value is not None})}


def settings_for(device: Device, layers: Sequence[Wishes]) -> dict[str, Any]:
    """What a device is to be set to: of each setting the last wish, brought into the range that the device has."""
    wanted: dict[str, Any] = {}
    for layer in layers:
        wanted |= of_scene(layer, device) or {}
    readers = SETTINGS[device.device_type]
    fitted: dict[str, Any] = {}
    for name, value in wanted.items():
        try:
            fitted[name] = readers[name](_within(value, device), device)
        except (KeyError, ValueError):
            continue  # a wish that another device understood
    return fitted


def _read(wanted: Any, device: Device, field: str) -> dict[str, Any]:
    if wanted is None:
        return {}
    kind, others = device.device_type, OTHER_NAMES.get(device.device_type, {})
    given = wanted if isinstance(wanted, dict) else {kind.value: wanted}
    if len(given) > MOST_SETTINGS:
        raise BadUserInput(**{field: f"{kind.capitalize()} has fewer settings."})
    read: dict[str, Any] = {}
    for said, value in given.items():
        name = others.get(said, said)
        if name not in SETTINGS[kind]:
            raise BadUserInput(**{field: f"{kind.capitalize()} has no setting {said[:40]}."})
        try:
            read[name] = SETTINGS[kind][name](value, device)
        except ValueError as error:
            raise BadUserInput(**{field: f"{kind.capitalize()}, {said}: {error}"}) from None
    return read


def _within(value: Any, device: Device) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return min(max(value, device.min_value), device.max_value)
