"""A second way to answer documents, as plain as can be: graphql-core, and one statement for each object and relation.

Nothing here is shared with the engine's planning, shaping and paging, so that the two can be compared.
"""

import asyncio
import base64
import dataclasses
import enum
import inspect
import json
import math
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLScalarType,
    execute,
    get_nullable_type,
    is_non_null_type,
    parse,
    specified_directives,
    specified_scalar_types,
)
from sqlalchemy import select
from sqlalchemy.orm import class_mapper, with_parent

from errors import ApiError, BadUserInput, NotFound
from models.base import Model
from models.database import Database
from models.keys import Key
from resolvers.context import Context
from resolvers.operations import Operation, perform
from schema.fields import Column, Computed, Expression, GlobalKey, OperationField, Relation
from schema.root import build_schema

PAGING = ("first", "after", "last", "before", "page", "per_page")
USUAL, FARTHEST = 20, 100_000

Error = tuple[tuple[Any, ...], str]
"""The path and the code."""


@dataclass(frozen=True)
class Told:
    """What a document was answered."""

    data: Any
    errors: frozenset[Error]
    """Every error by its path and code, also those of fields that another one made superfluous."""
    was_run: bool


@dataclass(frozen=True)
class Listed:
    """Every row of a list in its order, with what the order looks at."""

    rows: list[Model]
    places: list[tuple[Any, ...]]
    types: tuple[type, ...]
    descending: tuple[bool, ...]


