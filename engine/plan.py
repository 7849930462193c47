"""One statement for the rows of a selection: columns that are asked for, to-one relations joined, to-many ones in a further batch."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from graphql import is_non_null_type
from sqlalchemy import ColumnElement, Select, Text, cast, select
from sqlalchemy.orm import InstrumentedAttribute, RelationshipProperty, aliased, class_mapper

from engine.selection import Reader
from engine.shapes import FieldShape, Shape, Shapes
from resolvers.context import Context
from schema.fields import Column, Computed, Expression, GlobalKey, Relation, attribute_of

TYPE_NAME = "__typename"


@dataclass(frozen=True)
class Leaf:
    """A value that stands in a column of the statement."""

    key: str
    at: int
    type_name: str
    is_list: bool
    may_lack: bool
    """Whether a null would break the promise of a non-null field."""


@dataclass(frozen=True)
class Global:
    """The opaque id."""

    key: str
    at: int


@dataclass(frozen=True)
class Call:
    """A value that a Python function computes from columns."""

    key: str
    function: Callable[..., Any]
    needs: tuple[tuple[str, int], ...]
    takes_context: bool
    type_name: str
    is_list: bool
    is_required: bool


@dataclass(frozen=True)
class One:
    """A joined row, or null where there is none."""

    key: str
    present_at: int
    is_required: bool
    object: "Object"


@dataclass(frozen=True)
class Many:
    """A list whose rows come with a further batch."""

    key: str
    batch: int
    parent_at: int


@dataclass(frozen=True)
class TypeName:
    """The name of the concrete type, under the key that was asked for."""

    key: str


Piece = Leaf | Global | Call | One | Many | TypeName


@dataclass(frozen=True)
class Object:
    """How an object is put together; for an interface, per value of the column that tells the types apart."""

    kind_at: int | None
    types: dict[str | None, tuple[str, tuple[Piece, ...]]]
    """Kind: the concrete type's name and its pieces."""


@dataclass
class Batch:
    """A to-many relation: rows of another statement, grouped by the parent's key."""

    rows: Select[Any]
    remote: InstrumentedAttribute[Any]
    key_at: int
    parent_at: int
    plan: "Plan"


@dataclass
class Plan:
    """The columns of one statement and how its records become objects."""

    columns: list[Any] = field(default_factory=list)
    joins: dict[tuple[str, ...], Any] = field(default_factory=dict)
    targets: list[Any] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    known_batches: dict[Any, int] = field(default_factory=dict)
    object: Object = field(default_factory=lambda: Object(None, {}))

    def index(self, element: Any, *, as_text: bool = False) -> int:
        """The position of a column in the statement; asked for twice, it stands there once."""
        for position, (known, is_text) in enumerate(self.columns):
            if known is element and is_text == as_text:
                return position
        self.columns.append((element, as_text))
        return len(self.columns) - 1

    def select(self, rows: Select[Any]) -> Select[Any]:
        """The statement: the operation's rows, this plan's columns and joins."""
        shown = [(cast(each, Text) if is_text else each).label(f"c{n}") for n, (each, is_text) in enumerate(self.columns)]
        statement = rows.with_only_columns(*shown, maintain_column_froms=True)
        for target in self.targets:
            statement = statement.join(target, isouter=True)
        return statement


