"""Scalars that refuse nonsense at the door, with how they are spelled."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import strawberry
from strawberry.types.scalar import ScalarDefinition

from errors import BadUserInput
from resolvers.inputs.scalars import Json
from resolvers.inputs.values import EmailAddress, PhoneNumber, parse_email, parse_phone

MONEY = re.compile(r"-?\d{1,10}(\.\d{1,2})?")


def _scalar(name: str, description: str, serialize: Callable[[Any], Any], parse: Callable[[Any], Any]) -> ScalarDefinition:
    def parse_value(value: Any) -> Any:
        try:
            return parse(value)
        except BadUserInput as refusal:
            raise ValueError(*refusal.fields.values()) from None
        except (TypeError, ValueError, InvalidOperation, AttributeError):
            raise ValueError(f"This is not a {name}.") from None

    return strawberry.scalar(name=name, description=description, serialize=serialize, parse_value=parse_value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _money(value: Any) -> Decimal:
    if isinstance(value, bool) or not MONEY.fullmatch(str(value)):
        raise ValueError
    return Decimal(str(value))


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)


def _spell_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _spell_time(value: time) -> str:
    return value.isoformat(timespec="minutes") if not value.second else value.isoformat(timespec="seconds")


SCALARS: dict[object, ScalarDefinition] = {
    Decimal: _scalar("Money", 'An amount with at most two decimals, spelled as text: "150.00".', lambda value: f"{value:.2f}", _money),
    datetime: _scalar("DateTime", "A moment in UTC: 2026-01-15T14:00:00Z. An offset is needed on the way in.", _spell_moment, _moment),
    date: _scalar("Date", "A day: 2026-01-15.", lambda value: value.isoformat(), lambda value: date.fromisoformat(_text(value))),
    time: _scalar("Time", "A time of day: 14:00 or 14:00:30.", _spell_time, lambda value: time.fromisoformat(_text(value))),
    uuid.UUID: _scalar("UUID", "A UUID.", str, lambda value: uuid.UUID(_text(value))),
    EmailAddress: _scalar("EmailAddress", "An e-mail address, in lower case.", str, lambda value: parse_email(_text(value))),
    PhoneNumber: _scalar(
        "PhoneNumber",
        "A phone number: + and 7 to 15 digits. Without + it is one of the United States.",
        str,
        lambda value: parse_phone(_text(value)),
    ),
    Json: _scalar("JSON", "Any JSON value.", lambda value: value, lambda value: value),
}
