"""A whole tree of rows in one statement: the main rows first, then those of each relation, told apart by a number in front.

Each relation's rows come once, however many parents share them, and no parent is repeated for its children. Columns of one type
share a place in the answer, so that rows are not padded with more nulls than needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Text, cast, func, literal_column, null, select, union_all
from sqlalchemy.types import NullType

from engine.plan import Plan
from engine.shaping import Run, Shape, Spellers, Writer
from engine.symbols import Statement, compile_statement

PART_AND_ORDER = 2
"""Every row begins with the number of its part and its place in it."""


@dataclass(frozen=True)
class Part:
    """The rows of one relation: which list they go into, and how they become objects."""

    parent: int
    batch: int
    key_at: int
    shape: Shape
    batches: int


class Whole:
    """The statement of a plan with all its batches, and the functions that read its records."""

    def __init__(self, plan: Plan, spellers: Spellers) -> None:
        self._plan = plan
        self._spellers = spellers
        self.parts: list[Part] = []

    def statement(self, rows: Select[Any]) -> Statement:
        """The whole tree below these rows."""
        slots: list[Any] = []
        queue: list[tuple[Plan, CTE, list[int]]] = []
        self.parts = []
        main = _numbered(self._plan.select(rows), "m")
        queue.append((self._plan, main, _place(self._plan, slots, in_order=True)))
        for number, (plan, source, _) in enumerate(queue):
            for batch, each in enumerate(plan.batches):
                parents = select(source.c[f"c{each.parent_at}"])
                wanted = each.plan.select(each.rows.where(each.remote.in_(parents)))
                places = _place(each.plan, slots)
                queue.append((each.plan, _numbered(wanted, f"b{len(queue)}"), places))
                shape = Writer(self._spellers, for_reference=False, at=_shifted(places)).function(each.plan.object)
                self.parts.append(Part(number, batch, places[each.key_at] + PART_AND_ORDER, shape, len(each.plan.batches)))
        branches = [self._branch(number, source, places, slots) for number, (_, source, places) in enumerate(queue)]
        return compile_statement(union_all(*branches).order_by(literal_column("1"), literal_column("2")))

    def pay(self, rest: Sequence[Any], run: Run, ctx: Any) -> None:
        """Put the rows of the relations into the lists that wait for them; each part comes after its parents."""
        runs = [run, *[[{} for _ in range(each.batches)] for each in self.parts]]
        for record in rest:
            number = record[0]
            part = self.parts[number - 1]
            waiting = runs[part.parent][part.batch].get(record[part.key_at])
            if waiting:
                child = part.shape(record, runs[number], ctx)
                for made in waiting:
                    made.append(child)

    def _branch(self, number: int, source: CTE, places: list[int], slots: list[Any]) -> Select[Any]:
        here = {place: source.c[f"c{at}"] for at, place in enumerate(places)}
        columns: list[ColumnElement[Any]] = [here[place] if place in here else cast(null(), kind) for place, kind in enumerate(slots)]
        return select(literal_column(str(number)), source.c.n, *columns)


def is_possible(plan: Plan) -> bool:
    """Whether there is something to join, and PostgreSQL can be told the type of every column."""
    return bool(plan.batches) and _is_typed(plan)


def _is_typed(plan: Plan) -> bool:
    return not any(isinstance(element.type, NullType) for element, _ in plan.columns) and all(_is_typed(each.plan) for each in plan.batches)


def _place(plan: Plan, slots: list[Any], *, in_order: bool = False) -> list[int]:
    """Give each column of a plan a place that holds its type; the main rows keep their order."""
    places: list[int] = []
    for element, is_text in plan.columns:
        kind = Text() if is_text else element.type
        free = (place for place, held in enumerate(slots) if place not in places and not in_order and _name(held) == _name(kind))
        place = next(free, len(slots))
        if place == len(slots):
            slots.append(kind)
        places.append(place)
    return places


def _name(kind: Any) -> str:
    return str(kind.compile())


def _shifted(places: list[int]) -> Callable[[int], int]:
    return lambda at: places[at] + PART_AND_ORDER


def _numbered(rows: Select[Any], name: str) -> CTE:
    """Rows with their place in the order that they have."""
    inner = rows.subquery(f"{name}_rows")
    return select(*inner.c, func.row_number().over().label("n")).cte(name)
