"""The executable schema: Strawberry's declarations with the engine's own way of resolving every field."""

from collections.abc import Callable
from typing import Any

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    get_named_type,
    specified_scalar_types,
)

from engine.arguments import python_arguments
from engine.pages import Page
from engine.plan import TYPE_NAME
from engine.read import Reading
from engine.shapes import Shapes
from engine.watching import Watcher
from resolvers.context import Context
from resolvers.operations import perform
from schema.fields import PAGE_NAMES, OperationField

Resolver = Callable[..., Any]


def keep_python_values(schema: strawberry.Schema) -> strawberry.Schema:
    """Leave leaf values as they are, so that a REST dialect can spell them its own way."""
    for found in schema._schema.type_map.values():
        if isinstance(found, GraphQLEnumType) and not found.name.startswith("__"):
            setattr(found, "coerce_output_value", _itself)  # noqa: B010 - mypy knows it as a method
        elif isinstance(found, GraphQLScalarType) and found.name not in specified_scalar_types:
            found.coerce_output_value = _itself
    return schema


def install(schema: strawberry.Schema) -> Shapes:
    """Give every field of the schema its resolver."""
    shapes = Shapes(schema)
    for name, found in schema._schema.type_map.items():
        if isinstance(found, GraphQLInterfaceType) and name in shapes.by_name:
            found.resolve_type = lambda row, *_: row[TYPE_NAME]
        elif isinstance(found, GraphQLObjectType) and not name.startswith("__"):
            _install_object(shapes, name, found)
    return shapes


def _install_object(shapes: Shapes, name: str, found: GraphQLObjectType) -> None:
    is_page = shapes.connection_of(name) is not None
    if name in shapes.by_name:
        found.is_type_of = None
    for spoken, each in found.fields.items():
        if (name, spoken) in shapes.operations and name == "Subscription":
            each.subscribe = _source(shapes, shapes.operations[name, spoken])
            each.resolve = _event
        elif (name, spoken) in shapes.operations:
            each.resolve = _root(shapes, shapes.operations[name, spoken])
        elif name in shapes.by_name or is_page or name == "PageInfo" or name.endswith("Edge"):
            each.resolve = _from_row
        elif get_named_type(each.type).name in shapes.by_name and (name, spoken) in shapes.python_names:
            each.resolve = _read_again(shapes, shapes.python_names[name, spoken])


def _from_row(source: dict[str, Any], info: GraphQLResolveInfo[Context], **_: Any) -> Any:
    return source[info.path.key]  # type: ignore[index]


def _read_again(shapes: Shapes, attribute: str) -> Resolver:
    """A field of a payload that holds a row: it is read with what the document asks of it."""

    async def resolve(source: Any, info: GraphQLResolveInfo[Context], **_: Any) -> Any:
        value = source[attribute] if isinstance(source, dict) else getattr(source, attribute)
        return await Reading(shapes, info).answer(value)

    return resolve


def _root(shapes: Shapes, field: OperationField) -> Resolver:
    """A root field: admit, read the arguments, run the operation, read the answer."""
    operation, read_arguments = field.operation, python_arguments(shapes, field)

    async def resolve(_: Any, info: GraphQLResolveInfo[Context], **given: Any) -> Any:
        ctx: Context = info.context
        if info.path.key in ctx.done:
            return await _shown(info, ctx.done[str(info.path.key)])
        operation.admit(ctx.viewer)
        arguments = read_arguments(given)
        page = {name: arguments.pop(name) for name in PAGE_NAMES if field.is_connection and name in arguments}
        key = arguments.pop("idempotency_key", None) if field.takes_key else None
        if key is None and field.takes_key and ctx.idempotency_key:
            key = f"{ctx.idempotency_key} {info.path.key}"
        asked = Page.read(page, ctx.longest_page) if field.is_connection else None
        value = await perform(operation, ctx, arguments, key=key)
        return await Reading(shapes, info).answer(value, asked)

    async def _shown(info: GraphQLResolveInfo[Context], value: Any) -> Any:
        """What a write has done already, in the run that this one continues."""
        if isinstance(value, Exception):
            raise value
        return await Reading(shapes, info).answer(value)

    return resolve


def _source(shapes: Shapes, field: OperationField) -> Resolver:
    """The events of a subscription: admit, read the arguments, and let the watcher follow what the operation says."""
    operation, read_arguments = field.operation, python_arguments(shapes, field)

    async def subscribe(watcher: Watcher, info: GraphQLResolveInfo[Context], **given: Any) -> Any:
        operation.admit(info.context.viewer)
        arguments = read_arguments(given)
        after = arguments.pop("after", None)
        return await watcher.watch(operation, arguments, after)

    return subscribe


def _event(event: Any, _: GraphQLResolveInfo[Context], **__: Any) -> Any:
    return event


def _itself(value: Any) -> Any:
    return value
