"""How the answer of an operation becomes the answer that an old client knows; built once, when the server starts."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time
from typing import Any, Protocol, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_list_type,
)

from rest_compat.directives import shaping


class Links(Protocol):
    """The addresses of the pages beside the present one, through the door that the client came by."""

    def beside(self, step: int) -> str:
        """The address of the page so many steps away."""


Change = Callable[[Any, Links], Any]
Fragments = Mapping[str, FragmentDefinitionNode]
Found = list[tuple[FieldNode, GraphQLNamedType]]


def _day(value: Any, _: Links) -> Any:
    return value.date() if isinstance(value, datetime) else value


def _time(value: Any, _: Links) -> Any:
    if isinstance(value, datetime | time):
        return f"{value:%H:%M}"
    return value


def _lower(value: Any, _: Links) -> Any:
    return value.lower() if isinstance(value, str) else value


def _upper(value: Any, _: Links) -> Any:
    return value.upper() if isinstance(value, str) else value


def _next_link(value: Any, links: Links) -> Any:
    return links.beside(1) if value else None


def _previous_link(value: Any, links: Links) -> Any:
    return links.beside(-1) if value else None


FORMATS: dict[str, Change] = {
    "DAY": _day,
    "TIME": _time,
    "LOWER": _lower,
    "UPPER": _upper,
    "NEXT_LINK": _next_link,
    "PREVIOUS_LINK": _previous_link,
}


class Shaper:
    """Builds the change of one document's answers; a directive that does not fit its field is a GraphQLError."""

    def __init__(self, schema: GraphQLSchema, fragments: Fragments, spell_enum: Callable[[str], str] | None) -> None:
        self._schema = schema
        self._fragments = fragments
        self._spell_enum = spell_enum

    def change(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> Change | None:
        """What turns the object that these selections bring into the documented one; None when it stays as it is."""
        return self._object([(selections, parent)])

    def _object(self, selections: list[tuple[SelectionSetNode, GraphQLNamedType]]) -> Change | None:
        fields: dict[str, Found] = {}
        for selection, parent in selections:
            for node, owner in self._fields(selection, parent):
                fields.setdefault(node.alias.value if node.alias else node.name.value, []).append((node, owner))
        changes = {key: change for key, found in fields.items() if (change := self._field(found))}
        spread = {key for key, found in fields.items() if "spread" in _directives(found)}
        self._refuse_doubles(fields, spread)
        return _change_object(changes, frozenset(spread)) if changes or spread else None

    def _fields(self, selection: SelectionSetNode, parent: GraphQLNamedType) -> Iterator[tuple[FieldNode, GraphQLNamedType]]:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                yield node, parent
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                yield from self._fields(fragment.selection_set, self._schema.type_map[fragment.type_condition.name.value])
            elif isinstance(node, InlineFragmentNode):
                narrowed = node.type_condition
                yield from self._fields(node.selection_set, self._schema.type_map[narrowed.name.value] if narrowed else parent)

    def _field(self, found: Found) -> Change | None:
        node, owner = found[0]
        if node.name.value.startswith("__"):
            return None
        kind = owner.fields[node.name.value].type  # type: ignore[attr-defined]  # only objects and interfaces have fields
        is_list = is_list_type(get_nullable_type(kind))
        named = get_named_type(kind)
        inner = [(each.selection_set, named) for each, _ in found if each.selection_set]
        change = self._object(inner) if inner else self._leaf(named)
        directives = _directives(found)
        if "as" in directives:
            change = FORMATS[str(directives["as"])]
        if is_list and change:
            change = _change_each(change)
        if "pluck" in directives:
            self._need(node, inner, str(directives["pluck"]))
            change = _then(change, _pluck(str(directives["pluck"])))
        if "keyBy" in directives:
            if not is_list:
                raise GraphQLError("@keyBy belongs on a list.", node)
            self._need(node, inner, str(directives["keyBy"]))
            change = _then(change, _key_by(str(directives["keyBy"])))
        if "spread" in directives and (is_list or not inner):
            raise GraphQLError("@spread belongs on one object.", node)
        return change

    def _leaf(self, named: GraphQLNamedType) -> Change | None:
        spell = self._spell_enum
        if spell is None or not is_enum_type(named):
            return None
        return lambda value, _: None if value is None else spell(value)

    def _need(self, node: FieldNode, inner: list[tuple[SelectionSetNode, GraphQLNamedType]], name: str) -> None:
        keys = {
            each.alias.value if each.alias else each.name.value
            for selection, parent in inner
            for each, _ in self._fields(selection, parent)
        }
        if name not in keys:
            raise GraphQLError(f"There is no {name!r} in what is selected here.", node)

    def _refuse_doubles(self, fields: dict[str, Found], spread: set[str]) -> None:
        seen = set(fields) - spread
        for key in spread:
            for selection, parent in ((node.selection_set, self._type(node, owner)) for node, owner in fields[key]):
                for node, _ in self._fields(selection, parent) if selection else ():
                    name = node.alias.value if node.alias else node.name.value
                    if name in seen:
                        raise GraphQLError(f"{name!r} would stand twice in the answer.", node)
                    seen.add(name)

    def _type(self, node: FieldNode, owner: GraphQLNamedType) -> GraphQLNamedType:
        return cast(GraphQLNamedType, get_named_type(owner.fields[node.name.value].type))  # type: ignore[attr-defined]


def _directives(found: Found) -> dict[str, str | None]:
    first = shaping(found[0][0])
    for node, _ in found[1:]:
        if shaping(node) != first:
            raise GraphQLError("The same key is shaped in two ways.", [found[0][0], node])
    return first


def _change_object(changes: Mapping[str, Change], spread: frozenset[str]) -> Change:
    def change(value: Any, links: Links) -> Any:
        if value is None:
            return None
        made: dict[str, Any] = {}
        for key, inner in value.items():
            changed = changes[key](inner, links) if key in changes else inner
            if key in spread:
                made.update(changed or {})
            else:
                made[key] = changed
        return made

    return change


def _change_each(change: Change) -> Change:
    return lambda value, links: None if value is None else [change(each, links) for each in value]


def _then(first: Change | None, second: Change) -> Change:
    if first is None:
        return second
    return lambda value, links: second(first(value, links), links)


def _pluck(name: str) -> Change:
    def pluck(value: Any, _: Links) -> Any:
        if isinstance(value, list):
            return [None if each is None else each.get(name) for each in value]
        return None if value is None else value.get(name)

    return pluck


def _key_by(name: str) -> Change:
    def key_by(value: Any, _: Links) -> Any:
        return {each[name]: {key: inner for key, inner in each.items() if key != name} for each in value or ()}

    return key_by
