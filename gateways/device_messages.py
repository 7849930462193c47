"""What the house and its devices say to each other: topics and payloads, as docs/devices.md describes them."""

import re
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

LONGEST_PAYLOAD = 4096
MOST_SETTINGS = 32
LONGEST_TEXT = 200
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
ONLINE, OFFLINE = b"online", b"offline"
WHOLE = range(-(2**53), 2**53)


class NotUnderstood(Exception):
    """What came is no message of a device."""


@dataclass(frozen=True, slots=True)
class Command:
    """An order to one device: settings to change, under an id that the answer repeats."""

    id: UUID
    device_id: int
    settings: dict[str, Any]
    number: int = 0
    """Later orders have greater ones; a device leaves out one that comes after a later one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Settings that a device has changed on a command, or why it refused to."""

    device_id: int
    command_id: UUID
    settings: dict[str, Any]
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Settings as a device has them; a remembered one was said before this process began to hear."""

    device_id: int
    settings: dict[str, Any]
    is_remembered: bool = False
    at: float = field(default_factory=time.monotonic, compare=False)
    """When it was heard, by this process's own clock."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A device is alive."""

    device_id: int


@dataclass(frozen=True, slots=True)
class Farewell:
    """A device has lost its connection, as the broker tells by the device's last will."""

    device_id: int


Message = Answer | State | Beat | Farewell


@dataclass(frozen=True)
class Topics:
    """The names under which messages travel, below a prefix of the house's own."""

    prefix: str

    def of(self, device_id: int | str, what: str) -> str:
        """One topic of one device; with + of all."""
        return f"{self.prefix}/devices/{device_id}/{what}"

    @property
    def answers(self) -> str:
        """What every process hears, since it may wait for one."""
        return self.of("+", "answer")

    @property
    def reports(self) -> tuple[str, str]:
        """What only one process hears."""
        return self.of("+", "state"), self.of("+", "alive")

    def split(self, topic: str) -> tuple[int, str]:
        """Which device a topic belongs to, and what is said there; NotUnderstood for other topics."""
        head, _, rest = topic.removeprefix(f"{self.prefix}/").partition("/")
        number, _, what = rest.partition("/")
        if head != "devices" or not (number.isascii() and number.isdigit()) or len(number) > 18:
            raise NotUnderstood("This is no topic of a device.")
        return int(number), what

    def read(self, topic: str, payload: bytes, *, is_remembered: bool = False) -> Message | None:
        """What a device says, if it counts: that it lived when this process was not there does not."""
        device_id, what = self.split(topic)
        if what == "alive":
            if is_remembered or payload not in (ONLINE, OFFLINE):
                return None
            return Beat(device_id) if payload == ONLINE else Farewell(device_id)
        said = _object(payload)
        if what == "state":
            return State(device_id, _settings(said), is_remembered)
        if what == "answer":
            return _answer(device_id, said)
        raise NotUnderstood("This is no topic of a device.")


def write_command(command: Command, until: float) -> bytes:
    """A command as a device gets it, good until a moment (in seconds since 1970)."""
    said = {"command": str(command.id), "number": command.number, "settings": command.settings, "until": round(until, 3)}
    return orjson.dumps(said)


def write_answer(answer: Answer) -> bytes:
    """An answer as a device gives it."""
    told: dict[str, Any] = {"settings": answer.settings} if answer.refusal is None else {"refused": answer.refusal}
    return orjson.dumps({"command": str(answer.command_id), **told})


def _answer(device_id: int, said: dict[str, Any]) -> Answer:
    try:
        command_id = UUID(said.get("command"))
    except (ValueError, TypeError, AttributeError):
        raise NotUnderstood("An answer names its command.") from None
    refusal = said.get("refused")
    if refusal is None:
        return Answer(device_id, command_id, _settings(said.get("settings")))
    return Answer(device_id, command_id, {}, _plain(str(refusal))[:LONGEST_TEXT] or "no reason given")


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > LONGEST_PAYLOAD:
        raise NotUnderstood("A payload is too long.")
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise NotUnderstood("A payload is not JSON.") from None
    if not isinstance(said, dict):
        raise NotUnderstood("A payload is no object.")
    return said


def _settings(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict) or len(said) > MOST_SETTINGS or not all(NAME.fullmatch(name) for name in said):
        raise NotUnderstood("Settings are an object of names and values.")
    return {name: _value(value) for name, value in said.items()}


def _value(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= LONGEST_TEXT:
        return _plain(value)
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and value in WHOLE):
        return value
    raise NotUnderstood("A value is a number, a short text, true, false or null.")


def _plain(text: str) -> str:
    """A text without the one character that PostgreSQL cannot keep."""
    return text.replace("\0", "")
