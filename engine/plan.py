"""One statement for the rows of a selection: columns that are asked for, to-one relations joined, to-many ones in a further batch."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, RelationshipProperty, aliased, class_mapper

from engine.selection import Reader
from engine.shapes import FieldShape, Shape, Shapes
from models.keys import global_id
from resolvers.context import Context
from schema.fields import Column, Computed, Expression, GlobalKey, Relation, attribute_of

Record = Sequence[Any]
Run = list[dict[Any, list[list[Any]]]]
"""What one reading still owes: for each batch, the lists to fill, by the parents' key."""
Getter = Callable[[Record, Run], Any]
TYPE_NAME = "__typename"


@dataclass
class Batch:
    """A to-many relation: rows of another statement, grouped by the parent's key."""

    rows: Select[Any]
    remote: InstrumentedAttribute[Any]
    plan: "Plan"


@dataclass
class Branch:
    """How to build the object of one concrete type."""

    type_name: str
    getters: list[tuple[str, Getter]] = field(default_factory=list)

    def build(self, record: Record, run: Run) -> dict[str, Any]:
        """One row as the answer's object, leaf values still Python."""
        made: dict[str, Any] = {TYPE_NAME: self.type_name}
        for name, get in self.getters:
            made[name] = get(record, run)
        return made


@dataclass
class Plan:
    """The columns of one statement and how its records become objects."""

    columns: list[Any] = field(default_factory=list)
    joins: dict[tuple[str, ...], Any] = field(default_factory=dict)
    targets: list[Any] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    build: Getter = field(default=lambda record, run: record)

    def index(self, element: Any) -> int:
        """The position of a column in the statement; asked for twice, it stands there once."""
        for position, known in enumerate(self.columns):
            if known is element:
                return position
        self.columns.append(element)
        return len(self.columns) - 1

    def select(self, rows: Select[Any]) -> Select[Any]:
        """The statement: the operation's rows, this plan's columns and joins."""
        statement = rows.with_only_columns(*[each.label(f"c{n}") for n, each in enumerate(self.columns)], maintain_column_froms=True)
        for target in self.targets:
            statement = statement.join(target, isouter=True)
        return statement


class Planner:
    """Plans the reading of one selection of one request."""

    def __init__(self, shapes: Shapes, reader: Reader, ctx: Context) -> None:
        self.shapes = shapes
        self.reader = reader
        self.ctx = ctx

    def plan(self, type_name: str, nodes: Sequence[Any], entity: Any = None) -> Plan:
        """How to read what these nodes ask of a type, from its table."""
        shape = self.shapes.by_name[type_name]
        plan = Plan()
        plan.build = self._object(plan, shape, nodes, entity or shape.table, ())
        return plan

    def _object(self, plan: Plan, shape: Shape, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> Getter:
        if not shape.kinds:
            return self._branch(plan, shape, nodes, entity, at).build
        kind_at = plan.index(attribute_of(entity, shape.discriminator))
        branches = {kind: self._branch(plan, each, nodes, entity, at).build for kind, each in shape.kinds.items()}
        return lambda record, run: branches[record[kind_at]](record, run)

    def _branch(self, plan: Plan, shape: Shape, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> Branch:
        branch = Branch(shape.name)
        for response_key, asked in self.reader.fields(nodes, shape.name).items():
            name = asked[0].name.value
            if name != TYPE_NAME:
                branch.getters.append((response_key, self._getter(plan, shape, shape.fields[name], asked, entity, at)))
        return branch

    def _getter(self, plan: Plan, shape: Shape, asked: FieldShape, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> Getter:
        source = asked.source
        if isinstance(source, GlobalKey):
            position, name = plan.index(attribute_of(entity, "id")), shape.name
            return lambda record, _: global_id(name, record[position])
        if isinstance(source, Column):
            return _at(plan.index(self._attribute(plan, source.path, entity, at)))
        if isinstance(source, Expression):
            return _at(plan.index(self._expression(source, entity)))
        if isinstance(source, Computed):
            return self._computed(plan, source, entity, at)
        if asked.is_list:
            return self._many(plan, source, asked, nodes, entity, at)
        return self._one(plan, source, asked, nodes, entity, at)

    def _expression(self, source: Expression, entity: Any) -> ColumnElement[Any]:
        takes = len(inspect.signature(source.function).parameters)
        return source.function(entity, self.ctx) if takes > 1 else source.function(entity)

    def _computed(self, plan: Plan, source: Computed, entity: Any, at: tuple[str, ...]) -> Getter:
        positions = {name: plan.index(self._attribute(plan, tuple(name.split(".")), entity, at)) for name in source.needs}
        takes, function, ctx = len(inspect.signature(source.function).parameters), source.function, self.ctx

        def compute(record: Record, _: Run) -> Any:
            values: Mapping[str, Any] = {name: record[position] for name, position in positions.items()}
            return function(values, ctx) if takes > 1 else function(values)

        return compute

    def _one(self, plan: Plan, source: Relation, asked: FieldShape, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> Getter:
        joined, path = self._join(plan, source.path, entity, at)
        present = plan.index(attribute_of(joined, "id"))
        build = self._object(plan, self.shapes.by_name[asked.target], nodes, joined, path)
        return lambda record, run: None if record[present] is None else build(record, run)

    def _many(self, plan: Plan, source: Relation, asked: FieldShape, nodes: Sequence[Any], entity: Any, at: tuple[str, ...]) -> Getter:
        joined, _ = self._join(plan, source.path[:-1], entity, at) if source.path[:-1] else (entity, at)
        relation: RelationshipProperty[Any] = _mapper(joined).relationships[source.path[-1]]
        local, remote = relation.local_remote_pairs[0]
        target = relation.mapper.class_
        inner = self.plan(asked.target, nodes)
        position = plan.index(attribute_of(joined, _mapper(joined).get_property_by_column(local).key))
        remote_key = attribute_of(target, relation.mapper.get_property_by_column(remote).key)
        inner.index(remote_key)
        number = len(plan.batches)
        plan.batches.append(Batch(select(target).order_by(*(relation.order_by or ())), remote_key, inner))

        def owe(record: Record, run: Run) -> list[Any]:
            made: list[Any] = []
            run[number].setdefault(record[position], []).append(made)
            return made

        return owe

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


def _at(position: int) -> Getter:
    return lambda record, _: record[position]


def _mapper(entity: Any) -> Any:
    return class_mapper(entity) if isinstance(entity, type) else entity._aliased_insp.mapper
