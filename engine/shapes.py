"""What the planner knows of the schema: which types show which table, and where each field comes from."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import strawberry
from graphql import GraphQLInterfaceType, GraphQLNamedType, GraphQLObjectType, get_named_type, get_nullable_type, is_list_type
from strawberry.types.base import StrawberryObjectDefinition

from models.base import Model
from schema.fields import Connection, OperationField, Source


@dataclass(frozen=True)
class FieldShape:
    """A field of a type that shows a table."""

    name: str
    source: Source
    target: str
    is_list: bool
    type: Any


@dataclass
class Shape:
    """A type that shows a table; an interface has its implementations in `kinds`."""

    name: str
    table: type[Model]
    kind: str | None = None
    fields: dict[str, FieldShape] = field(default_factory=dict)
    kinds: dict[str, "Shape"] = field(default_factory=dict)

    @cached_property
    def discriminator(self) -> str:
        """The column that tells the implementations apart."""
        return next(name for name in ("kind", "line") if hasattr(self.table, name))


class Shapes:
    """Every shape of a schema, by the type's name."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self.schema = schema
        self.by_name: dict[str, Shape] = {}
        self.operations: dict[tuple[str, str], OperationField] = {}
        self.python_names: dict[tuple[str, str], str] = {}
        self.outlines: dict[Any, Any] = {}
        self.resolved: set[tuple[str, str]] = set()
        """Fields of plain types that Python resolves."""
        for name, concrete in schema.schema_converter.type_map.items():
            definition = concrete.definition
            if isinstance(definition, StrawberryObjectDefinition) and not definition.is_input:
                self._add(name, definition, concrete.implementation)
        for shape in list(self.by_name.values()):
            self._link(shape)

    def names_of(self, table: type[Model]) -> set[str]:
        """The types under which rows of a table are shown."""
        return {shape.name for shape in self.by_name.values() if shape.table is table}

    def connection_of(self, type_name: str) -> str | None:
        """The type of the nodes, if this is a connection."""
        implementation = self.schema._schema.type_map.get(type_name)
        concrete = self.schema.schema_converter.type_map.get(type_name)
        general = getattr(getattr(concrete, "definition", None), "concrete_of", None)
        if general is not None and general.origin is Connection and isinstance(implementation, GraphQLObjectType):
            return str(get_named_type(implementation.fields["nodes"].type).name)
        return None

    def _add(self, name: str, definition: StrawberryObjectDefinition, implementation: Any) -> None:
        convert = self.schema.config.name_converter
        table = getattr(definition.origin, "__shown_table__", None)
        kind = getattr(definition.origin, "__shown_kind__", None)
        shape = Shape(name, table, kind and kind.value) if table else None
        for each in definition.fields:
            spoken = convert.from_field(each)
            self.python_names[name, spoken] = each.python_name
            if each.base_resolver is not None and not isinstance(each, OperationField):
                self.resolved.add((name, spoken))
            if isinstance(each, OperationField):
                self.operations[name, spoken] = each
            elif shape and "source" in each.metadata:
                kind_of = implementation.fields[spoken].type
                shape.fields[spoken] = FieldShape(
                    spoken, each.metadata["source"], get_named_type(kind_of).name, is_list_type(get_nullable_type(kind_of)), kind_of
                )
        if shape:
            self.by_name[name] = shape

    def _link(self, shape: Shape) -> None:
        found: GraphQLNamedType = self.schema._schema.type_map[shape.name]
        if isinstance(found, GraphQLInterfaceType):
            for possible in self.schema._schema.get_possible_types(found):
                implementation = self.by_name[possible.name]
                shape.kinds[str(implementation.kind)] = implementation
