"""Which settings each kind of device has, which values they take, and how they are asked for."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from errors import BadUserInput
from models.rooms import Device, DeviceAction, DeviceType

COLOR = re.compile(r"#[0-9a-fA-F]{6}")
WORD = re.compile(r"[a-z0-9][a-z0-9_ -]{0,39}", re.IGNORECASE)


def _number(value: Any, device: Device) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not device.min_value <= value <= device.max_value:
        raise ValueError(f"Give a number from {device.min_value} to {device.max_value}.")
    return int(value) if value == int(value) else round(value, 1)


def _color(value: Any, _: Device) -> str:
    if not isinstance(value, str) or not COLOR.fullmatch(value):
        raise ValueError("Give a colour such as #ff9500.")
    return value.lower()


def _word(value: Any, _: Device) -> str:
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise ValueError("Give a name of at most 40 letters and digits.")
    return value


def _truth(value: Any, _: Device) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Give true or false.")
    return value


SETTINGS: Mapping[DeviceType, Mapping[str, Callable[[Any, Device], Any]]] = {
    DeviceType.LIGHTING: {"power": _truth, "brightness": _number, "color": _color, "mode": _word},
    DeviceType.SCENT: {"power": _truth, "type": _word, "intensity": _number},
    DeviceType.TEMPERATURE: {"power": _truth, "temperature": _number, "mode": _word},
    DeviceType.MUSIC: {"power": _truth, "playlist": _word, "volume": _number},
    DeviceType.SCREEN: {"power": _truth, "brightness": _number, "volume": _number, "mode": _word},
}
SWITCHES = {DeviceAction.TURN_ON: True, DeviceAction.TURN_OFF: False}


def asked_for(device: Device, action: DeviceAction, value: Any) -> dict[str, Any]:
    """The settings that an action changes; BadUserInput when the device has no such setting or does not take the value."""
    if action in SWITCHES:
        return {"power": SWITCHES[action]}
    name = action.removeprefix("set_")
    read = SETTINGS[device.device_type].get(name)
    if read is None:
        raise BadUserInput(action=f"There is no {action} for {device.device_type}.")
    try:
        return {name: read(value, device)}
    except ValueError as error:
        raise BadUserInput(value=str(error)) from None


def of_scene(device_settings: Mapping[str, Any], device: Device) -> dict[str, Any] | None:
    """What a scene wants of a device, if anything; a bare value stands for the setting that bears the type's name."""
    wanted = device_settings.get(device.device_type)
    if wanted is None:
        return None
    return dict(wanted) if isinstance(wanted, dict) else {device.device_type.value: wanted}


def check_scene(device_settings: Any, devices: Sequence[Device]) -> dict[str, Any]:
    """A scene's settings if the devices of its zone can follow them; BadUserInput says what is wrong."""
    if not isinstance(device_settings, dict) or not device_settings:
        raise BadUserInput(device_settings="Give settings by device type.")
    for kind in device_settings:
        able = [device for device in devices if device.device_type == kind]
        if not able:
            raise BadUserInput(device_settings=f"There is no device of the type {kind[:40]} in this zone.")
        for device in able:
            _check(device, of_scene(device_settings, device) or {})
    return device_settings


def _check(device: Device, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        read = SETTINGS[device.device_type].get(name)
        if read is None:
            raise BadUserInput(device_settings=f"{device.device_type.capitalize()} has no setting {name[:40]}.")
        try:
            read(value, device)
        except ValueError as error:
            raise BadUserInput(device_settings=f"{device.device_type}, {name}: {error}") from None
