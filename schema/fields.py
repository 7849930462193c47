"""The glue between what clients see, what happens and what is stored: every field names its source here, once."""

import enum
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin
from uuid import UUID

import strawberry
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, Mapper, class_mapper
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from models.base import Model, Visible
from models.keys import Key
from resolvers.operations import Operation
from schema.arguments import ARGUMENTS

N = TypeVar("N")
T = TypeVar("T", bound=type)


@dataclass(frozen=True)
class Column:
    """A column of the type's table, or of a table beside it: "status", "spa.main_image"."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """Rows that belong to this one, by the name of the relationship: "service", "appointment.room"."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class Expression:
    """A value that SQL computes from the table's alias, and from the context where the function takes it."""

    function: Callable[..., ColumnElement[Any]]


@dataclass(frozen=True)
class Computed:
    """A value that Python computes from some columns."""

    needs: tuple[str, ...]
    function: Callable[..., Any]


@dataclass(frozen=True)
class GlobalKey:
    """The opaque id: type name and number."""


Source = Column | Relation | Expression | Computed | GlobalKey


@dataclass
class Shown:
    """A field of a type that shows a table, until the type is declared."""

    source: Source
    description: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def column(path: str, description: str | None = None) -> Any:
    """A column under another name, or of a to-one table beside it."""
    return Shown(Column(tuple(path.split("."))), description)


def related(path: str, description: str | None = None) -> Any:
    """A relation: joined when it is one row, one further statement when it is many."""
    return Shown(Relation(tuple(path.split("."))), description)


def expression(function: Callable[..., ColumnElement[Any]], description: str) -> Any:
    """An SQL expression over the table's alias (and the context, if the function takes a second argument)."""
    return Shown(Expression(function), description)


def computed(needs: list[str], function: Callable[..., Any], description: str) -> Any:
    """A value computed in Python from a mapping of the named columns and the context."""
    return Shown(Computed(tuple(needs), function), description)


@strawberry.interface(name="Node", description="Anything that has an id of its own.")
class Record:
    """The base of every type that shows a table."""

    id: strawberry.ID = strawberry.field(description="Opaque global id.", metadata={"source": GlobalKey()})


def shows(
    table: type[Model], *, interface: bool = False, kind: enum.Enum | None = None, name: str | None = None, with_keys: bool = True
) -> Callable[[T], T]:
    """Declare a type whose fields come from a table; `kind` tells an interface's implementations apart."""

    def declare(cls: T) -> T:
        annotations = inspect.get_annotations(cls)
        if with_keys:
            _add_keys(cls, annotations, table)
        for attribute, annotation in annotations.items():
            _register_enums(annotation)
            shown = cls.__dict__.get(attribute, None) or Shown(Column((attribute,)))
            if isinstance(shown, Shown):
                described = shown.description or _documented(table, shown.source)
                setattr(cls, attribute, strawberry.field(description=described, metadata={"source": shown.source}))
        make = strawberry.interface if interface else strawberry.type
        made: Any = make(cls, name=name, description=inspect.getdoc(cls))
        made.__shown_table__ = table
        made.__shown_kind__ = kind
        return typing.cast(T, made)

    return declare


def _add_keys(cls: type, annotations: dict[str, Any], table: type[Model]) -> None:
    """Number, UUID and birth are shown of every row that a client can name."""
    if not issubclass(table, Visible) or any(hasattr(base, "__shown_table__") for base in cls.__mro__[1:]):
        return
    for attribute, source, annotation in (
        ("number", "id", int),
        ("uuid", "uuid", UUID),
        ("created_at", "created_at", _created_type(table)),
    ):
        if attribute not in annotations:
            annotations[attribute] = annotation
            setattr(cls, attribute, Shown(Column((source,))))
    cls.__annotations__ = annotations


def _created_type(table: type[Model]) -> Any:
    return class_mapper(table).columns["created_at"].type.python_type


def _documented(table: type[Model], source: Source) -> str:
    """The sentence that stands beside the column or relationship."""
    assert isinstance(source, Column | Relation)  # noqa: S101 - the others carry their sentence
    mapper: Mapper[Any] = class_mapper(table)
    for name in source.path[:-1]:
        mapper = mapper.relationships[name].mapper
    attribute = mapper.get_property(source.path[-1])
    sentence = attribute.doc or (attribute.columns[0].doc if hasattr(attribute, "columns") else None)
    if not sentence:
        raise TypeError(f"{table.__name__}.{'.'.join(source.path)} needs a doc")
    return str(sentence)


def _register_enums(annotation: Any) -> None:
    for each in [annotation, *get_args(annotation)]:
        if inspect.isclass(each) and issubclass(each, enum.Enum):
            known: Any = getattr(each, "__strawberry_definition__", None)
            if known is None:
                strawberry.enum(each, description=inspect.getdoc(each))
            elif known.description is None:  # Strawberry found it by itself, in an input
                known.description = inspect.getdoc(each)
        elif get_origin(each) or isinstance(each, UnionType):
            for inner in get_args(each):
                _register_enums(inner)


