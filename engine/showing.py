"""From statements and returned values to answers, along an outline."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select

from engine import pages
from engine.outline import KEYS, Built, Outline, PageOutline, PayloadOutline, PlainOutline, RowsOutline, View
from engine.pages import Page
from engine.shaping import Unusual
from engine.symbols import Given, Statement, compile_statement
from errors import NotFound
from resolvers.context import Context

Debt = tuple[RowsOutline, Any, Any, int]
"""Rows that a payload shows: the outline, the container and the place in it, and the row's number."""


class Showing:
    """Shows the results of one field to one viewer."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def fetch(self, statement: Statement, given: dict[str, Any]) -> list[Any]:
        """The records of a statement."""
        return await self.ctx.database.run(statement.text, statement.arguments(given))

    async def show(self, outline: Outline, value: Any, page: Page | None) -> Any:
        """What an operation returned, as the document asks for it."""
        if isinstance(outline, PlainOutline):
            return outline.spell(value)
        if isinstance(outline, PayloadOutline):
            return await self._payload(outline, value)
        if isinstance(outline, PageOutline):
            return await self._page_of(outline, value, page or Page.read({}))
        if isinstance(value, Select):
            limit = self.ctx.longest_list if outline.is_list else 1
            return await self.rows(outline, outline.built.statement(value.limit(limit)), self._given())
        return await self._returned(outline, value)

    async def rows(self, outline: Any, statement: Statement, given: dict[str, Any]) -> Any:
        """A row, or a list of rows; NotFound for one that must be there."""
        records, rest = outline.built.split(await self.fetch(statement, given))
        if not outline.is_list and not records:
            if outline.is_required:
                raise NotFound
            return None
        made = await self._objects(outline.built, records, rest)
        return made if outline.is_list else made[0]

    async def page(
        self,
        outline: PageOutline,
        statement: Statement,
        counting: Statement | None,
        positions: Sequence[int],
        page: Page,
        given: dict[str, Any],
    ) -> dict[str, Any]:
        """A page with whatever of it is asked for."""
        records, rest = outline.built.split(await self.fetch(statement, given))
        has_more = len(records) > page.size
        records = records[: page.size]
        if page.is_backward:
            records.reverse()
        total = (await self.fetch(counting, given))[0][0] if counting else None
        cursors = [pages.cursor([record[position] for position in positions]) for record in records] if outline.needs_cursors else []
        made: dict[str, Any] = dict.fromkeys(outline.order)
        run = outline.built.run()
        for view in outline.views:
            made[view.key] = self._view(view, records, cursors, run)
        await outline.built.pay(self.fetch, run, rest, self.ctx)
        facts = pages.facts(page, cursors, total, has_more=has_more) if outline.info else {}
        for key, fields in outline.info:
            made[key] = {each: facts[name] for each, name in fields}
        for key in outline.totals:
            made[key] = total
        for key, name in outline.type_names:
            made[key] = name
        return made

    def _view(self, view: View, records: Sequence[Any], cursors: Sequence[str], run: Any) -> list[Any]:
        ctx = self.ctx
        if not view.is_edges:
            shape = view.nodes[0][1]
            return [shape(record, run, ctx) for record in records]
        made = []
        for number, record in enumerate(records):
            edge = dict.fromkeys(view.order)
            for key, shape in view.nodes:
                edge[key] = shape(record, run, ctx)
            for key, name in view.edge_keys:
                edge[key] = cursors[number] if name == "cursor" else view.edge_type
            made.append(edge)
        return made

    async def _page_of(self, outline: PageOutline, rows: Any, page: Page) -> dict[str, Any]:
        """A page of rows that an operation returned as a statement."""
        keys = pages.keys_of(rows, outline.table)
        pages.check_cursor(keys, page.cursor)
        positions = [outline.built.at(outline.built.plan.index(each.element)) for each in keys] if outline.needs_cursors else []
        chosen = pages.part(rows, keys, page, page.limit, page.offset, pages.literals(page.cursor))
        counting = compile_statement(pages.count(rows)) if outline.counts else None
        return await self.page(outline, outline.built.statement(chosen), counting, positions, page, self._given())

    async def _objects(self, built: Built, records: Sequence[Any], rest: list[Any]) -> list[Any]:
        run, shape, ctx = built.run(), built.shape, self.ctx
        made = [shape(record, run, ctx) for record in records]
        if run:
            await built.pay(self.fetch, run, rest, ctx)
        return made

    async def _returned(self, outline: RowsOutline, value: Any) -> Any:
        """Rows that an operation returned, read with what the document asks."""
        if value is None:
            if outline.is_required:
                raise NotFound
            return None
        rows = value if outline.is_list else [value]
        found = await self.by_number(outline, [each.id for each in rows])
        if outline.is_list:
            return [found[each.id] for each in rows if each.id in found]
        if value.id not in found and outline.is_required:
            raise NotFound
        return found.get(value.id)

    async def by_number(self, outline: RowsOutline, numbers: list[int]) -> dict[int, Any]:
        """Rows by their numbers; those that are gone are left out."""
        if not numbers:
            return {}
        # Of one row PostgreSQL keeps its plan; for a list, which may be long, it would make another at each time.
        one = len(numbers) == 1
        statement, keys = (outline.by_one_number, numbers[0]) if one else (outline.by_number, numbers)
        records, rest = outline.built.split(await self.fetch(statement, self._given({KEYS: keys})))
        made = await self._objects(outline.built, records, rest)
        id_at = outline.built.at(outline.id_at)
        return {record[id_at]: each for record, each in zip(records, made, strict=True)}

    async def _payload(self, outline: PayloadOutline, value: Any) -> Any:
        debts: list[Debt] = []
        made = self._made(outline, value, debts, outline.is_list)
        wanted: dict[int, tuple[RowsOutline, list[Debt]]] = {}
        for each in debts:
            wanted.setdefault(id(each[0]), (each[0], []))[1].append(each)
        for rows, owed in wanted.values():
            found = await self.by_number(rows, list({number for *_, number in owed}))
            for _, container, place, number in owed:
                container[place] = found.get(number)
                if number not in found:
                    raise Unusual
        return made

    def _made(self, outline: PayloadOutline, value: Any, debts: list[Debt], is_list: bool) -> Any:
        if value is None:
            if outline.is_required:
                raise Unusual
            return None
        if is_list:
            return [self._made(outline, each, debts, False) for each in value]
        made: dict[str, Any] = {}
        for each in outline.fields:
            if each.outline is None:
                made[each.key] = each.constant
                continue
            inner = value[each.attribute] if isinstance(value, dict) else getattr(value, each.attribute)
            if inner is None:
                if each.is_required:
                    raise Unusual
                made[each.key] = None
            elif isinstance(each.outline, PlainOutline):
                made[each.key] = [each.outline.spell(one) for one in inner] if each.is_list else each.outline.spell(inner)
            elif isinstance(each.outline, PayloadOutline):
                made[each.key] = self._made(each.outline, inner, debts, each.is_list)
            elif isinstance(each.outline, RowsOutline) and not isinstance(inner, Select):
                self._owe(each.outline, made, each.key, inner, debts)
            else:
                raise Unusual
        return made

    def _owe(self, outline: RowsOutline, made: dict[str, Any], key: str, value: Any, debts: list[Debt]) -> None:
        if not outline.is_list:
            made[key] = None
            debts.append((outline, made, key, value.id))
            return
        listed: list[Any] = [None] * len(value)
        made[key] = listed
        debts.extend((outline, listed, position, each.id) for position, each in enumerate(value))

    def _given(self, more: dict[str, Any] | None = None) -> dict[str, Any]:
        return Given(self.ctx, more)
