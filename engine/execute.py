"""Running operations: one engine for every transport."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from functools import cache, partial
from inspect import isawaitable
from typing import Any, TypedDict, Unpack, cast

import strawberry
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    create_source_event_stream,
    execute_subscription_event,
    experimental_execute_incrementally,
)

from engine.answers import Answer
from engine.audiences import Audiences, Subscription, place_variable, question
from engine.build import install, keep_python_values
from engine.compiled import Compiler
from engine.cost import Price, charge
from engine.documents import Document, Documents, is_introspection
from engine.flavours import RAW, graphql_flavour
from engine.guard import check_values
from engine.parts import begin
from engine.shapes import Shapes
from engine.shaping import Unusual
from engine.variables import check_variables
from engine.watching import Watch, Watcher
from errors import ApiError, BadUserInput, Forbidden, MethodNotAllowed, Unavailable
from resolvers.context import Context
from schema.root import build_schema
from settings import Introspection, Settings


class IntrospectionRefused(Forbidden):
    """The schema is not shown to this caller; INTROSPECTION says to whom."""

    code, message = "INTROSPECTION_DISABLED", "The schema is not shown to you here."


class How(TypedDict, total=False):
    """How a document is to be run; `reads_only` refuses mutations, as GET must."""

    variables: dict[str, Any] | None
    operation_name: str | None
    reads_only: bool


@cache
def _built(raw: bool) -> tuple[strawberry.Schema, Shapes]:
    """The schema of a flavour with its resolvers: made once in a process, since nothing changes it afterwards."""
    schema = keep_python_values(build_schema(for_older_systems=True)) if raw else build_schema()
    return schema, install(schema)


class Engine:
    """Runs documents over one schema; the raw flavour leaves leaf values as Python has them."""

    def __init__(self, settings: Settings, *, raw: bool = False) -> None:
        self.strawberry: strawberry.Schema
        self.shapes: Shapes
        self.strawberry, self.shapes = _built(raw)
        self.schema = self.strawberry._schema
        self.flavour = RAW if raw else graphql_flavour(self.schema)
        self.settings = settings
        self.counts_cost = not raw
        """The documents of older systems are ours; their callers are limited by requests."""
        self.audiences = Audiences()
        self._introspecting = asyncio.Lock()
        sensitive = frozenset(spoken for (_, spoken), each in self.shapes.operations.items() if each.operation.is_sensitive)
        self.documents = Documents(self.schema, settings, sensitive)

    async def run(self, text: str, ctx: Context, **asked: Unpack[How]) -> Answer:
        """Run a query or mutation that is given as text."""
        return await self.run_document(self.documents.get(text), ctx, **asked)

    async def run_document(
        self,
        document: Document,
        ctx: Context,
        *,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        reads_only: bool = False,
    ) -> Answer:
        """Run a document, or say why it may not be run."""
        if document.errors:
            return Answer(errors=document.errors, was_run=False)
        try:
            chosen = self._chosen(document, operation_name)
            await self._admit(document, chosen, ctx, variables, reads_only=reads_only)
            async with asyncio.timeout(self.settings.operation_timeout):
                try:
                    return await self._compiled(document, chosen, ctx, variables or {})
                except Unusual as unusual:
                    ctx = ctx.but(done=unusual.done)
                    return await self.run_reference(document, chosen, ctx, variables or {}, operation_name)
        except TimeoutError:
            return _refused(Unavailable("The operation took too long."))
        except ApiError as refusal:
            return _refused(refusal)

    async def run_in_parts(
        self,
        document: Document,
        ctx: Context,
        *,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        reads_only: bool = False,
    ) -> Answer | AsyncGenerator[dict[str, Any], None]:
        """Run a document with @defer or @stream: its parts, ready to be written, or one answer if there is nothing to wait for."""
        assert document.in_parts is not None  # noqa: S101 - whoever calls has looked
        try:
            chosen = self._chosen(document, operation_name)
            await self._admit(document, chosen, ctx, variables, reads_only=reads_only)
            check_variables(self.schema, chosen, variables or {})
            return await begin(self.schema, document.in_parts, ctx, variables, operation_name, seconds=self.settings.operation_timeout)
        except TimeoutError:
            return _refused(Unavailable("The operation took too long."))
        except ApiError as refusal:
            return _refused(refusal)

    async def _admit(
        self,
        document: Document,
        chosen: OperationDefinitionNode,
        ctx: Context,
        variables: dict[str, Any] | None,
        *,
        reads_only: bool = False,
    ) -> None:
        """Refuse what this way of running is not for, and what costs more than the caller has left."""
        if chosen.operation is OperationType.SUBSCRIPTION:
            raise BadUserInput("Subscribe over a WebSocket, or accept text/event-stream.")
        if reads_only and chosen.operation is not OperationType.QUERY:
            raise MethodNotAllowed("GET may only read.")
        if document.introspects and not self.may_introspect(ctx):
            raise IntrospectionRefused
        check_values(variables)
        if self.counts_cost:
            await charge(ctx, self._price(document, chosen).with_variables(variables or {}))

    def _price(self, document: Document, operation: OperationDefinitionNode) -> Price:
        name = operation.name.value if operation.name else None
        price = document.prices.get(name)
        if price is None:
            assert document.node is not None  # noqa: S101 - only documents that were checked are run
            price = document.prices[name] = Price(self.schema, document.node, operation)
        return price

    def may_introspect(self, ctx: Context) -> bool:
        """Whether the caller may ask for the schema."""
        who = self.settings.introspection_for
        return who is Introspection.EVERYBODY or (who is Introspection.STAFF and ctx.viewer.is_staff)

    async def _compiled(self, document: Document, operation: OperationDefinitionNode, ctx: Context, given: dict[str, Any]) -> Answer:
        """The answer of the compiled operation; Unusual where only the reference executor knows it."""
        name = operation.name.value if operation.name else None
        if name not in document.compilers:
            document.compilers[name] = Compiler(self.shapes, self.flavour, document, operation)
        compiler: Compiler = document.compilers[name]
        variables = compiler.read_variables(given)
        return await compiler.compiled(variables).run(ctx, variables)

    async def run_reference(
        self, document: Document, operation: OperationDefinitionNode, ctx: Context, given: dict[str, Any], operation_name: str | None = None
    ) -> Answer:
        """Run by graphql-core, which knows every corner of the specification; BadUserInput for variables of a wrong shape."""
        check_variables(self.schema, operation, given)
        assert document.node is not None  # noqa: S101 - only documents that were checked are run
        if is_introspection(operation):
            return await self._introspect(document, operation, given)
        # The plain `execute` refuses a schema that knows @defer; `document.node` has none, so the answer comes whole.
        result = experimental_execute_incrementally(self.schema, document.node, None, ctx, given, operation_name)
        found = cast(ExecutionResult, await result if isawaitable(result) else result)
        errors = found.errors or []
        was_run = not (found.data is None and errors and all(each.path is None for each in errors))
        return Answer(found.data, list(errors), was_run=was_run)

    async def _introspect(self, document: Document, operation: OperationDefinitionNode, given: dict[str, Any]) -> Answer:
        """Describe the schema in a thread, one question at a time, since that may take longer than others can wait."""
        name = operation.name.value if operation.name else None
        found = document.introspected.get(name)
        if found is None:
            async with self._introspecting:
                found = await asyncio.to_thread(self._describe, document, given, name)
            if not operation.variable_definitions:
                document.introspected[name] = found
        return Answer(found.data, list(found.errors or []))

    def _describe(self, document: Document, given: dict[str, Any], name: str | None) -> ExecutionResult:
        assert document.node is not None  # noqa: S101 - as above
        return cast(ExecutionResult, experimental_execute_incrementally(self.schema, document.node, None, None, given, name))

    async def subscribe(
        self, text: str, watcher: Watcher, *, variables: dict[str, Any] | None = None, operation_name: str | None = None
    ) -> Subscription | Answer:
        """Begin a subscription, or say why not."""
        document = self.documents.get(text)
        if document.node is None or document.errors:
            return Answer(errors=document.errors, was_run=False)
        try:
            check_values(variables)
            chosen = self._chosen(document, operation_name)
            check_variables(self.schema, chosen, variables or {})
            ctx = await watcher.context()
            await charge(ctx, self._price(document, chosen).with_variables(variables or {}))
        except ApiError as refusal:
            return _refused(refusal)
        executor = Executor.build(self.schema, document.node, watcher, ctx, variables, operation_name)
        if isinstance(executor, list):
            return Answer(errors=executor, was_run=False)
        try:
            async with asyncio.timeout(self.settings.operation_timeout):
                found = create_source_event_stream(executor)
                events = found if isinstance(found, ExecutionResult | AsyncIterable) else await found
        except TimeoutError:
            return _refused(Unavailable("The operation took too long."))
        if isinstance(events, ExecutionResult):
            return Answer(errors=list(events.errors or []), was_run=False)
        asked = question(text, operation_name, variables, place_variable(document.node, chosen))
        return Subscription(self.audiences, asked, cast(Watch, events), partial(self._answer, executor))

    async def _answer(self, executor: Executor[Any], ctx: Context, event: Any) -> Answer:
        """One event with the selected fields, read with the rights and loaders of its own context."""
        once = executor.build_per_event_executor(event)
        once.context_value = ctx
        try:
            async with asyncio.timeout(self.settings.operation_timeout):
                result = execute_subscription_event(once)
                found = result if isinstance(result, ExecutionResult) else await result
        except TimeoutError:
            return _refused(Unavailable("The operation took too long."))
        return Answer(found.data, list(found.errors or []))

    def kind_of(self, text: str, operation_name: str | None) -> OperationType | None:
        """Whether a text asks for a query, a mutation or a subscription; none when that cannot be told."""
        operation = self.documents.get(text).operation(operation_name)
        return operation.operation if operation else None

    def _chosen(self, document: Document, name: str | None) -> OperationDefinitionNode:
        operation = document.operation(name)
        if operation is None:
            raise BadUserInput("Name the operation to run." if name is None else "The document has no operation of that name.")
        return operation


def _refused(refusal: ApiError) -> Answer:
    return Answer(errors=[GraphQLError(refusal.message, original_error=refusal)], was_run=False)
