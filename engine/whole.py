"""A whole tree of rows in one statement: the main rows first, then those of each relation, told apart by a number in front.

Each relation's rows come once, however many parents share them, and no parent is repeated for its children. Columns of one type
share a place in the answer, so that rows are not padded with more nulls than needed. Nothing sorts the whole: PostgreSQL runs the
branches of a UNION ALL one after the other, each in its own order, as long as it does not run them in parallel (see Database).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Text, any_, cast, func, literal_column, null, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import NullType

from engine.plan import Batch, Plan
from engine.shaping import Run, Shape, Spellers, Writer
from engine.symbols import Statement, compile_statement

PART = 1
"""Every row begins with the number of its part."""


@dataclass(frozen=True)
class Part:
    """The rows of one relation: which list of which part they go into, and how they become objects."""

    parent: int
    batch: int
    relation: Batch
    places: list[int]
    key_at: int
    shape: Shape


class Whole:
    """The statement of a plan with all its batches, and the functions that read its records."""

    def __init__(self, plan: Plan, spellers: Spellers) -> None:
        self._plan = plan
        self._slots: list[Any] = []
        self._places: list[int] = []
        _place(plan, self._slots, self._places, in_order=True)
        self._parts: list[Part] = []
        waiting = [(0, plan)]
        for parent, each in waiting:
            for batch, relation in enumerate(each.batches):
                places: list[int] = []
                _place(relation.plan, self._slots, places)
                shape = Writer(spellers, for_reference=False, at=_shifted(places)).function(relation.plan.object)
                self._parts.append(Part(parent, batch, relation, places, places[relation.key_at] + PART, shape))
                waiting.append((len(self._parts), relation.plan))

    def at(self, position: int) -> int:
        """Where a column of the plan stands in the main rows' records; those of cursors join the plan late, and the slots with it."""
        _place(self._plan, self._slots, self._places)
        return self._places[position] + PART

    def statement(self, rows: Select[Any]) -> Statement:
        """The whole tree below these rows."""
        _place(self._plan, self._slots, self._places)
        sources = [self._plan.select(rows).cte("m")]
        for number, part in enumerate(self._parts, 1):
            relation = part.relation
            parents = func.array(
                select(sources[part.parent].c[f"c{relation.parent_at}"]).scalar_subquery(), type_=ARRAY(relation.remote.type)
            )
            sources.append(relation.plan.select(relation.rows.where(relation.remote == any_(parents))).cte(f"b{number}"))
        every_places = [self._places, *[each.places for each in self._parts]]
        branches = [self._branch(number, *each) for number, each in enumerate(zip(sources, every_places, strict=True))]
        return compile_statement(union_all(*branches))

    def pay(self, rest: Sequence[Any], run: Run, ctx: Any) -> None:
        """Put the rows of the relations into the lists that wait for them; each part comes after its parents."""
        runs = [run]
        for each in self._parts:
            runs.append([{} for _ in each.relation.plan.batches])
        parts = [(runs[each.parent][each.batch], each.key_at, each.shape, runs[at]) for at, each in enumerate(self._parts, 1)]
        for record in rest:
            lists, key_at, shape, owed = parts[record[0] - 1]
            waiting = lists.get(record[key_at])
            if waiting:
                child = shape(record, owed, ctx)
                for made in waiting:
                    made.append(child)

    def _branch(self, number: int, source: CTE, places: list[int]) -> Select[Any]:
        here = {place: source.c[f"c{at}"] for at, place in enumerate(places)}
        columns: list[ColumnElement[Any]] = [here[place] if place in here else cast(null(), kind) for place, kind in enumerate(self._slots)]
        return select(literal_column(str(number)), *columns)


def is_possible(plan: Plan) -> bool:
    """Whether there is something to join, and PostgreSQL can be told the type of every column."""
    return bool(plan.batches) and _is_typed(plan)


def _is_typed(plan: Plan) -> bool:
    return not any(isinstance(element.type, NullType) for element, _ in plan.columns) and all(_is_typed(each.plan) for each in plan.batches)


def _place(plan: Plan, slots: list[Any], places: list[int], *, in_order: bool = False) -> None:
    """Give each column of a plan that has none a place that holds its type, or, in order, a new one."""
    for element, is_text in plan.columns[len(places) :]:
        kind = Text() if is_text else element.type
        free = (place for place, held in enumerate(slots) if place not in places and not in_order and _name(held) == _name(kind))
        place = next(free, len(slots))
        if place == len(slots):
            slots.append(kind)
        places.append(place)


def _name(kind: Any) -> str:
    return str(kind.compile())


def _shifted(places: list[int]) -> Callable[[int], int]:
    return lambda at: places[at] + PART
