"""What the values of enums mean, read from the docstring of the Python class: a sentence, then a line for each value."""

import enum
import inspect
import re

import strawberry
from graphql import GraphQLEnumType

LINE = re.compile(r"^([A-Z][A-Z0-9_]*): (.+)$", re.MULTILINE)


def meaning(kind: type[enum.Enum]) -> tuple[str, dict[str, str]]:
    """The sentence about an enum, and those about its values."""
    text = inspect.getdoc(kind) or ""
    return text.partition("\n\n")[0], dict(LINE.findall(text))


def describe(schema: strawberry.Schema) -> strawberry.Schema:
    """Say of every value what it means, however the enum came into the schema."""
    for found in schema._schema.type_map.values():
        definition = found.extensions.get("strawberry-definition")
        if isinstance(found, GraphQLEnumType) and definition is not None:
            found.description, values = meaning(definition.wrapped_cls)
            for name, value in found.values.items():
                value.description = values.get(name)
    return schema
