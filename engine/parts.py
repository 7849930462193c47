"""Answers in parts: @defer and @stream, run by graphql-core and written as multipart/mixed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    ExperimentalIncrementalExecutionResults,
    GraphQLError,
    GraphQLSchema,
    InitialIncrementalExecutionResult,
    SubsequentIncrementalExecutionResult,
    experimental_execute_incrementally,
)

from engine.answers import Answer, spell, written
from errors import Unavailable
from resolvers.context import Context

BOUNDARY = "-"
MEDIA = f'multipart/mixed; boundary="{BOUNDARY}"; incrementalSpec=v0.2'
HEAD = b"\r\n--" + BOUNDARY.encode() + b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"
END = b"\r\n--" + BOUNDARY.encode() + b"--\r\n"
Parts = AsyncGenerator[dict[str, Any], None]


async def begin(
    schema: GraphQLSchema, document: DocumentNode, ctx: Context, variables: dict[str, Any] | None, name: str | None, *, seconds: float
) -> Answer | Parts:
    """Run until the first part is there; TimeoutError when it takes too long, and so do all parts together."""
    ends = asyncio.get_running_loop().time() + seconds
    async with asyncio.timeout_at(ends):
        result = experimental_execute_incrementally(schema, document, None, ctx, variables, name)
        found = result if isinstance(result, ExecutionResult | ExperimentalIncrementalExecutionResults) else await result
    if isinstance(found, ExecutionResult):
        errors = list(found.errors or [])
        return Answer(found.data, errors, was_run=found.data is not None or any(each.path for each in errors))
    return _parts(found, ctx, ends)


async def _parts(found: ExperimentalIncrementalExecutionResults, ctx: Context, ends: float) -> Parts:
    waiting: dict[str, None] = {}
    async with aclosing(found.subsequent_results) as later:
        yield _part(found.initial_result, ctx, waiting)
        while True:
            try:
                async with asyncio.timeout_at(ends):
                    part = await anext(later, None)
            except TimeoutError:
                refusal = Unavailable("The operation took too long.")
                errors = [spell(GraphQLError(refusal.message, original_error=refusal), ctx)]
                yield {"completed": [{"id": id, "errors": errors} for id in waiting], "hasNext": False}
                return
            if part is None:
                return
            yield _part(part, ctx, waiting)


def _part(part: InitialIncrementalExecutionResult | SubsequentIncrementalExecutionResult, ctx: Context, waiting: dict[str, None]) -> Any:
    """One part as GraphQL spells it, its errors coded and masked; notes which others are still to come."""
    written: dict[str, Any] = dict(part.formatted)
    waiting.update({each["id"]: None for each in written.get("pending", ())})
    if isinstance(part, InitialIncrementalExecutionResult):
        _code(written, part.errors, ctx)
        return written
    for key, results in (("incremental", part.incremental), ("completed", part.completed)):
        for shown, each in zip(written.get(key, ()), results or (), strict=True):
            _code(shown, each.errors, ctx)
    for each in written.get("completed", ()):
        waiting.pop(each["id"], None)
    return written


def _code(written: dict[str, Any], errors: Sequence[GraphQLError] | None, ctx: Context) -> None:
    if errors:
        written["errors"] = [spell(each, ctx) for each in errors]


async def multipart(parts: Parts) -> AsyncIterator[bytes]:
    """The body of an answer in parts; each part ends with a boundary, so that nobody waits for the next one to read it."""
    yield HEAD
    async with aclosing(parts):
        async for part in parts:
            yield written(part) + (HEAD if part.get("hasNext") else END)
