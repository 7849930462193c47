"""JSON schemas of answers: the same walk over a document that shapes its answers, made over types instead of values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
)

from rest_compat.dialect import Dialect
from rest_compat.directives import shaping
from rest_compat.endpoint import Endpoint
from rest_compat.openapi_values import Schema, described, nullable, shown, spelled

LINK: Schema = {"type": ["string", "null"], "format": "uri"}
WORD: Schema = {"type": "string"}


@dataclass(frozen=True)
class Member:
    """What stands under one key."""

    schema: Schema
    is_required: bool = True


Members = dict[str, Member]


@dataclass(frozen=True)
class Answer:
    """The schema of a body; with its members where it is an object."""

    schema: Schema
    members: Members | None = None


@dataclass(frozen=True)
class _Found:
    """A field as it was selected; not `always` where only some of the possible types have it."""

    node: FieldNode
    owner: GraphQLNamedType
    always: bool

    @property
    def key(self) -> str:
        return self.node.alias.value if self.node.alias else self.node.name.value


@dataclass(frozen=True)
class _Selection:
    nodes: SelectionSetNode
    parent: GraphQLNamedType
    always: bool = True


class Answers:
    """The answers of one system's endpoints; what many of them share is a named component."""

    def __init__(self, schema: GraphQLSchema, dialect: Dialect) -> None:
        self.components: dict[str, Schema] = {}
        self._schema = schema
        self._dialect = dialect
        self._fragments: Mapping[str, FragmentDefinitionNode] = {}

    def of(self, endpoint: Endpoint) -> Answer:
        """What an endpoint answers, before its envelope."""
        operation, *fragments = endpoint.source.definitions
        assert isinstance(operation, OperationDefinitionNode)  # noqa: S101 - an operation comes first
        self._fragments = {each.name.value: each for each in fragments if isinstance(each, FragmentDefinitionNode)}
        root = self._schema.query_type if operation.operation is OperationType.QUERY else self._schema.mutation_type
        assert root is not None  # noqa: S101 - the document is valid
        selected = _Selection(operation.selection_set, root)
        only = next(self._fields(selected)) if endpoint.only_field else None
        if only is None or "spread" in shaping(only.node):
            members = self._members([selected])
            return Answer(_object(members), members)
        # A root that answers null is 404, so null never stands in a body.
        plain = replace(only, owner=root)
        schema, _ = self._shape([plain])
        is_object = only.node.selection_set is not None and not shaping(only.node) and not self._is_list(only)
        return Answer(schema, self._members(self._inner([plain])) if is_object else None)

    def _members(self, selections: list[_Selection]) -> Members:
        fields: dict[str, list[_Found]] = {}
        for selection in selections:
            for found in self._fields(selection):
                fields.setdefault(found.key, []).append(found)
        members: Members = {}
        for key, each in fields.items():
            always = any(found.always for found in each)
            if "spread" in shaping(each[0].node):
                always = always and is_non_null_type(self._type(each[0]))
                for name, member in self._members(self._inner(each)).items():
                    members[name] = Member(member.schema, member.is_required and always)
            else:
                schema, may_be_null = self._shape(each)
                members[key] = Member(described(nullable(schema) if may_be_null else schema, self._sentence(each[0])), always)
        return members

    def _shape(self, found: list[_Found]) -> tuple[Schema, bool]:
        """The schema of a field, and whether it may be null."""
        first = found[0]
        if first.node.name.value == "__typename":
            return WORD, False
        kind = self._type(first)
        directives, may_be_null = shaping(first.node), not is_non_null_type(kind)
        if "as" in directives:
            return self._formatted(str(directives["as"]), get_named_type(kind)), may_be_null
        inner = self._inner(found)
        each = self._component(inner) if inner else shown(get_named_type(kind), self._dialect)
        if not self._is_list(first):
            if name := directives.get("pluck"):
                plucked = self._members(inner)[name]
                return plucked.schema, may_be_null or not plucked.is_required
            return each, may_be_null
        if name := directives.get("keyBy"):
            members = self._members(inner)
            members.pop(name)
            return {"type": "object", "additionalProperties": _object(members)}, False
        element_may_be_null = not is_non_null_type(get_nullable_type(kind).of_type)
        if name := directives.get("pluck"):
            plucked = self._members(inner)[name]
            each, element_may_be_null = plucked.schema, element_may_be_null or not plucked.is_required
        return {"type": "array", "items": nullable(each) if element_may_be_null else each}, may_be_null

    def _component(self, selections: list[_Selection]) -> Schema:
        """An object; where all of it is one fragment, a reference to the component of that name."""
        spread = selections[0].nodes.selections[0]
        if len(selections) > 1 or len(selections[0].nodes.selections) > 1 or not isinstance(spread, FragmentSpreadNode):
            return _object(self._members(selections))
        name = spread.name.value
        if name not in self.components:
            self.components[name] = {}  # its place, before those that it needs itself
            kind = self._schema.type_map[self._fragments[name].type_condition.name.value]
            self.components[name] = described(_object(self._members(selections)), kind.description)
        return {"$ref": f"#/components/schemas/{name}"}

    def _fields(self, selection: _Selection) -> Iterator[_Found]:
        for node in selection.nodes.selections:
            if isinstance(node, FieldNode):
                yield _Found(node, selection.parent, selection.always)
                continue
            if isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                nodes, condition = fragment.selection_set, fragment.type_condition.name.value
            else:
                assert isinstance(node, InlineFragmentNode)  # noqa: S101 - there is no fourth kind
                nodes = node.selection_set
                condition = node.type_condition.name.value if node.type_condition else selection.parent.name
            narrowed = self._schema.type_map[condition]
            always = selection.always and self._is_always(selection.parent, narrowed)
            yield from self._fields(_Selection(nodes, narrowed, always))

    def _inner(self, found: list[_Found]) -> list[_Selection]:
        return [_Selection(each.node.selection_set, get_named_type(self._type(each)), True) for each in found if each.node.selection_set]

    def _type(self, found: _Found) -> Any:
        kind: Any = found.owner.fields[found.node.name.value].type  # type: ignore[attr-defined]  # objects have fields
        return kind

    def _is_list(self, found: _Found) -> bool:
        return is_list_type(get_nullable_type(self._type(found)))

    def _is_always(self, parent: GraphQLNamedType, condition: GraphQLNamedType) -> bool:
        return parent is condition or (is_abstract_type(condition) and self._schema.is_sub_type(condition, parent))

    def _sentence(self, found: _Found) -> str | None:
        field = found.owner.fields.get(found.node.name.value)  # type: ignore[attr-defined]
        return field.description if field else None

    def _formatted(self, name: str, kind: GraphQLNamedType) -> Schema:
        if name.endswith("_LINK"):
            return LINK
        if name in ("DAY", "TIME"):
            return shown(self._schema.type_map["Date"], self._dialect) if name == "DAY" else spelled("14:30")
        plain = shown(kind, self._dialect)
        change = str.lower if name == "LOWER" else str.upper
        return {**plain, "enum": [change(each) for each in plain["enum"]]} if "enum" in plain else WORD


def _object(members: Members) -> Schema:
    required = [name for name, each in members.items() if each.is_required]
    properties = {name: each.schema for name, each in members.items()}
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}