@strawberry.type(description="Where a page stands in the whole list.")
class PageInfo:
    """Both ways of paging at once: cursors, and numbered pages."""

    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether others come before.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first node.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last node.")
    page: int | None = strawberry.field(description="The page's number from 1, when numbered pages were asked for.")
    per_page: int = strawberry.field(description="How many nodes a page holds.")
    pages: int = strawberry.field(description="How many pages there are.")
    total: int = strawberry.field(description="How many nodes there are in all.")


@strawberry.type(description="A node with its cursor.")
class Edge(Generic[N]):
    """One element of a connection."""

    cursor: str = strawberry.field(description="Where to continue after this node.")
    node: N = strawberry.field(description="The node itself.")


@strawberry.type(description="A page of a list, with cursors that stay right while the list changes.")
class Connection(Generic[N]):
    """A list that is read page by page."""

    edges: list[Edge[N]] = strawberry.field(description="The nodes with their cursors.")
    nodes: list[N] = strawberry.field(description="The nodes themselves.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="How many nodes there are in all; counted only when asked for.")


def _argument(name: str, annotation: Any, description: str, **default: Any) -> StrawberryArgument:
    made = StrawberryArgument(name, None, StrawberryAnnotation(annotation), description=description, **default)
    return made


PAGE_ARGUMENTS = [
    _argument("first", int | None, "How many nodes from the start, 100 at most; 20 unless said.", default=None),
    _argument("after", str | None, "Continue after this cursor.", default=None),
    _argument("last", int | None, "How many nodes from the end.", default=None),
    _argument("before", str | None, "Continue before this cursor.", default=None),
    _argument("page", int | None, "The page's number, from 1, instead of cursors.", default=None),
    _argument("per_page", int | None, "How many nodes a numbered page holds.", default=None),
]
KEY_ARGUMENT = _argument("idempotency_key", str | None, "Repeats under the same key answer the same and do nothing twice.", default=None)
AFTER_ARGUMENT = _argument("after", str | None, "Go on after this cursor, so that a connection that was lost misses nothing.", default=None)
PAGE_NAMES = tuple(each.python_name for each in PAGE_ARGUMENTS)


class OperationField(StrawberryField):
    """A root field that runs one operation."""

    operation: Operation
    takes_key = False
    takes_cursor = False

    @property
    def is_connection(self) -> bool:
        """Whether it answers page by page."""
        annotation = self.type_annotation.annotation if self.type_annotation else None
        return get_origin(annotation) is Connection

    @property
    def arguments(self) -> list[StrawberryArgument]:
        """The operation's own, and those that paging, idempotency and resuming bring."""
        own = self.base_resolver.arguments if self.base_resolver else []
        paging = PAGE_ARGUMENTS if self.is_connection else []
        return [*own, *paging, *([KEY_ARGUMENT] if self.takes_key else []), *([AFTER_ARGUMENT] if self.takes_cursor else [])]

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        raise TypeError("arguments come from the operation")


def operation(operation: Operation, *, deprecation_reason: str | None = None) -> Any:
    """A root field with the operation's arguments and description; the engine runs it."""

    def resolve(**_: Any) -> None:
        raise NotImplementedError("the engine runs operations")

    parameters = [each.replace(annotation=_described(each)) for each in operation.parameters.values()]
    resolve.__name__ = operation.name
    resolve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    resolve.__annotations__ = {each.name: each.annotation for each in parameters}
    for each in parameters:
        _register_enums(each.annotation)
    made = OperationField(
        base_resolver=StrawberryResolver(resolve),
        description=operation.description,
        deprecation_reason=deprecation_reason,
    )
    made.operation = operation
    return made


def key_table(annotation: Any) -> type[Model] | None:
    """The table whose rows an argument names, if it is a key or a list of keys."""
    if get_origin(annotation) is Key:
        return typing.cast(type[Model], get_args(annotation)[0])
    return next((found for each in get_args(annotation) if (found := key_table(each))), None)


def _described(parameter: inspect.Parameter) -> Any:
    """A parameter's type as GraphQL spells it, with what it means."""
    if parameter.name not in ARGUMENTS:
        raise TypeError(f"schema/arguments.py does not say what {parameter.name} means")
    return Annotated[_spoken(parameter.annotation), strawberry.argument(description=ARGUMENTS[parameter.name])]


def _spoken(annotation: Any) -> Any:
    """How GraphQL spells a parameter's type: keys are IDs."""
    if get_origin(annotation) is Key:
        return strawberry.ID
    if get_origin(annotation) in (typing.Union, UnionType):
        spoken = tuple(_spoken(each) for each in get_args(annotation))
        return typing.Union[spoken]  # noqa: UP007 - built at run time
    if get_origin(annotation) is list:
        return list[_spoken(get_args(annotation)[0])]  # type: ignore[misc]
    if get_origin(annotation) is Annotated:
        inner, *rest = get_args(annotation)
        return Annotated[(_spoken(inner), *rest)]
    return annotation


def attribute_of(entity: Any, name: str) -> InstrumentedAttribute[Any]:
    """A column or relationship of a table or of its alias."""
    return typing.cast(InstrumentedAttribute[Any], getattr(entity, name))
