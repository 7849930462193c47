"""Endpoints: GraphQL documents with a route on them, read and checked when the server starts."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import get_directive_values
from graphql.utilities import type_from_ast

from resolvers.operations import ANYONE, Operation
from rest_compat.directives import PAGE_SIZE_ARGUMENTS, as_text, without_directives
from rest_compat.documents import Documents, where
from rest_compat.shapes import Change, Shaper

METHODS = ("get", "post", "put", "patch", "delete")
PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Variable:
    """An input under the name that old clients know."""

    name: str
    type: GraphQLInputType
    has_default: bool
    is_page_size: bool


@dataclass(frozen=True)
class Endpoint:
    """One old endpoint: its route, its inputs, the operation that answers it and the shape of the answer."""

    system: str
    name: str
    method: str
    path: str
    status: int
    says: str | None
    limit: str | None
    where: str
    source: DocumentNode
    document: DocumentNode
    replacement: DocumentNode
    variables: tuple[Variable, ...]
    operations: tuple[Operation, ...]
    old_names: dict[str, str]
    page_number: str | None
    only_field: str | None
    change: Change | None

    @property
    def text(self) -> str:
        """The operation that replaces the endpoint, as a GraphQL client sends it."""
        return as_text(self.replacement)

    @property
    def alternate(self) -> str:
        """Where that operation's text can be read."""
        node = self.replacement.definitions[0]
        assert isinstance(node, OperationDefinitionNode)  # noqa: S101 - an operation comes first
        assert node.name is not None  # noqa: S101 - it was asked for
        return f"/operations/{self.system}/{node.name.value}.graphql"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in its path."""
        return tuple(PARAMETER.findall(self.path))

    @property
    def is_open(self) -> bool:
        """Whether nobody needs to be signed in."""
        return all(ANYONE in each.who for each in self.operations)


def read_endpoints(folder: Path, schema: GraphQLSchema, *, spell_enum: Callable[[str], str] | None = None) -> list[Endpoint]:
    """The endpoints of all documents in a folder; WrongDocument tells every mistake at once."""
    maker = _Maker(Documents(folder, schema), schema, spell_enum)
    endpoints = [endpoint for each in maker.documents.operations if (endpoint := maker.make(each))]
    _refuse_doubles(maker.documents, endpoints)
    maker.documents.finish()
    return endpoints


class _Maker:
    """Makes endpoints of operations; `schema` is the one that knows no directives of ours."""

    def __init__(self, documents: Documents, schema: GraphQLSchema, spell_enum: Callable[[str], str] | None) -> None:
        self.documents = documents
        self._schema = schema
        self._shaper = Shaper(schema, documents.fragments, spell_enum)
        self._instead = {name for each in documents.operations if (name := _instead(each))}

    def make(self, node: OperationDefinitionNode) -> Endpoint | None:
        """One operation as an endpoint; notes what is wrong with it and answers None then."""
        document = self.documents.document(node)
        if document is None or (node.name and node.name.value in self._instead):
            return None
        try:
            return self._endpoint(node, document)
        except GraphQLError as error:
            self.documents.note(error)
            return None

    def _endpoint(self, node: OperationDefinitionNode, source: DocumentNode) -> Endpoint:
        if node.name is None:
            raise GraphQLError("A REST document needs a name.", node)
        document = without_directives(source)
        method, path, rest = self._route(node)
        variables = self._variables(node)
        for name in PARAMETER.findall(path):
            if name not in {each.name for each in variables}:
                raise GraphQLError(f"The path names {name!r}, but there is no such variable.", node)
        fields = [each for each in node.selection_set.selections if isinstance(each, FieldNode)]
        if len(fields) != len(node.selection_set.selections):
            raise GraphQLError("The roots of a REST document are fields, not fragments.", node)
        root = self._schema.query_type if node.operation is OperationType.QUERY else self._schema.mutation_type
        assert root is not None  # noqa: S101 - validation found the fields
        uses = list(_uses(fields))
        return Endpoint(
            system=self.documents.system,
            name=node.name.value,
            method=method,
            path=path,
            status=rest["status"],
            says=rest.get("says"),
            limit=rest.get("limit"),
            where=where(node),
            source=source,
            document=document,
            replacement=self._replacement(rest["instead"], node) if rest.get("instead") else document,
            variables=variables,
            operations=tuple(_operation(root.fields[each.name.value], each) for each in fields),
            old_names={python_name(argument): variable for argument, variable in uses},
            page_number=next((variable for argument, variable in uses if argument == "page"), None),
            only_field=(fields[0].alias or fields[0].name).value if len(fields) == 1 else None,
            change=self._shaper.change(node.selection_set, root),
        )

    def _route(self, node: OperationDefinitionNode) -> tuple[str, str, dict[str, Any]]:
        rest = get_directive_values(self.documents.schema.get_directive("rest"), node)  # type: ignore[arg-type]
        if rest is None:
            raise GraphQLError(f"{node.name.value if node.name else 'This operation'} has no @rest(...).", node)
        routes = [(method, rest[method]) for method in METHODS if rest.get(method)]
        if len(routes) != 1:
            raise GraphQLError("@rest(...) names exactly one method with its path.", node)
        method, path = routes[0]
        if not path.startswith("/"):
            raise GraphQLError("A path begins with a slash.", node)
        if method == "get" and node.operation is not OperationType.QUERY:
            raise GraphQLError("Only a query can answer GET.", node)
        if not 200 <= rest["status"] <= 299:
            raise GraphQLError("The status of success is 200 to 299.", node)
        return method.upper(), path, rest

    def _variables(self, node: OperationDefinitionNode) -> tuple[Variable, ...]:
        fields = [each for each in node.selection_set.selections if isinstance(each, FieldNode)]
        sizes = {variable for argument, variable in _uses(fields) if argument in PAGE_SIZE_ARGUMENTS}
        return tuple(
            Variable(
                name=each.variable.name.value,
                type=type_from_ast(self._schema, each.type),  # type: ignore[arg-type]  # validated before
                has_default=each.default_value is not None,
                is_page_size=each.variable.name.value in sizes,
            )
            for each in node.variable_definitions or ()
        )

    def _replacement(self, name: str, node: OperationDefinitionNode) -> DocumentNode:
        """The operation of this name that has no route."""
        found = next((each for each in self.documents.operations if each.name and each.name.value == name and not each.directives), None)
        document = self.documents.document(found) if found else None
        if document is None:
            raise GraphQLError(f"There is no operation {name} without a route.", node)
        return without_directives(document)


def _refuse_doubles(documents: Documents, endpoints: Sequence[Endpoint]) -> None:
    routes: dict[tuple[str, str], Endpoint] = {}
    names: dict[str, Endpoint] = {}
    for each in endpoints:
        first = routes.setdefault((each.method, PARAMETER.sub("{}", each.path)), each)
        if first is not each:
            documents.mistakes.append(f"{each.where}: {each.method} {each.path} is answered by {first.name} ({first.where}) already.")
        first = names.setdefault(each.name, each)
        if first is not each:
            documents.mistakes.append(f"{each.where}: the name {each.name} is taken ({first.where}).")


def _operation(definition: Any, node: FieldNode) -> Operation:
    """The operation behind a root field."""
    operation: Operation | None = getattr(definition.extensions.get("strawberry-definition"), "operation", None)
    if operation is None:
        raise GraphQLError(f"No operation stands behind {node.name.value}.", node)
    return operation


def python_name(name: str) -> str:
    """The name of an argument in the code: serviceId is service_id."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _instead(node: OperationDefinitionNode) -> str | None:
    """The name of the operation that clients of GraphQL use instead."""
    arguments = [each for directive in node.directives or () for each in directive.arguments or ()]
    return next((str(getattr(each.value, "value", "")) for each in arguments if each.name.value == "instead"), None)


def _uses(fields: Sequence[FieldNode]) -> Iterator[tuple[str, str]]:
    """Every argument or input field of the roots that takes a variable, with that variable's name."""
    for field in fields:
        for argument in field.arguments or ():
            yield from _used(argument.name.value, argument.value)


def _used(name: str, value: ValueNode) -> Iterator[tuple[str, str]]:
    if isinstance(value, VariableNode):
        yield name, value.name.value
    elif isinstance(value, ObjectValueNode):
        for field in value.fields:
            yield from _used(field.name.value, field.value)
