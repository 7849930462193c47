"""Reading: from an operation's result to the objects that the document asks for."""

from collections.abc import Sequence
from typing import Any

from aiodataloader import DataLoader
from graphql import FieldNode, GraphQLResolveInfo, get_named_type, get_nullable_type, is_list_type, is_non_null_type
from sqlalchemy import BigInteger, BindParameter, Select, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from engine import pages
from engine.pages import Page
from engine.plan import Plan, Planner, Run
from engine.selection import Reader
from engine.shapes import Shape, Shapes
from errors import NotFound
from resolvers.context import Context

NODE_LISTS, EDGES, INFO, TOTAL = "nodes", "edges", "pageInfo", "totalCount"


class Reading:
    """Turns rows into answers for one field of one request."""

    def __init__(self, shapes: Shapes, info: GraphQLResolveInfo[Context]) -> None:
        self.shapes = shapes
        self.info = info
        self.ctx: Context = info.context
        self.reader = Reader(info.schema, info.fragments, info.variable_values)
        self.planner = Planner(shapes, self.reader, self.ctx)

    async def answer(self, value: Any, page: Page | None = None) -> Any:
        """What the field answers, given what its resolver returned: rows to read, a row to read again, or a plain value."""
        kind = get_named_type(self.info.return_type).name
        node = self.shapes.connection_of(kind)
        if node is not None:
            return await self._connection(value, node, page or Page.read({}))
        if kind not in self.shapes.by_name or value is None:
            return value
        shape, nodes = self.shapes.by_name[kind], self.info.field_nodes
        if is_list_type(get_nullable_type(self.info.return_type)):
            return await self._list(value, shape, nodes)
        return await self._one(value, shape, nodes)

    async def _one(self, value: Any, shape: Shape, nodes: Sequence[FieldNode]) -> Any:
        if isinstance(value, dict):
            return value
        if isinstance(value, Select):
            rows = await self._read(self.planner.plan(shape.name, nodes), value.limit(1))
            found = rows[0] if rows else None
        else:
            found = await self._loader(shape, nodes).load(value.id)
        if found is None and is_non_null_type(self.info.return_type):
            raise NotFound
        return found

    def _loader(self, shape: Shape, nodes: Sequence[FieldNode]) -> DataLoader[int, Any]:
        """Reads the rows that payloads carry: one statement for all that are asked in one moment with one selection."""
        loaders, key = self.ctx.loaders, (shape.name, *map(id, nodes))
        if key not in loaders:

            async def read(numbers: list[int]) -> list[Any]:
                found = await self._by_number(numbers, shape, nodes)
                return [found.get(number) for number in numbers]

            loaders[key] = DataLoader(read, cache=False)
        loader: DataLoader[int, Any] = loaders[key]
        return loader

    async def _list(self, value: Any, shape: Shape, nodes: Sequence[FieldNode]) -> list[Any]:
        if isinstance(value, Select):
            return await self._read(self.planner.plan(shape.name, nodes), value.limit(self.ctx.longest_list))
        if not value or isinstance(value[0], dict):
            return list(value)
        found = await self._by_number([each.id for each in value], shape, nodes)
        return [found[each.id] for each in value if each.id in found]

    async def _by_number(self, numbers: list[int], shape: Shape, nodes: Sequence[FieldNode]) -> dict[int, Any]:
        """Rows that an operation returned, read with what the document asks."""
        plan = self.planner.plan(shape.name, nodes)
        position = plan.index(shape.table.id)
        records, run = await self._records(plan, select(shape.table).where(shape.table.id == any_(array_of(numbers))))
        built = {record[position]: plan.build(record, run) for record in records}
        await self._pay(plan, run)
        return built

    async def _connection(self, rows: Select[Any], node: str, page: Page) -> dict[str, Any]:
        asked = self._asked(self.info.field_nodes, get_named_type(self.info.return_type).name)
        edges = [nodes for name, nodes in asked if name == EDGES]
        nodes = [each for name, group in asked if name == NODE_LISTS for each in group]
        for group in edges:
            nodes += [each for name, inner in self._asked(group, f"{node}Edge") if name == "node" for each in inner]
        shape = self.shapes.by_name[node]
        plan = self.planner.plan(node, nodes)
        keys = pages.keys_of(rows, shape.table)
        positions = [plan.index(each.element) for each in keys]
        records, run = await self._records(plan, pages.part(rows, keys, page))
        has_more = len(records) > page.size
        records = records[: page.size]
        if page.is_backward:
            records = records[::-1]
        built = [plan.build(record, run) for record in records]
        await self._pay(plan, run)
        cursors = [pages.cursor([record[position] for position in positions]) for record in records]
        total = await self._total(rows, asked)
        return {"nodes": built, "cursors": cursors, "page": page, "has_more": has_more, "total": total}

    async def _total(self, rows: Select[Any], asked: list[tuple[str, list[FieldNode]]]) -> int | None:
        """How many rows there are, counted only if the document wants to know."""
        counts = {TOTAL, "pages", "total"}
        wanted = {name for name, _ in asked}
        for name, group in asked:
            if name == INFO:
                wanted |= {inner for inner, _ in self._asked(group, "PageInfo")}
        if not wanted & counts:
            return None
        return int((await self.ctx.fetch(pages.count(rows)))[0][0])

    def _asked(self, nodes: Sequence[FieldNode], type_name: str) -> list[tuple[str, list[FieldNode]]]:
        return [(group[0].name.value, group) for group in self.reader.fields(nodes, type_name).values()]

    async def _read(self, plan: Plan, rows: Select[Any]) -> list[Any]:
        records, run = await self._records(plan, rows)
        built = [plan.build(record, run) for record in records]
        await self._pay(plan, run)
        return built

    async def _records(self, plan: Plan, rows: Select[Any]) -> tuple[list[Any], Run]:
        if not plan.columns:
            plan.index(rows.column_descriptions[0]["entity"].id)
        return await self.ctx.fetch(plan.select(rows)), [{} for _ in plan.batches]

    async def _pay(self, plan: Plan, run: Run) -> None:
        """Fill the lists that the rows still owe, with one statement for each relation."""
        for batch, owed in zip(plan.batches, run, strict=True):
            if not owed:
                continue
            key = batch.plan.index(batch.remote)
            records, inner = await self._records(batch.plan, batch.rows.where(batch.remote == any_(array_of(list(owed)))))
            for record in records:
                child = batch.plan.build(record, inner)
                for made in owed[record[key]]:
                    made.append(child)
            await self._pay(batch.plan, inner)


def array_of(numbers: list[int]) -> BindParameter[Any]:
    """Numbers as one parameter, so that the statement's text is the same for any of them."""
    return bindparam(None, numbers, type_=ARRAY(BigInteger))