class Reference:
    """Answers documents slowly; what it has read of a world that stands still it keeps."""

    def __init__(self, database: Database, *, raw: bool = False) -> None:
        self.database = database
        self.kept: dict[Any, Any] = {}
        self._turn = asyncio.Lock()
        self._operations: dict[str, Operation] = {}
        self._required: set[str] = set()
        """Root fields without which nothing is left of an answer."""
        self._strawberry = build_schema(for_older_systems=raw)
        self.schema = self._strawberry._schema
        self.schema.directives = specified_directives  # without those for answers in parts, which `execute` refuses
        self._shown: dict[type[Model], dict[str | None, str]] = {}
        self._names: dict[type[Model], set[str]] = {}
        """Every type under which rows of a table are shown."""
        self._install(raw)

    async def run(self, text: str, ctx: Context, variables: dict[str, Any]) -> Told:
        """The answer to a document that is known to be valid."""
        document: Any = parse(text)
        found = execute(self.schema, document, None, ctx, variables)
        result = found if isinstance(found, ExecutionResult) else await found
        errors = result.errors or []
        was_run = not (result.data is None and errors and all(each.path is None for each in errors))
        names = _root_fields(document, document.definitions[0].selection_set)
        is_lost = any(value is None and names[key] in self._required for key, value in (result.data or {}).items())
        told = frozenset((tuple(each.path or ()), code_of(each)) for each in errors)
        return Told(None if is_lost else result.data, told, was_run)

    def with_permission(self, errors: frozenset[Error], text: str, ctx: Context) -> frozenset[Error]:
        """The same errors, but who may not call an operation at all is told so and not what is wrong with the arguments."""
        document: Any = parse(text)
        names = _root_fields(document, document.definitions[0].selection_set)
        return frozenset((path, self._not_admitted(names[path[0]], ctx) or code if len(path) == 1 else code) for path, code in errors)

    def _not_admitted(self, name: str, ctx: Context) -> str | None:
        try:
            self._operations[name].admit(ctx.viewer)
        except ApiError as refusal:
            return refusal.code
        return None

    def _install(self, raw: bool) -> None:
        definitions = {name: each.definition for name, each in self._strawberry.schema_converter.type_map.items()}
        for name, each in definitions.items():
            table = getattr(getattr(each, "origin", None), "__shown_table__", None)
            if table is not None:
                kind = each.origin.__shown_kind__  # type: ignore[union-attr]
                self._shown.setdefault(table, {})[kind] = name
                self._names.setdefault(table, set()).add(name)
        for name, found in self.schema.type_map.items():
            if name.startswith("__"):
                continue
            if isinstance(found, GraphQLEnumType):
                setattr(found, "coerce_output_value", plain if raw else spelled_by(found))  # noqa: B010 - mypy knows it as a method
            elif isinstance(found, GraphQLScalarType) and raw and name not in specified_scalar_types:
                found.coerce_output_value = plain
            elif isinstance(found, GraphQLInterfaceType):
                found.resolve_type = self._type_of
            elif isinstance(found, GraphQLObjectType):
                found.is_type_of = None
                self._install_fields(found, definitions[name])

    def _install_fields(self, found: GraphQLObjectType, definition: Any) -> None:
        declared = {self._strawberry.config.name_converter.from_field(each): each for each in definition.fields}
        for spoken, field in found.fields.items():
            each = declared[spoken]
            if isinstance(each, OperationField):
                self._operations[spoken] = each.operation
                field.resolve = self._operation(each, field.type)
                if found is self.schema.query_type and is_non_null_type(field.type):
                    self._required.add(spoken)
                    field.type = field.type.of_type  # else graphql-core gives up the other fields before they have failed
            elif "source" in each.metadata:
                field.resolve = self._source(each.metadata["source"])
            else:
                field.resolve = self._attribute(each.python_name)

    def _type_of(self, row: Model, *_: Any) -> str:
        names = self._shown[type(row)]
        return names[getattr(row, "kind", None) or getattr(row, "line", None)]

    def _attribute(self, name: str) -> Callable[..., Any]:
        async def resolve(source: Any, info: Any) -> Any:
            value = source[name] if isinstance(source, dict) else getattr(source, name)
            if isinstance(value, Model) and not isinstance(source, dict):
                return await self._one(select(type(value)).where(type(value).id == value.id))
            if isinstance(value, list) and value and isinstance(value[0], Model):
                return [await self._one(select(type(each)).where(type(each).id == each.id)) for each in value]
            return value

        return resolve

    def _source(self, source: Any) -> Callable[..., Any]:
        async def resolve(row: Model, info: Any) -> Any:
            if isinstance(source, GlobalKey):
                return base64.b64encode(f"{info.parent_type.name}:{row.id}".encode()).decode()
            if isinstance(source, Column | Relation):
                return await self._follow(row, source.path)
            if isinstance(source, Expression):
                return await self._computed_by_sql(source, row, info.context)
            assert isinstance(source, Computed)
            needs = {name: await self._follow(row, tuple(name.split("."))) for name in source.needs}
            return source.function(needs, *[info.context][: len(inspect.signature(source.function).parameters) - 1])

        return resolve

    async def _computed_by_sql(self, source: Expression, row: Model, ctx: Context) -> Any:
        table = type(row)
        given = [table, ctx][: len(inspect.signature(source.function).parameters)]
        key = (source.function, row.id, ctx.viewer.user_id)
        if key not in self.kept:
            async with self._turn, self.database.sessions() as db:
                self.kept[key] = await db.scalar(select(source.function(*given)).where(table.id == row.id))
        return self.kept[key]

    async def _follow(self, row: Model | None, path: tuple[str, ...]) -> Any:
        """A column or a relation, over the rows in between."""
        for name in path:
            if row is None:
                return None
            relations = class_mapper(type(row)).relationships
            row = await self._related(row, relations[name]) if name in relations else getattr(row, name)
        return row

    async def _related(self, row: Model, relation: Any) -> Any:
        key = (type(row), row.id, relation.key)
        local = [getattr(row, each.key) for each in relation.local_columns]
        if None in local:
            return [] if relation.uselist else None
        if key not in self.kept:
            found = select(relation.mapper.class_).where(with_parent(row, getattr(type(row), relation.key)))
            async with self._turn, self.database.sessions() as db:
                rows = list(await db.scalars(found.order_by(*(relation.order_by or ()))))
            self.kept[key] = rows if relation.uselist else (rows[0] if rows else None)
        return self.kept[key]

    def _operation(self, field: OperationField, kind: Any) -> Callable[..., Any]:
        operation = field.operation

        async def resolve(_: Any, info: Any, **given: Any) -> Any:
            ctx: Context = info.context
            operation.admit(ctx.viewer)
            page = {python(name): value for name, value in given.items() if python(name) in PAGING and field.is_connection}
            asked = {
                python(name): self._argument(value, operation.parameters[python(name)].annotation, python(name))
                for name, value in given.items()
                if python(name) in operation.parameters
            }
            if not operation.is_select:
                self.kept.clear()
                found = await perform(operation, ctx, asked, key=given.get("idempotencyKey"))
                self.kept.clear()
                return await self._again(found)
            rows = operation(ctx, **asked)
            if field.is_connection:
                return await self._connection(rows, page, ctx)
            if isinstance(get_nullable_type(kind), GraphQLList):
                return (await self._listed(rows)).rows[: ctx.longest_list]
            one = await self._one(rows)
            if one is None and is_non_null_type(kind):
                raise NotFound
            return one

        return resolve

    async def _again(self, found: Any) -> Any:
        """Rows that an operation returned, as they stand in the database."""
        if isinstance(found, list):
            return [await self._again(each) for each in found]
        return await self._one(select(type(found)).where(type(found).id == found.id)) if isinstance(found, Model) else found

    def _argument(self, value: Any, annotation: Any, name: str) -> Any:
        """A coerced argument as the operation declares it."""
        if value is None:
            return None
        if typing.get_origin(annotation) in (typing.Union, types.UnionType):
            annotation = next(each for each in typing.get_args(annotation) if each is not type(None))
        if typing.get_origin(annotation) is list:
            return [self._argument(each, typing.get_args(annotation)[0], name) for each in value]
        if typing.get_origin(annotation) is Key:
            key: Key[Any] = Key.parse(value, name)
            if key.type_name is not None and key.type_name not in self._names[typing.get_args(annotation)[0]]:
                raise BadUserInput(**{name: "This is an id of something else."})
            return key
        if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
            return value if isinstance(value, annotation) else annotation(value)
        if dataclasses.is_dataclass(annotation):
            hints = typing.get_type_hints(annotation)
            given = {python(spoken): inner for spoken, inner in value.items()}
            return typing.cast(Any, annotation)(**{each: self._argument(inner, hints[each], each) for each, inner in given.items()})
        return value

    async def _one(self, rows: Any) -> Any:
        async with self._turn, self.database.sessions() as db:
            return (await db.scalars(rows)).first()

    async def _listed(self, rows: Any) -> Listed:
        """All rows of a statement, made unique in their order by their number."""
        table = rows.column_descriptions[0]["entity"]
        compiled = rows.compile(dialect=self.database.engine.dialect)
        key = (str(compiled), repr(sorted(compiled.params.items())))
        if key not in self.kept:
            clauses = [(getattr(each, "element", each), str(each).endswith(" DESC")) for each in rows._order_by_clauses]
            if not any(str(each) == f"{table.__tablename__}.id" for each, _ in clauses):
                clauses.append((table.id, bool(clauses) and clauses[-1][1]))
            ordered = rows.order_by(None).order_by(*[each.desc() if is_descending else each for each, is_descending in clauses])
            async with self._turn, self.database.sessions() as db:
                records = (await db.execute(ordered.add_columns(*[each for each, _ in clauses]))).all()
            places = [tuple(plain(each) for each in record[1:]) for record in records]
            kinds = tuple(each.type.python_type for each, _ in clauses)
            self.kept[key] = Listed([record[0] for record in records], places, kinds, tuple(down for _, down in clauses))
        found: Listed = self.kept[key]
        return found

    async def _connection(self, rows: Any, page: dict[str, Any], ctx: Context) -> dict[str, Any]:
        given = {name: value for name, value in page.items() if value is not None}
        back, cursors, numbered = given.keys() & {"last", "before"}, given.keys() & {"first", "after"}, given.keys() & {"page", "per_page"}
        if sum(map(bool, (back, cursors, numbered))) > 1:
            raise BadUserInput(page="Choose one way of paging.")
        sizes = [value for name, value in given.items() if name in ("first", "last", "per_page")]
        size = sizes[0] if sizes else min(USUAL, ctx.longest_page)
        number = given.get("page", 1)
        if not 0 <= size <= ctx.longest_page or number < 1 or ("page" in given and number * size > FARTHEST):
            raise BadUserInput(page="Out of range.")
        every = await self._listed(rows)
        after, before = (_opened(given.get(name), every.types) for name in ("after", "before"))
        start, end = (number - 1) * size, len(every.rows)
        if after is not None:
            start = sum(not _follows(place, after, every) for place in every.places)
        if before is not None:
            end = sum(place != before and not _follows(place, before, every) for place in every.places)
        more = len(every.rows) - start > size if not back else end > size
        shown = range(max(end - size, 0), end) if back else range(start, min(start + size, end))
        names = [_cursor(every.places[each]) for each in shown]
        nodes = [every.rows[each] for each in shown]
        further = after is not None or before is not None or number > 1
        total = len(every.rows)
        return {
            "nodes": nodes,
            "edges": [{"cursor": cursor, "node": node} for cursor, node in zip(names, nodes, strict=True)],
            "total_count": total,
            "page_info": {
                "has_next_page": further if back else more,
                "has_previous_page": more if back else further,
                "start_cursor": names[0] if names else None,
                "end_cursor": names[-1] if names else None,
                "page": number if numbered else None,
                "per_page": size,
                "pages": -(-total // max(size, 1)),
                "total": total,
            },
        }


def _root_fields(document: Any, selections: Any) -> dict[Any, str]:
    """The names of an operation's fields by their response keys."""
    found: dict[Any, str] = {}
    for each in selections.selections:
        if isinstance(each, FieldNode):
            found[each.alias.value if each.alias else each.name.value] = each.name.value
        elif isinstance(each, FragmentSpreadNode):
            fragment = next(one for one in document.definitions[1:] if one.name.value == each.name.value)
            found |= _root_fields(document, fragment.selection_set)
        else:
            found |= _root_fields(document, each.selection_set)
    return found


def _cursor(place: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps([str(each) for each in place], separators=(",", ":"), ensure_ascii=False).encode()).decode()


def _opened(cursor: str | None, kinds: tuple[type, ...]) -> tuple[Any, ...] | None:
    """The values in a cursor, if it is one of this list."""
    if cursor is None:
        return None
    try:
        texts = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if isinstance(texts, list) and all(isinstance(each, str) for each in texts):
            values = tuple(_read(kind, text) for kind, text in zip(kinds, texts, strict=True))
            if [str(each) for each in values] == texts:
                return values
    except (ValueError, ArithmeticError):
        pass
    raise BadUserInput(after="This is not a cursor of this list.")


def _follows(place: tuple[Any, ...], cursor: tuple[Any, ...], every: Listed) -> bool:
    """Whether a row comes after the place that a cursor names."""
    for value, other, down in zip(place, cursor, every.descending, strict=True):
        if value != other:
            return bool(value > other) != down
    return False


def _read(kind: type, text: str) -> Any:
    if kind is bool:
        return {"True": True, "False": False}[text] if text in ("True", "False") else _refuse()
    if kind in (datetime, date):
        return kind.fromisoformat(text)
    if kind is float and not math.isfinite(float(text)):
        _refuse()
    return {int: int, float: float, Decimal: Decimal}.get(kind, str)(text)


def _refuse() -> typing.NoReturn:
    raise ValueError


def plain(value: Any) -> Any:
    """A value without what Python's enums add to it."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.value if isinstance(value, enum.Enum) else value


def spelled_by(found: GraphQLEnumType) -> Callable[[Any], str]:
    """The names of an enum's values."""
    return lambda value: next(name for name, each in found.values.items() if plain(each.value) == plain(value))


def python(name: str) -> str:
    """A name of GraphQL as Python spells it."""
    return re.sub(r"[A-Z]", lambda found: f"_{found.group().lower()}", name)


def code_of(error: GraphQLError) -> str:
    """The code that clients are told."""
    if error.path is None:
        return "BAD_USER_INPUT"
    original: BaseException | None = error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if isinstance(original, ApiError):
        return original.code
    return "BAD_USER_INPUT" if original is None else "UNKNOWN_ERROR"


def type_names(reference: Reference, table: type[Model]) -> list[str]:
    """The types under which a table's rows are shown."""
    return sorted(reference._names.get(table, set()))
