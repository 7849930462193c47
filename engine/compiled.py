"""Operations compiled once: from the variables straight to one statement, and from its records straight to the answer."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    is_non_null_type,
)
from sqlalchemy import BigInteger, Select, Text
from sqlalchemy.exc import SQLAlchemyError

from engine.answers import Answer
from engine.arguments import arguments_of, variables_of
from engine.documents import Document
from engine.flavours import Flavour
from engine.outline import Outline, Outliner, PageOutline
from engine.pages import Key, Page, check_cursor, count, keys_of, part
from engine.plan import TYPE_NAME, Planner
from engine.selection import CONDITIONS, Reader
from engine.shapes import Shapes
from engine.shaping import Unusual
from engine.showing import Showing
from engine.symbols import NOW, VIEWER, NotSymbolic, Statement, Symbol, compile_statement, signature, symbolic, symbolic_context, values
from errors import ApiError
from resolvers.context import Context
from resolvers.operations import perform
from schema.fields import PAGE_NAMES, OperationField

PLANS_KEPT = 200
TEXT, NUMBER = Text(), BigInteger()
LIMIT, OFFSET, CURSOR = "page limit", "page offset", "page cursor"
WRONG_WITH_SYMBOLS = (
    NotSymbolic,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    SQLAlchemyError,
)
"""What an operation may raise when it looks at the value of a symbol."""


@dataclass(frozen=True)
class ReadPlan:
    """How to answer a read: what it looks like, and its statements; without one, the operation says which rows each time."""

    outline: Outline
    statement: Statement | None
    counting: Statement | None
    keys: list[Key]
    positions: list[int]


class Root:
    """One root field of a compiled operation."""

    def __init__(self, shapes: Shapes, flavour: Flavour, type_name: str, key: str, nodes: Sequence[FieldNode], reader: Reader) -> None:
        node = nodes[0]
        self.key = key
        self.nodes = list(nodes)
        self.type = shapes.schema._schema.type_map[type_name].fields[node.name.value].type  # type: ignore[attr-defined]
        self.field: OperationField = shapes.operations[type_name, node.name.value]
        self.operation = self.field.operation
        self._arguments = arguments_of(shapes, type_name, self.field, node)
        self._shapes = shapes
        self._flavour = flavour
        self._reader = reader
        self._plans: dict[Any, ReadPlan] = {}

    async def value(self, ctx: Context, variables: Mapping[str, Any]) -> tuple[Any, Page | None, dict[str, Any]]:
        """What the operation returns; a read is left to `show`."""
        self.operation.admit(ctx.viewer)
        arguments = self._arguments(variables)
        page = None
        if self.field.is_connection:
            page = Page.read({name: arguments.pop(name) for name in PAGE_NAMES if name in arguments}, ctx.longest_page)
        if self.operation.is_select:
            return None, page, arguments
        key = arguments.pop("idempotency_key", None) if self.field.takes_key else None
        if key is None and self.field.takes_key and ctx.idempotency_key:
            key = f"{ctx.idempotency_key} {self.key}"
        return await perform(self.operation, ctx, arguments, key=key), page, arguments

    async def show(self, ctx: Context, value: Any, page: Page | None, arguments: dict[str, Any]) -> Any:
        """The answer of the field."""
        if not self.operation.is_select:
            plan = self._plan_of(ctx, (), lambda symbols: ReadPlan(self._outline(symbols), None, None, [], []))
            return await Showing(ctx).show(plan.outline, value, page)
        given: dict[str, Any] = {VIEWER: ctx.viewer.user_id, NOW: ctx.now()}
        try:
            asked = tuple((name, signature(each)) for name, each in arguments.items())
            for name, each in arguments.items():
                values(each, name, given)
            plan = self._plan_of(ctx, (asked, page and page.shape), lambda symbols: self._symbolic_plan(symbols, arguments, page))
        except NotSymbolic:
            plan = self._plan_of(ctx, (), lambda symbols: ReadPlan(self._outline(symbols), None, None, [], []))
        if plan.statement is None:
            rows = self.operation(ctx, **arguments)
            return await Showing(ctx).show(plan.outline, rows, page)
        if isinstance(plan.outline, PageOutline) and page is not None:
            check_cursor(plan.keys, page.cursor)
            given |= {LIMIT: page.limit, OFFSET: page.offset}
            given |= {f"{CURSOR} {position}": value for position, value in enumerate(page.cursor or ())}
            return await Showing(ctx).page(plan.outline, plan.statement, plan.counting, plan.positions, page, given)
        return await Showing(ctx).rows(plan.outline, plan.statement, given)

    def _plan_of(self, ctx: Context, asked: Any, make: Callable[[Context], ReadPlan]) -> ReadPlan:
        viewer = ctx.viewer
        key = (viewer.roles, viewer.user_id is None, ctx.longest_list, asked)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[key] = make(symbolic_context(ctx))
        return plan

    def _outline(self, ctx: Context) -> Outline:
        planner = Planner(self._shapes, self._reader, ctx, spells_money=self._flavour.spells_money)
        return Outliner(planner, self._flavour.spellers).outline(self.type, self.nodes)

    def _symbolic_plan(self, ctx: Context, arguments: dict[str, Any], page: Page | None) -> ReadPlan:
        outline = self._outline(ctx)
        try:
            rows: Select[Any] = self.operation(ctx, **{name: symbolic(each, name) for name, each in arguments.items()})
            if isinstance(outline, PageOutline) and page is not None:
                return self._page_plan(outline, rows, page)
            rows = rows.limit(ctx.longest_list if getattr(outline, "is_list", False) else 1)
            statement = outline.built.statement(rows)  # type: ignore[union-attr]
            return ReadPlan(outline, statement, None, [], [])
        except (ApiError, *WRONG_WITH_SYMBOLS):
            # It looks at values, or refuses what is missing: then it is asked anew for every call.
            return ReadPlan(outline, None, None, [], [])

    def _page_plan(self, outline: PageOutline, rows: Select[Any], page: Page) -> ReadPlan:
        keys = keys_of(rows, outline.table)
        positions = [outline.built.at(outline.built.plan.index(each.element)) for each in keys] if outline.needs_cursors else []
        cursor = None if page.cursor is None else [Symbol(f"{CURSOR} {position}", TEXT) for position in range(len(keys))]
        chosen = part(rows, keys, page, Symbol(LIMIT, NUMBER), Symbol(OFFSET, NUMBER), cursor)
        statement = outline.built.statement(chosen)
        counting = compile_statement(count(rows)) if outline.counts else None
        return ReadPlan(outline, statement, counting, keys, positions)


class Compiled:
    """One operation of a document, for one way in which its @skip and @include turn out."""

    def __init__(self, roots: list[Root], blank: dict[str, str | None], *, is_mutation: bool) -> None:
        self.roots = roots
        self.blank = blank
        """Every key in the document's order, with the answers that are known already: the names of the root's type."""
        self.is_mutation = is_mutation

    async def run(self, ctx: Context, variables: Mapping[str, Any]) -> Answer:
        """The answer; Unusual, with what mutations have already done, leaves it to the reference executor."""
        if len(self.roots) == 1:
            return await self._single(self.roots[0], ctx, variables)
        if self.is_mutation:
            return await self._serially(ctx, variables)
        found = await asyncio.gather(*[self._read(each, ctx, variables) for each in self.roots])
        return self._answer(dict(zip([each.key for each in self.roots], found, strict=True)))

    async def _single(self, root: Root, ctx: Context, variables: Mapping[str, Any]) -> Answer:
        try:
            value, page, arguments = await root.value(ctx, variables)
        except Unusual:
            raise
        except Exception as failure:  # masked and logged where answers are spelled
            return self._refused(root, failure)
        try:
            return self._answer({root.key: await root.show(ctx, value, page, arguments)})
        except Unusual as unusual:
            raise self._begun(unusual, {} if root.operation.is_select else {root.key: value}) from unusual
        except Exception as failure:  # as above
            return self._refused(root, failure)

    async def _read(self, root: Root, ctx: Context, variables: Mapping[str, Any]) -> Any:
        try:
            return await root.show(ctx, *await root.value(ctx, variables))
        except Exception as refusal:
            raise Unusual from refusal  # several fields may fail at once: the reference executor tells in which order

    async def _serially(self, ctx: Context, variables: Mapping[str, Any]) -> Answer:
        data: dict[str, Any] = {}
        done: dict[str, Any] = {}
        for root in self.roots:
            try:
                value, page, arguments = await root.value(ctx, variables)
                done[root.key] = value
                data[root.key] = await root.show(ctx, value, page, arguments)
            except Unusual as unusual:
                raise self._begun(unusual, done) from unusual
            except Exception as failure:
                done.setdefault(root.key, failure)
                raise self._begun(Unusual(), done) from failure
        return self._answer(data)

    @staticmethod
    def _begun(unusual: Unusual, done: dict[str, Any]) -> Unusual:
        unusual.done = done
        return unusual

    def _answer(self, data: dict[str, Any]) -> Answer:
        return Answer({**self.blank, **data})

    def _refused(self, root: Root, failure: Exception) -> Answer:
        error = GraphQLError(str(failure), root.nodes, path=[root.key], original_error=failure)
        return Answer(None if is_non_null_type(root.type) else {**self.blank}, [error])


class Compiler:
    """Compiles the operations of one document when they are first run."""

    def __init__(self, shapes: Shapes, flavour: Flavour, document: Document, operation: OperationDefinitionNode) -> None:
        assert document.node is not None  # noqa: S101 - only documents that were checked are run
        self._shapes = shapes
        self._flavour = flavour
        self._operation = operation
        self._fragments = {each.name.value: each for each in document.node.definitions if isinstance(each, FragmentDefinitionNode)}
        self.read_variables = variables_of(shapes.schema._schema, operation)
        self._conditions = sorted(_condition_variables(document.node))
        self._made: dict[tuple[Any, ...], Compiled | None] = {}

    def compiled(self, variables: Mapping[str, Any]) -> Compiled:
        """The operation for these variables; Unusual when only the reference executor can run it."""
        key = tuple(variables[name] for name in self._conditions if name in variables)
        if None in key:
            raise Unusual  # a default lets a variable be null where no condition may be
        if key not in self._made:
            if len(self._made) >= PLANS_KEPT:
                self._made.clear()
            self._made[key] = self._compile(variables)
        made = self._made[key]
        if made is None:
            raise Unusual
        return made

    def _compile(self, variables: Mapping[str, Any]) -> Compiled | None:
        schema = self._shapes.schema._schema
        kept = {name: variables[name] for name in self._conditions if name in variables}
        reader = Reader(schema, self._fragments, kept)
        is_mutation = self._operation.operation is OperationType.MUTATION
        root = schema.mutation_type if is_mutation else schema.query_type
        assert root is not None  # noqa: S101 - validation found the root
        roots: list[Root] = []
        blank: dict[str, str | None] = {}
        try:
            for response_key, nodes in reader.of(self._operation.selection_set, root.name).items():
                name = nodes[0].name.value
                blank[response_key] = root.name if name == TYPE_NAME else None
                if name in ("__schema", "__type"):
                    return None
                if name != TYPE_NAME:
                    roots.append(Root(self._shapes, self._flavour, root.name, response_key, nodes, reader))
        except Unusual:
            return None
        return Compiled(roots, blank, is_mutation=is_mutation)


def _condition_variables(node: Any) -> set[str]:
    """The variables on which @skip and @include depend, anywhere in a document."""
    found: set[str] = set()
    waiting: list[Any] = [node]
    while waiting:
        each = waiting.pop()
        for directive in getattr(each, "directives", None) or ():
            if directive.name.value in CONDITIONS:
                value = directive.arguments[0].value
                if hasattr(value, "name"):
                    found.add(value.name.value)
        waiting += getattr(each, "definitions", None) or ()
        selection = getattr(each, "selection_set", None)
        waiting += selection.selections if selection else ()
    return found
