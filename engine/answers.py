"""Answers and their errors: coded for clients, masked where the fault is ours."""

import logging
import re
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError

from errors import ApiError
from resolvers.context import Context

log = logging.getLogger("atrium.engine")


@dataclass
class Answer:
    """What an operation answers; `data` is missing when it never ran."""

    data: dict[str, Any] | None = None
    errors: list[GraphQLError] = field(default_factory=list)
    was_run: bool = True
    extensions: dict[str, Any] = field(default_factory=dict)

    def body(self, ctx: Context) -> dict[str, Any]:
        """The answer as GraphQL spells it."""
        body: dict[str, Any] = {}
        if self.was_run:
            body["data"] = self.data
        if self.errors:
            body["errors"] = [spell(each, ctx) for each in self.errors]
        if self.extensions:
            body["extensions"] = self.extensions
        return body


def written(body: dict[str, Any]) -> bytes:
    """The JSON of an answer; moments end in Z, as graphql-core spells them too."""
    return orjson.dumps(body, default=str, option=orjson.OPT_UTC_Z)


def refusal_of(error: GraphQLError) -> ApiError | None:
    """The refusal behind an error, if it is one of ours."""
    original: BaseException | None = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return original if isinstance(original, ApiError) else None


def spell(error: GraphQLError, ctx: Context) -> dict[str, Any]:
    """One error for a GraphQL client; what is not a refusal is logged and masked."""
    refusal = refusal_of(error)
    if refusal is not None:
        extensions: dict[str, Any] = {"code": refusal.code}
        if refusal.fields:
            extensions["fields"] = {camel(name): text for name, text in refusal.fields.items()}
        extensions |= _camelled(refusal.details)
        message = refusal.message
    elif _is_unexpected(error):
        log.error("unexpected failure at %s in %s", error.path, ctx.request_id, exc_info=error.original_error)
        extensions, message = {"code": ApiError.code, "requestId": ctx.request_id}, ApiError.message
    else:
        extensions, message = dict(error.extensions or {"code": "BAD_USER_INPUT"}), error.message
    spelled: dict[str, Any] = {"message": message}
    if error.locations:
        spelled["locations"] = [{"line": each.line, "column": each.column} for each in error.locations]
    if error.path:
        spelled["path"] = error.path
    return {**spelled, "extensions": extensions}


def _camelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {camel(name): _camelled(inner) for name, inner in value.items()}
    return [_camelled(each) for each in value] if isinstance(value, list) else value


def _is_unexpected(error: GraphQLError) -> bool:
    """Whether something failed; what graphql-core itself says of a request, such as a null where none may be, is no failure."""
    original: BaseException | None = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return original is not None and "code" not in (error.extensions or {})


def camel(name: str) -> str:
    """A Python name as GraphQL spells it."""
    return re.sub(r"_(\w)", lambda found: found.group(1).upper(), name)
