"""Reading for the reference executor: from an operation's result to the objects that the document asks for."""

from collections.abc import Sequence
from typing import Any

from aiodataloader import DataLoader
from graphql import FieldNode, GraphQLResolveInfo, get_named_type
from sqlalchemy import Select

from engine.outline import Outline, Outliner, RowsOutline
from engine.pages import Page
from engine.plan import Planner
from engine.selection import Reader
from engine.shapes import Shapes
from engine.showing import Showing
from errors import NotFound
from resolvers.context import Context

OUTLINES_KEPT = 500


class Reading:
    """Turns rows into answers for one field of one request."""

    def __init__(self, shapes: Shapes, info: GraphQLResolveInfo[Context]) -> None:
        self.shapes = shapes
        self.info = info
        self.ctx: Context = info.context

    async def answer(self, value: Any, page: Page | None = None) -> Any:
        """What the field answers, given what its resolver returned: rows to read, a row to read again, or a plain value."""
        name = get_named_type(self.info.return_type).name
        if value is None or (name not in self.shapes.by_name and self.shapes.connection_of(name) is None):
            return value
        outline = self._outline(self.info.field_nodes)
        if isinstance(outline, RowsOutline) and not outline.is_list and not isinstance(value, Select):
            return await self._one(outline, value)
        return await Showing(self.ctx).show(outline, value, page)

    async def _one(self, outline: RowsOutline, value: Any) -> Any:
        """A row that a payload carries: one statement for all that are asked in one moment with one selection."""
        loaders = self.ctx.loaders
        if id(outline) not in loaders:

            async def read(numbers: list[int]) -> list[Any]:
                found = await Showing(self.ctx).by_number(outline, numbers)
                return [found.get(number) for number in numbers]

            loaders[id(outline)] = (DataLoader(read, cache=False), outline)
        found = await loaders[id(outline)][0].load(value.id)
        if found is None and outline.is_required:
            raise NotFound
        return found

    def _outline(self, nodes: Sequence[FieldNode]) -> Outline:
        """The outline of a selection, kept while its document and its conditions are the same."""
        variables = self.info.variable_values.coerced
        key = (str(self.info.return_type), tuple(map(id, nodes)), tuple(name for name, value in variables.items() if value is True))
        kept = self.shapes.outlines
        if key in kept:
            known: Outline = kept[key][0]
            return known
        planner = Planner(self.shapes, Reader(self.info.schema, self.info.fragments, variables), self.ctx)
        outline = Outliner(planner, {}, for_reference=True).outline(self.info.return_type, nodes)
        if not planner.uses_context:
            if len(kept) >= OUTLINES_KEPT:
                kept.clear()
            kept[key] = (outline, nodes)  # the nodes too, so that nothing else gets their identity
        return outline
