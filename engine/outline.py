"""What a root field answers, worked out once for a selection: rows, a page of them, a payload, or a plain value."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphql import FieldNode, get_named_type, get_nullable_type, is_list_type, is_non_null_type, is_object_type
from sqlalchemy import BigInteger, Select, any_, select
from sqlalchemy.dialects.postgresql import ARRAY

from engine.plan import TYPE_NAME, Batch, Plan, Planner
from engine.shaping import Run, Shape, Spellers, Unusual, Writer
from engine.symbols import Given, Statement, Symbol, compile_statement
from engine.whole import PART, Whole, is_possible

Fetch = Callable[[Statement, dict[str, Any]], Awaitable[list[Any]]]
KEYS = "row keys"


@dataclass
class Built:
    """A plan with the function that was written for it, and its batches: in the same statement, or each with its own."""

    plan: Plan
    shape: Shape
    batches: list["BuiltBatch"]
    whole: Whole | None

    def at(self, position: int) -> int:
        """Where a column of the plan stands in the main rows' records."""
        return self.whole.at(position) if self.whole else position

    def statement(self, rows: Select[Any]) -> Statement:
        """The statement that reads these rows, compiled."""
        return self.whole.statement(rows) if self.whole else compile_statement(self.plan.select(rows))

    def split(self, records: list[Any]) -> tuple[list[Any], list[Any]]:
        """The main rows, and those of the relations that came with them."""
        if self.whole is None:
            return records, []
        main = [each for each in records if not each[0]]
        return main, records[len(main) :]

    def run(self) -> Run:
        """An empty account of what one reading owes."""
        return [{} for _ in self.plan.batches]

    async def pay(self, fetch: Fetch, run: Run, rest: list[Any], ctx: Any) -> None:
        """Fill the lists that the rows still owe: from what came along, or with one statement for each relation."""
        if self.whole:
            self.whole.pay(rest, run, ctx)
            return
        for batch, owed in zip(self.batches, run, strict=True):
            if owed:
                records, rest = batch.built.split(await fetch(batch.statement, Given(ctx, {KEYS: list(owed)})))
                inner = batch.built.run()
                for record in records:
                    child = batch.built.shape(record, inner, ctx)
                    for made in owed[record[batch.key_at]]:
                        made.append(child)
                await batch.built.pay(fetch, inner, rest, ctx)


@dataclass
class BuiltBatch:
    """A to-many relation with its statement."""

    statement: Statement
    key_at: int
    built: Built


@dataclass(frozen=True)
class PlainOutline:
    """A value that is answered as it is, once it is spelled."""

    spell: Callable[[Any], Any]


@dataclass
class RowsOutline:
    """A row, or a list of rows, of one table."""

    table: Any
    built: Built
    is_list: bool
    is_required: bool
    id_at: int
    _by_number: Statement | None = None
    _by_one_number: Statement | None = None

    @property
    def by_number(self) -> Statement:
        """Reads rows that an operation has returned."""
        if self._by_number is None:
            wanted = self.table.id == any_(Symbol(KEYS, ARRAY(BigInteger)))
            self._by_number = self.built.statement(select(self.table).where(wanted))
        return self._by_number

    @property
    def by_one_number(self) -> Statement:
        """The same for a single row."""
        if self._by_one_number is None:
            self._by_one_number = self.built.statement(select(self.table).where(self.table.id == Symbol(KEYS, BigInteger())))
        return self._by_one_number


@dataclass(frozen=True)
class View:
    """One of the ways in which a connection shows its page: under a key, nodes or edges, with the function for a node."""

    key: str
    nodes: tuple[tuple[str, Shape], ...]
    """For `nodes` one function; for `edges` one for each key of `node`."""
    edge_keys: tuple[tuple[str, str], ...] = ()
    """For `edges`: the other keys with their fields."""
    is_edges: bool = False
    edge_type: str = ""
    order: tuple[str, ...] = ()
    """For `edges`: all of their keys, as the document orders them."""


@dataclass
class PageOutline:
    """A page of rows of one table."""

    table: Any
    order: tuple[str, ...]
    """All keys, as the document orders them."""
    built: Built
    views: tuple[View, ...]
    info: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    totals: tuple[str, ...]
    type_names: tuple[tuple[str, str], ...]
    needs_cursors: bool
    counts: bool


@dataclass
class PayloadField:
    """One key of a payload: the attribute it shows, and how."""

    key: str
    attribute: str
    outline: "Outline | None"
    constant: str | None = None
    is_list: bool = False
    is_required: bool = False


@dataclass
class PayloadOutline:
    """An object that an operation made, attribute by attribute; rows in it are read."""

    fields: tuple[PayloadField, ...]
    is_list: bool = False
    is_required: bool = False
    has_rows: bool = False


Outline = PlainOutline | RowsOutline | PageOutline | PayloadOutline


