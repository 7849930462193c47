"""Random documents over the real schema, each with several calls: other viewers, other values. Choices shrink towards the first option."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
)

T = TypeVar("T")
DEEPEST = 5
PAGING = ("first", "after", "last", "before", "page", "perPage")
ABSENT = object()


class Word(str):
    """The name of an enum's value."""

    __slots__ = ()


@dataclass(frozen=True)
class CursorAt:
    """The cursor of a row of the list that is asked for: it is looked up before the call."""

    probe: str
    position: int


@dataclass(frozen=True)
class Call:
    """Who asks, with which variables."""

    viewer: str
    variables: dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """A document and the calls that are made with it, one after the other."""

    text: str
    calls: list[Call]
    declared: dict[str, str]
    """The variables, as the document declares them."""


class Choices:
    """Decisions of one example."""

    def __init__(self, draw: Callable[[int], int]) -> None:
        self._draw = draw

    def below(self, number: int) -> int:
        """A number from 0."""
        return self._draw(number) if number > 1 else 0

    def one(self, options: Sequence[T]) -> T:
        """One of several options."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """Whether something happens that happens so often."""
        return self.below(100) >= 100 - percent

    def some(self, options: Sequence[T], most: int) -> list[T]:
        """A few different options, at least one."""
        found: list[T] = []
        for _ in range(1 + self.below(min(most, len(options)))):
            each = self.one(options)
            if each not in found:
                found.append(each)
        return found


@dataclass
class Variable:
    """A variable of the document."""

    name: str
    kind: str
    default: str
    is_nullable: bool
    values: Sequence[Any]
    wrong: Sequence[Any]


@dataclass
class Author:
    """Writes one document."""

    schema: GraphQLSchema
    values: Mapping[str, Sequence[Any]]
    """What an argument may be, by "root.argument" or "argument"."""
    choices: Choices
    roots: Sequence[str]
    fragments: dict[str, tuple[str, str]] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    is_reused: bool = False
    """Whether the document is small and made for many calls, which differ in all their values."""

    def write(self, viewers: Sequence[str], *, is_mutation: bool = False) -> Scenario:
        """A document with its calls."""
        choices = self.choices
        root = self.schema.mutation_type if is_mutation else self.schema.query_type
        assert root is not None
        self.is_reused = choices.chance(50)
        asked = choices.some(self.roots, 1 if self.is_reused or choices.chance(70) else 3)
        parts: list[str] = []
        for number, name in enumerate(asked):
            parts.append(self._root(root, name, f"r{number}_" if choices.chance(30) else ""))
            if not is_mutation and choices.chance(15):
                parts.append(self._root(root, name, f"again{number}_"))
        if choices.chance(10):
            parts.insert(choices.below(len(parts) + 1), "__typename")
        if choices.chance(15):
            self.fragments["Root"] = (root.name, " ".join(parts))
            parts = [f"...Root {self._condition()}"]
        declared = ", ".join(f"${each.name}: {each.kind}{each.default}" for each in self.variables.values())
        kind = "mutation" if is_mutation else "query"
        text = f"{kind} Q{f'({declared})' if declared else ''} {{ {' '.join(parts)} }}"
        for name, (of, body) in self.fragments.items():
            text += f" fragment {name} on {of} {{ {body} }}"
        callers = choices.some(viewers, 3)
        times = 1 if is_mutation else 4 + choices.below(3) if self.is_reused else 2
        calls = [Call(choices.one(callers), self._given()) for _ in range(times)]
        return Scenario(text, calls, {each.name: f"${each.name}: {each.kind}{each.default}" for each in self.variables.values()})

    def _root(self, root: GraphQLObjectType, name: str, prefix: str) -> str:
        found = root.fields[name]
        own = {each: argument for each, argument in found.args.items() if each not in PAGING and each != "idempotencyKey"}
        given = [written for each, argument in own.items() if (written := self._argument(f"{name}.{each}", each, argument))]
        pages = self._paging(name, given) if "perPage" in found.args else []
        arguments = f"({', '.join([*given, *pages])})" if given or pages else ""
        alias = f"{prefix}{name}: " if prefix else ""
        text = f"{alias}{name}{arguments} {self._condition()} {self._selection(found.type, DEEPEST - 2 if self.is_reused else 0)}"
        if not prefix and root is self.schema.query_type and self.choices.chance(12):  # the same field again: both selections are merged
            text += f" {name}{arguments} {self._selection(found.type, 1)}"
        return text

    def _argument(self, key: str, name: str, argument: Any) -> str | None:
        must = is_non_null_type(argument.type) and not _has_default(argument)
        if not must and self.choices.chance(25 if self.is_reused else 45):
            return None
        return f"{name}: {self._value(key, argument.type, has_default=_has_default(argument))}"

    def _value(self, key: str, kind: Any, *, has_default: bool = False, nested: bool = False) -> str:
        named, values = get_named_type(kind), self._values(key, get_named_type(kind))
        if self.choices.chance(90 if self.is_reused else 60):
            return self._variable(key, kind, values, has_default=has_default)
        if isinstance(named, GraphQLInputObjectType):
            chosen = self.choices.some(list(named.fields), 3)
            required = [each for each, inner in named.fields.items() if is_non_null_type(inner.type) and not _has_default(inner)]
            inner = {each: named.fields[each] for each in [*required, *chosen]}
            return "{" + ", ".join(f"{each}: {self._value(f'{key}.{each}', of.type, nested=True)}" for each, of in inner.items()) + "}"
        value = self.choices.one(values)
        if value is None and is_non_null_type(kind):
            value = next(each for each in values if each is not None)
        return literal([value] if is_list_type(kind) and not isinstance(value, list) else value)

    def _variable(self, key: str, kind: Any, values: Sequence[Any], *, has_default: bool) -> str:
        name = f"v{len(self.variables)}"
        spelled, default, is_nullable = str(kind), "", not is_non_null_type(kind)
        if is_non_null_type(kind) and has_default and self.choices.chance(40):
            spelled, is_nullable = spelled.rstrip("!"), True
        elif not is_non_null_type(kind) and self.choices.chance(20):
            spelled, is_nullable = f"{spelled}!", False
        concrete = [each for each in values if each is not None]
        if concrete and self.choices.chance(20) and not isinstance(get_named_type(kind), GraphQLInputObjectType):
            default = f" = {literal(self.choices.one(concrete))}"
            spelled, is_nullable = (spelled.rstrip("!"), True) if self.choices.chance(50) else (spelled, is_nullable)
        self.variables[name] = Variable(name, spelled, default, is_nullable, values, WRONG)
        return f"${name}"

    def _values(self, key: str, named: Any) -> Sequence[Any]:
        if isinstance(named, GraphQLEnumType):
            return [Word(each) for each in named.values]
        if isinstance(named, GraphQLInputObjectType):
            return [Filled({each: (self._values(f"{key}.{each}", get_named_type(of.type)), of) for each, of in named.fields.items()})]
        known = self.values.get(key) or self.values.get(key.rsplit(".", 1)[-1])
        return known or BY_TYPE[named.name]

    def _paging(self, name: str, given: list[str]) -> list[str]:
        choices = self.choices
        way = choices.one(["none", "first", "after", "before", "pages", "last", "mixed"])
        sizes = SIZES_ODD if choices.chance(8) else SIZES
        if way == "none":
            return []
        if way in ("first", "last"):
            return [f"{way}: {self._number(way, sizes)}"]
        if way in ("after", "before"):
            probe = f"{name}({', '.join([*given, 'first: 60'])}) {{ edges {{ cursor }} }}"
            cursors: list[Any] = [CursorAt(probe, choices.below(30)) for _ in range(3)]
            variable = self._declare("String", cursors, ODD_CURSORS)
            size = "first" if way == "after" else "last"
            return [f"{way}: ${variable}", *([f"{size}: {self._number(size, sizes)}"] if choices.chance(70) else [])]
        if way == "pages":
            asked = ["page", "perPage"] if choices.chance(60) else [choices.one(["page", "perPage"])]
            return [f"{each}: {self._number(each, PAGES if each == 'page' else sizes)}" for each in asked]
        return [f"{each}: {self._number(each, SIZES)}" for each in choices.some(["first", "last", "page", "perPage"], 2)]

    def _number(self, key: str, values: Sequence[int]) -> str:
        if self.choices.chance(50):
            return str(self.choices.one(values))
        return f"${self._declare('Int', values, WRONG)}"

    def _declare(self, kind: str, values: Sequence[Any], wrong: Sequence[Any]) -> str:
        """A new variable that may be left out."""
        name = f"v{len(self.variables)}"
        self.variables[name] = Variable(name, kind, "", True, values, wrong)
        return name

    def _condition(self) -> str:
        choices = self.choices
        if not choices.chance(14):
            return ""
        made = []
        for directive in ["include", "skip"] if choices.chance(15) else [choices.one(["include", "skip"])]:
            if choices.chance(60):
                name = f"b{choices.below(3)}"
                may_lack = choices.chance(20)
                declared = ("Boolean", " = true", True) if may_lack else ("Boolean!", "", False)
                self.variables.setdefault(name, Variable(name, *declared, [True, False], ["yes"]))
                made.append(f"@{directive}(if: ${name})")
            else:
                made.append(f"@{directive}(if: {choices.one(['true', 'false'])})")
        return " ".join(made)

    def _selection(self, kind: Any, depth: int) -> str:
        named = get_named_type(kind)
        return f"{{ {self._fields(named, depth)} }}" if is_composite_type(named) else ""

    def _fields(self, named: Any, depth: int) -> str:
        """The inside of a selection on a type: fields, inline fragments and named ones."""
        choices = self.choices
        known = [name for name, (of, _) in self.fragments.items() if self._overlaps(of, named.name)]
        if known and choices.chance(15):
            return f"...{choices.one(known)} {self._condition()}"
        leaves = [each for each, of in named.fields.items() if not is_composite_type(get_named_type(of.type))]
        objects = [each for each, of in named.fields.items() if is_composite_type(get_named_type(of.type))]
        names = choices.some(leaves, 6) if leaves and (not objects or choices.chance(85)) else []
        if objects and (depth < DEEPEST or not names):
            names += choices.some(objects, 4 if len(objects) > 4 else 2) if not names or choices.chance(65) else []
        if depth < DEEPEST - 1 and choices.chance(14):
            names = [*leaves[: 1 + choices.below(8)], *objects]
        parts = [self._field(named, each, depth) for each in names]
        if depth < DEEPEST and objects and choices.chance(12):  # one relation twice, with selections of their own
            each = choices.one(objects)
            parts += [f"{each}{alias}: {each} {self._selection(named.fields[each].type, depth + 1)}" for alias in "AB"]
        if choices.chance(12):
            parts.insert(choices.below(len(parts) + 1), choices.one(["__typename", "kindName: __typename"]))
        if depth < DEEPEST and isinstance(named, GraphQLInterfaceType) and named.name != "Node" and choices.chance(60):
            for each in choices.some(self.schema.get_possible_types(named), 2):
                parts.append(f"... on {each.name} {self._condition()} {{ {self._fields(each, depth + 1)} }}")
        elif depth < DEEPEST and named.interfaces and choices.chance(12):
            each = choices.one(named.interfaces)
            parts.append(f"... on {each.name} {{ {self._fields(each, depth + 1)} }}")
        elif choices.chance(6):
            parts.append(f"... {self._condition()} {{ {self._field(named, choices.one(names), depth)} }}")
        body = " ".join(parts)
        if choices.chance(12):
            name = f"F{len(self.fragments)}"
            self.fragments[name] = (named.name, body)
            return f"...{name} {self._condition()}"
        return body

    def _field(self, named: Any, name: str, depth: int) -> str:
        alias = f"{name}{self.choices.one('AB')}: " if self.choices.chance(15) else ""
        return f"{alias}{name} {self._condition()} {self._selection(named.fields[name].type, depth + 1)}"

    def _overlaps(self, condition: str, name: str) -> bool:
        first, second = self.schema.type_map[condition], self.schema.type_map[name]
        possible = [
            {each.name for each in self.schema.get_possible_types(of)} if isinstance(of, GraphQLInterfaceType) else {of.name}
            for of in (first, second)
        ]
        return bool(possible[0] & possible[1])

    def _given(self) -> dict[str, Any]:
        found = {each.name: self._one(each) for each in self.variables.values()}
        return {name: value for name, value in found.items() if value is not ABSENT}

    def _one(self, variable: Variable) -> Any:
        choices = self.choices
        if choices.chance(3):
            return choices.one(variable.wrong)
        if (variable.is_nullable or variable.default) and choices.chance(20):
            return choices.one([ABSENT, None]) if variable.is_nullable else ABSENT
        return filled(choices, choices.one(variable.values))


@dataclass(frozen=True)
class Filled:
    """An input object whose fields are chosen anew for every call."""

    fields: dict[str, tuple[Sequence[Any], Any]]


def filled(choices: Choices, value: Any) -> Any:
    """A value with the fields of its input objects."""
    if not isinstance(value, Filled):
        return str(value) if isinstance(value, Word) else value
    made = {}
    for name, (values, declared) in value.fields.items():
        must = is_non_null_type(declared.type) and not _has_default(declared)
        if must or choices.chance(35):
            made[name] = filled(choices, choices.one(values))
    return made


def literal(value: Any) -> str:
    """A value as it stands in a document."""
    if isinstance(value, Word):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


def _has_default(declared: Any) -> bool:
    return declared.default_value is not Undefined


WRONG: list[Any] = ["x", 7, -1, 2**31, True, [], {}, ["x"], {"x": 1}, 1.5, "", "\0", "\ud800", 2**63]
SIZES, SIZES_ODD, PAGES = [3, 1, 2, 5, 8, 40], [-1, 0, 100, 101, 2**31 - 1], [1, 2, 3, 4, 90, 0, -1, 200_000]
ODD_CURSORS = ["", "x", "W10=", "WyJ4Il0=", "WyIxIiwiMSIsIjEiLCIxIl0=", "W251bGwsIjEiXQ==", "W10", "é", "WyJ4IiwieCJd", "WzEsMl0="]
BY_TYPE: dict[str, list[Any]] = {
    "Boolean": [True, False],
    "Int": [1, 2, 30, 60, 0, -5],
    "Float": [4.5, 1, -0.5],
    "Money": ["100.00", "0.01", "1000"],
    "String": ["a", "", "zzz", "é", "%", "a_b"],
    "ID": ["1", 1, "2", "999999"],
    "DateTime": ["2026-01-15T14:00:00Z"],
    "Date": ["2026-01-15"],
    "EmailAddress": ["somebody@example.com"],
    "PhoneNumber": ["+15551234567", "+4930123456"],
    "JSON": ["a", 1, True, ["a"], {"a": 1}],
}
