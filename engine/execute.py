"""Running operations: one engine for every transport."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType, execute, subscribe

from engine.answers import Answer
from engine.build import install, keep_python_values
from engine.documents import Document, Documents
from engine.guard import check_values
from engine.variables import check_variables
from errors import ApiError, BadUserInput, Unavailable
from resolvers.context import Context
from schema.root import build_schema
from settings import Settings


class Engine:
    """Runs documents over one schema; the raw flavour leaves leaf values as Python has them."""

    def __init__(self, settings: Settings, *, raw: bool = False) -> None:
        self.strawberry: strawberry.Schema = keep_python_values(build_schema(for_older_systems=True)) if raw else build_schema()
        self.shapes = install(self.strawberry)
        self.schema = self.strawberry._schema
        self.settings = settings
        sensitive = frozenset(spoken for (_, spoken), each in self.shapes.operations.items() if each.operation.is_sensitive)
        self.documents = Documents(self.schema, settings, sensitive)

    async def run(
        self,
        text: str,
        ctx: Context,
        *,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        reads_only: bool = False,
    ) -> Answer:
        """Run a query or mutation; `reads_only` refuses mutations, as GET must."""
        document = self.documents.get(text)
        if document.errors:
            return Answer(errors=document.errors, was_run=False)
        return await self.run_document(document, ctx, variables=variables, operation_name=operation_name, reads_only=reads_only)

    async def run_document(
        self,
        document: Document,
        ctx: Context,
        *,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        reads_only: bool = False,
    ) -> Answer:
        """Run a document that was checked."""
        try:
            chosen = self._chosen(document, operation_name)
            operation = chosen.operation
            if operation is OperationType.SUBSCRIPTION:
                raise BadUserInput("Subscribe over a WebSocket.")
            if reads_only and operation is not OperationType.QUERY:
                raise BadUserInput("GET may only read.")
            check_values(variables)
            check_variables(self.schema, chosen, variables or {})
        except ApiError as refusal:
            return _refused(refusal)
        try:
            async with asyncio.timeout(self.settings.operation_timeout):
                result = execute(self.schema, document.node, None, ctx, variables, operation_name)  # type: ignore[arg-type]
                found = result if isinstance(result, ExecutionResult) else await result
        except TimeoutError:
            return _refused(Unavailable("The operation took too long."))
        errors = found.errors or []
        was_run = not (found.data is None and errors and all(each.path is None for each in errors))
        return Answer(found.data, list(errors), was_run=was_run)

    async def subscribe(
        self, text: str, ctx: Context, *, variables: dict[str, Any] | None = None, operation_name: str | None = None
    ) -> AsyncIterator[Answer] | Answer:
        """Begin a subscription: a stream of answers, or the answer that says why not."""
        document = self.documents.get(text)
        if document.errors:
            return Answer(errors=document.errors, was_run=False)
        try:
            check_values(variables)
            check_variables(self.schema, self._chosen(document, operation_name), variables or {})
        except ApiError as refusal:
            return _refused(refusal)
        begun = await subscribe(self.schema, document.node, None, ctx, variables, operation_name)  # type: ignore[arg-type,misc]
        if isinstance(begun, ExecutionResult):
            return Answer(begun.data, list(begun.errors or []), was_run=False)
        return _answers(begun)

    def kind_of(self, text: str, operation_name: str | None) -> OperationType | None:
        """Whether a text asks for a query, a mutation or a subscription; none when that cannot be told."""
        operation = self.documents.get(text).operation(operation_name)
        return operation.operation if operation else None

    def _chosen(self, document: Document, name: str | None) -> OperationDefinitionNode:
        operation = document.operation(name)
        if operation is None:
            raise BadUserInput("Name the operation to run." if name is None else "The document has no operation of that name.")
        return operation


async def _answers(results: Any) -> AsyncIterator[Answer]:
    try:
        async for each in results:
            yield Answer(each.data, list(each.errors or []))
    finally:
        await results.aclose()


def _refused(refusal: ApiError) -> Answer:
    return Answer(errors=[GraphQLError(refusal.message, original_error=refusal)], was_run=False)