@dataclass
class Outliner:
    """Works out outlines for one flavour of answers."""

    planner: Planner
    spellers: Spellers
    for_reference: bool = False

    def outline(self, kind: Any, nodes: Sequence[FieldNode]) -> Outline:
        """The outline of a field of this type; Unusual for what only the reference executor can answer."""
        named = get_named_type(kind)
        shapes = self.planner.shapes
        is_list, is_required = is_list_type(get_nullable_type(kind)), is_non_null_type(kind)
        node = shapes.connection_of(named.name)
        if node is not None:
            return self._page(node, named.name, nodes)
        if named.name in shapes.by_name:
            plan = self.planner.plan(named.name, nodes)
            table = shapes.by_name[named.name].table
            id_at = plan.index(table.id)
            return RowsOutline(table, self.build(plan), is_list, is_required, id_at)
        if is_object_type(named):
            return self._payload(named, nodes, is_list=is_list, is_required=is_required)
        speller = self.spellers.get(named.name, _itself)
        return PlainOutline(speller.__getitem__ if isinstance(speller, dict) else speller)

    def build(self, plan: Plan) -> Built:
        """Write the functions of a plan and of its batches."""
        whole = Whole(plan, self.spellers) if not self.for_reference and is_possible(plan) else None
        batches = [] if whole else [self._batch(each) for each in plan.batches]
        return Built(plan, self._writer(plan).function(plan.object) if plan.object.types else _no_object, batches, whole)

    def _batch(self, batch: Batch) -> BuiltBatch:
        wanted = batch.remote == any_(Symbol(KEYS, ARRAY(BigInteger)))
        built = self.build(batch.plan)
        return BuiltBatch(built.statement(batch.rows.where(wanted)), built.at(batch.key_at), built)

    def _writer(self, plan: Plan) -> Writer:
        shift = PART if not self.for_reference and is_possible(plan) else 0
        return Writer(self.spellers, for_reference=self.for_reference, at=lambda at: at + shift)

    def _page(self, node: str, type_name: str, nodes: Sequence[FieldNode]) -> PageOutline:
        reader, shapes = self.planner.reader, self.planner.shapes
        plan = Plan()
        views: list[View] = []
        info: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        totals: list[str] = []
        type_names: list[tuple[str, str]] = []
        writers: list[tuple[View, list[tuple[str, Any]]]] = []
        fields = reader.fields(nodes, type_name)
        for key, asked in fields.items():
            name = asked[0].name.value
            if name == "nodes":
                writers.append((View(key, ()), [(key, self.planner.also(plan, node, asked))]))
            elif name == "edges":
                inner = reader.fields(asked, f"{node}Edge")
                of_nodes = [(each, self.planner.also(plan, node, group)) for each, group in inner.items() if group[0].name.value == "node"]
                others = tuple((each, group[0].name.value) for each, group in inner.items() if group[0].name.value != "node")
                writers.append((View(key, (), others, is_edges=True, edge_type=f"{node}Edge", order=tuple(inner)), of_nodes))
            elif name == "pageInfo":
                info.append((key, tuple((each, group[0].name.value) for each, group in reader.fields(asked, "PageInfo").items())))
            elif name == "totalCount":
                totals.append(key)
            else:
                type_names.append((key, type_name))
        table = shapes.by_name[node].table
        plan.index(table.id)
        for view, objects in writers:
            made = tuple((key, self._writer(plan).function(each)) for key, each in objects)
            views.append(replace(view, nodes=made))
        asked_info = {name for _, fields in info for _, name in fields}
        needs_cursors = bool(asked_info & {"startCursor", "endCursor"}) or any(
            name == "cursor" for view in views for _, name in view.edge_keys
        )
        return PageOutline(
            table, tuple(fields), self.build(plan), tuple(views), tuple(info), tuple(totals), tuple(type_names), needs_cursors,
            bool(totals) or bool(asked_info & {"pages", "total"}),
        )  # fmt: skip

    def _payload(self, named: Any, nodes: Sequence[FieldNode], *, is_list: bool, is_required: bool) -> PayloadOutline:
        fields, has_rows = [], False
        for key, asked in self.planner.reader.fields(nodes, named.name).items():
            name = asked[0].name.value
            if name == TYPE_NAME:
                fields.append(PayloadField(key, "", None, constant=named.name))
                continue
            kind = named.fields[name].type
            attribute = self.planner.shapes.python_names.get((named.name, name))
            if attribute is None or (named.name, name) in self.planner.shapes.resolved:
                raise Unusual
            outline = self.outline(kind, asked)
            if isinstance(outline, PageOutline):
                raise Unusual
            has_rows = has_rows or isinstance(outline, RowsOutline) or (isinstance(outline, PayloadOutline) and outline.has_rows)
            listed = is_list_type(get_nullable_type(kind))
            fields.append(PayloadField(key, attribute, outline, is_list=listed, is_required=is_non_null_type(kind)))
        return PayloadOutline(tuple(fields), is_list, is_required, has_rows)


def _no_object(*_: Any) -> Any:
    raise Unusual


def _itself(value: Any) -> Any:
    return value