@dataclass
class Planner:
    """Plans the reading of selections; `spells_money` has PostgreSQL write amounts as GraphQL does."""

    shapes: Shapes
    reader: Reader
    ctx: Context
    spells_money: bool = False
    uses_context: bool = False
    """Whether something was planned that depends on who asks."""

    def plan(self, type_name: str, nodes: Sequence[Any]) -> Plan:
        """How to read what these nodes ask of a type, from its table."""
        shape, plan = self.shapes.by_name[type_name], Plan()
        plan.object = self._object(plan, shape, nodes, shape.table, ())
        if not plan.columns:
            plan.index(attribute_of(shape.table, "id"))
        return plan

    def also(self, plan: Plan, type_name: str, nodes: Sequence[Any]) -> Object:
        """Another object from the same rows: its columns and joins are added to the plan."""
        shape = self.shapes.by_name[type_name]
        return self._object(plan, shape, nodes, shape.table, ())

    def _object(self, plan: Plan, shape: Shape, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> Object:
        if not shape.kinds:
            return Object(None, {None: (shape.name, self._pieces(plan, shape, nodes, entity, at))})
        kind_at = plan.index(attribute_of(entity, shape.discriminator))
        return Object(kind_at, {kind: (each.name, self._pieces(plan, each, nodes, entity, at)) for kind, each in shape.kinds.items()})

    def _pieces(self, plan: Plan, shape: Shape, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> tuple[Piece, ...]:
        return tuple(
            TypeName(key) if asked[0].name.value == TYPE_NAME else self._piece(plan, shape, key, asked, entity, at)
            for key, asked in self.reader.fields(nodes, shape.name).items()
        )

    def _piece(self, plan: Plan, shape: Shape, key: str, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> Piece:
        asked = shape.fields[nodes[0].name.value]
        source = asked.source
        if isinstance(source, GlobalKey):
            return Global(key, plan.index(attribute_of(entity, "id")))
        if isinstance(source, Column):
            column = self._attribute(plan, source.path, entity, at)
            may_lack = is_non_null_type(asked.type) and (len(source.path) > 1 or column.property.columns[0].nullable)
            return self._leaf(plan, key, asked, column, may_lack=may_lack)
        if isinstance(source, Expression):
            return self._leaf(plan, key, asked, self._expression(source, entity), may_lack=is_non_null_type(asked.type))
        if isinstance(source, Computed):
            needs = tuple((name, plan.index(self._attribute(plan, tuple(name.split(".")), entity, at))) for name in source.needs)
            takes = len(inspect.signature(source.function).parameters) > 1
            return Call(key, source.function, needs, takes, asked.target, asked.is_list, is_non_null_type(asked.type))
        if asked.is_list:
            return self._many(plan, source, asked, key, nodes, entity, at)
        joined, path = self._join(plan, source.path, entity, at)
        present_at = plan.index(attribute_of(joined, "id"))
        inner = self._object(plan, self.shapes.by_name[asked.target], nodes, joined, path)
        return One(key, present_at, is_non_null_type(asked.type), inner)

    def _leaf(self, plan: Plan, key: str, asked: FieldShape, element: Any, *, may_lack: bool) -> Leaf:
        as_text = self.spells_money and asked.target == "Money" and _is_money(element)
        return Leaf(key, plan.index(element, as_text=as_text), "String" if as_text else asked.target, asked.is_list, may_lack)

    def _expression(self, source: Expression, entity: Any) -> ColumnElement[Any]:
        if len(inspect.signature(source.function).parameters) == 1:
            return source.function(entity)
        self.uses_context = True
        return source.function(entity, self.ctx)

    def _many(
        self, plan: Plan, source: Relation, asked: FieldShape, key: str, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]
    ) -> Many:
        joined, _ = self._join(plan, source.path[:-1], entity, at) if source.path[:-1] else (entity, at)
        relation: RelationshipProperty[Any] = _mapper(joined).relationships[source.path[-1]]
        local, remote = relation.local_remote_pairs[0]
        parent_at = plan.index(attribute_of(joined, _mapper(joined).get_property_by_column(local).key))
        remote_key = attribute_of(relation.mapper.class_, relation.mapper.get_property_by_column(remote).key)
        known = (id(joined), source.path[-1], *map(id, nodes))  # the same list of an interface's other types is the same batch
        if known in plan.known_batches:
            return Many(key, plan.known_batches[known], parent_at)
        inner = self.plan(asked.target, nodes)
        plan.known_batches[known] = len(plan.batches)
        rows = select(relation.mapper.class_).order_by(*(relation.order_by or ()))
        plan.batches.append(Batch(rows, remote_key, inner.index(remote_key), parent_at, inner))
        return Many(key, len(plan.batches) - 1, parent_at)

    def _attribute(self, plan: Plan, path: tuple[str, ...], entity: Any, at: tuple[str, ...]) -> Any:
        if len(path) == 1:
            return attribute_of(entity, path[0])
        joined, _ = self._join(plan, path[:-1], entity, at)
        return attribute_of(joined, path[-1])

    def _join(self, plan: Plan, path: tuple[str, ...], entity: Any, at: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
        """The alias of a to-one relation; each is joined once however often it is asked for."""
        for name in path:
            at = (*at, name)
            if at not in plan.joins:
                relation = attribute_of(entity, name)
                alias = aliased(_mapper(entity).relationships[name].mapper.class_)
                plan.joins[at] = alias
                plan.targets.append(relation.of_type(alias))
            entity = plan.joins[at]
        return entity, at


def _is_money(element: Any) -> bool:
    kind = element.type
    return kind.python_type is Decimal and kind.scale == 2


def _mapper(entity: Any) -> Any:
    return class_mapper(entity) if isinstance(entity, type) else entity._aliased_insp.mapper
