"""How leaf values leave the engine: as GraphQL spells them, or as Python has them, for a dialect to spell."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from graphql import GraphQLEnumType, GraphQLScalarType, GraphQLSchema

from engine.shaping import Spellers

LEFT_TO_ORJSON = {"Int", "Float", "String", "Boolean", "ID", "DateTime", "Date", "JSON", "EmailAddress", "PhoneNumber"}
"""Scalars whose Python values orjson writes as GraphQL does."""


@dataclass(frozen=True)
class Flavour:
    """A way of spelling leaf values."""

    spellers: Spellers = field(default_factory=dict)
    spells_money: bool = False


RAW = Flavour()


def graphql_flavour(schema: GraphQLSchema) -> Flavour:
    """Values as GraphQL clients read them, once orjson has written them."""
    spellers: dict[str, Callable[[Any], Any] | dict[Any, str | None]] = {}
    for name, found in schema.type_map.items():
        if isinstance(found, GraphQLEnumType) and not name.startswith("__"):
            spellers[name] = _names(found)
        elif isinstance(found, GraphQLScalarType) and name not in LEFT_TO_ORJSON:
            spellers[name] = _or_none(found.coerce_output_value)
    return Flavour(spellers, spells_money=True)


def _or_none(spell: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else spell(value)


def _names(found: GraphQLEnumType) -> dict[Any, str | None]:
    """Names of an enum's values, as rows and as computations have them; nothing stays nothing."""
    names = {each.value.value if isinstance(each.value, Enum) else each.value: name for name, each in found.values.items()}
    return {**names, None: None}
