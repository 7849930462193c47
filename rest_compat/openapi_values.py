"""JSON schemas of single values: what old clients may send, and how their dialect spells what it answers."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from graphql import (
    GraphQLInputType,
    GraphQLNamedType,
    GraphQLNonNull,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)

from rest_compat.dialect import Dialect

Schema = dict[str, Any]

SAMPLES: dict[str, Any] = {
    "Money": Decimal("150.00"),
    "DateTime": datetime(2026, 1, 15, 14, 30, tzinfo=UTC),
    "Date": date(2026, 1, 15),
    "Time": time(14, 30),
}
"""The scalars that each dialect spells in its own way."""
PLAIN: dict[str, Schema] = {
    "Int": {"type": "integer"},
    "Float": {"type": "number"},
    "Boolean": {"type": "boolean"},
    "String": {"type": "string"},
    "ID": {"type": "string"},
    "UUID": {"type": "string", "format": "uuid"},
    "EmailAddress": {"type": "string", "format": "email"},
    "PhoneNumber": {"type": "string"},
    "JSON": {},
}
GIVEN: dict[str, Schema] = {
    **PLAIN,
    "ID": {"type": ["integer", "string"], "description": "Its number; a UUID or a global id is taken too."},
    "Money": {"type": ["number", "string"], "examples": ["150.00"]},
    "DateTime": {"type": "string", "format": "date-time"},
    "Date": {"type": "string", "format": "date", "examples": ["2026-01-15"]},
    "Time": {"type": "string", "examples": ["14:30"]},
}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if not schema or schema.get("type") == "null":
        return schema
    if "enum" in schema:
        return {**schema, "type": ["string", "null"], "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    if isinstance(schema.get("type"), list):
        return schema if "null" in schema["type"] else {**schema, "type": [*schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def spelled(value: Any) -> Schema:
    """The schema of values that are spelled like this one."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number", "examples": [value]}
    text = str(value)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return {"type": "string", "format": "date", "examples": [text]}
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)", text):
        return {"type": "string", "format": "date-time", "examples": [text]}
    sign = "-?" if re.fullmatch(r"\d+\.\d+", text) else ""
    return {"type": "string", "pattern": f"^{sign}{_pattern(text)}$", "examples": [text]}


def shown(kind: GraphQLNamedType, dialect: Dialect) -> Schema:
    """A value of an answer."""
    spell: Callable[[str], str] = dialect.spelling.enum or (lambda text: text)
    if is_enum_type(kind):
        return {"type": "string", "enum": [spell(str(each.value)) for each in kind.values.values()]}
    if kind.name in SAMPLES:
        return spelled(dialect.spelling.spell(SAMPLES[kind.name]))
    return PLAIN[kind.name]


def given(kind: GraphQLInputType, dialect: Dialect) -> Schema:
    """A value that a client sends."""
    if is_non_null_type(kind):
        return _given(kind.of_type, dialect)
    return nullable(_given(kind, dialect))


def without_null(kind: GraphQLInputType) -> GraphQLInputType:
    """The type as paths and queries have it, where null cannot be said."""
    bare: Any = get_nullable_type(kind)
    return GraphQLNonNull(bare)


def _given(kind: GraphQLInputType, dialect: Dialect) -> Schema:
    if is_list_type(kind):
        return {"type": "array", "items": given(kind.of_type, dialect)}
    if is_input_object_type(kind):
        needed = [name for name, field in kind.fields.items() if is_non_null_type(field.type) and field.default is None]
        fields = {name: described(given(field.type, dialect), field.description) for name, field in kind.fields.items()}
        return {"type": "object", "properties": fields, **({"required": needed} if needed else {})}
    named = get_named_type(kind)
    if is_enum_type(named):
        spell: Callable[[str], str] = dialect.spelling.enum or str.lower
        return {"type": "string", "enum": [spell(name) for name in named.values]}
    return GIVEN[named.name]


def described(schema: Schema, sentence: str | None) -> Schema:
    """The schema with what it means."""
    return {**schema, "description": sentence} if sentence else schema


def _pattern(sample: str) -> str:
    """Texts that differ from a sample only in their digits; before a point there may be any number of them."""
    return re.sub(r"\d+(?=(\\\.)?)", lambda found: r"\d+" if found[1] else rf"\d{{{len(found[0])}}}", re.escape(sample))
