"""Endpoints: GraphQL documents with a route on them, read and checked when the server starts."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    Source,
    ValueNode,
    VariableNode,
    Visitor,
    parse,
    validate,
    visit,
)
from graphql.execution.values import get_directive_values
from graphql.utilities import type_from_ast

from resolvers.operations import ANYONE, Operation
from rest_compat.directives import PAGE_SIZE_ARGUMENTS, as_text, with_directives, without_directives
from rest_compat.shapes import Change, Shaper

METHODS = ("get", "post", "put", "patch", "delete")
PARAMETER = re.compile(r"\{(\w+)\}")


class WrongDocument(Exception):
    """A REST document contradicts the schema or itself; the server does not start. One line per mistake, with file and line."""


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
    document: DocumentNode
    variables: tuple[Variable, ...]
    operations: tuple[Operation, ...]
    old_names: dict[str, str]
    page_number: str | None
    only_field: str | None
    change: Change | None

    @property
    def text(self) -> str:
        """The operation that replaces the endpoint, as a GraphQL client sends it."""
        return as_text(self.document)

    @property
    def alternate(self) -> str:
        """Where that operation's text can be read."""
        return f"/operations/{self.system}/{self.name}.graphql"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in its path."""
        return tuple(PARAMETER.findall(self.path))

    @property
    def is_open(self) -> bool:
        """Whether nobody needs to be signed in."""
        return all(ANYONE in each.who for each in self.operations)


OperationsOf = Callable[[GraphQLSchema, OperationDefinitionNode], Sequence[Operation]]


def read_endpoints(folder: Path, schema: GraphQLSchema, *, spell_enum: Callable[[str], str] | None = None) -> list[Endpoint]:
    """The endpoints of all documents in a folder; WrongDocument tells every mistake at once."""
    reader = _Reader(folder, schema, spell_enum)
    endpoints = [endpoint for each in reader.operations if (endpoint := reader.endpoint(each))]
    reader.refuse_doubles(endpoints)
    if reader.mistakes:
        raise WrongDocument("\n".join(reader.mistakes))
    return endpoints


class _Reader:
    def __init__(self, folder: Path, schema: GraphQLSchema, spell_enum: Callable[[str], str] | None) -> None:
        self.schema = with_directives(schema)
        self._public = schema
        self._folder = folder
        self._spell_enum = spell_enum
        self.mistakes: list[str] = []
        self.fragments: dict[str, FragmentDefinitionNode] = {}
        self.operations: list[OperationDefinitionNode] = []
        self._used: set[str] = set()
        for file in sorted(folder.glob("*.graphql")):
            self._read(file)

    def _read(self, file: Path) -> None:
        name = f"rest_compat/{self._folder.name}/{file.name}"
        try:
            document = parse(Source(file.read_text(encoding="utf-8"), name))
        except GraphQLError as error:
            self._note(error)
            return
        for node in document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                if node.name.value in self.fragments:
                    self._note(GraphQLError(f"The fragment {node.name.value} is declared twice.", node))
                self.fragments[node.name.value] = node
            elif isinstance(node, OperationDefinitionNode):
                self.operations.append(node)
            else:
                self._note(GraphQLError("Only operations and fragments belong in a REST document.", node))

    def _note(self, error: GraphQLError) -> None:
        source = error.source or (error.nodes[0].loc.source if error.nodes and error.nodes[0].loc else None)
        line = error.locations[0].line if error.locations else 1
        self.mistakes.append(f"{source.name if source else self._folder.name}:{line}: {error.message}")

    def endpoint(self, node: OperationDefinitionNode) -> Endpoint | None:
        """One operation as an endpoint; notes what is wrong with it and answers None then."""
        try:
            return self._endpoint(node)
        except GraphQLError as error:
            self._note(error)
            return None

    def _endpoint(self, node: OperationDefinitionNode) -> Endpoint | None:
        fragments = self._fragments_of(node)
        document = DocumentNode(definitions=(node, *(self.fragments[name] for name in sorted(fragments))))
        if errors := validate(self.schema, document):
            for error in errors:
                self._note(error)
            return None
        if node.name is None:
            raise GraphQLError("A REST document needs a name.", node)
        method, path, rest = self._route(node)
        variables = self._variables(node)
        for name in PARAMETER.findall(path):
            if name not in {each.name for each in variables}:
                raise GraphQLError(f"The path names {name!r}, but there is no such variable.", node)
        root = self.schema.query_type if node.operation is OperationType.QUERY else self.schema.mutation_type
        assert root is not None  # noqa: S101 - validation found the fields
        change = Shaper(self.schema, self.fragments, self._spell_enum).change(node.selection_set, root)
        fields = [each for each in node.selection_set.selections if isinstance(each, FieldNode)]
        if len(fields) != len(node.selection_set.selections):
            raise GraphQLError("The roots of a REST document are fields, not fragments.", node)
        only = fields[0] if len(fields) == 1 else None
        stripped = without_directives(document)
        uses = list(_uses(node))
        return Endpoint(
            system=self._folder.name,
            name=node.name.value,
            method=method,
            path=path,
            status=rest["status"],
            says=rest.get("says"),
            limit=rest.get("limit"),
            where=_where(node),
            document=stripped,
            variables=tuple(variables),
            operations=tuple(operations_of(self._public, node.operation, fields)),
            old_names={python_name(argument): variable for argument, variable in uses},
            page_number=next((variable for argument, variable in uses if argument == "page"), None),
            only_field=(only.alias or only.name).value if only else None,
            change=change,
        )

    def _fragments_of(self, node: OperationDefinitionNode | FragmentDefinitionNode) -> set[str]:
        """The fragments that a definition needs, at any depth; an unknown one is left to validation."""
        found: set[str] = set()
        waiting = list(_spreads(node))
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.fragments:
                found.add(name)
                waiting += _spreads(self.fragments[name])
        self._used |= found
        return found

    def _route(self, node: OperationDefinitionNode) -> tuple[str, str, dict[str, Any]]:
        rest = get_directive_values(self.schema.get_directive("rest"), node)  # type: ignore[arg-type]
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

    def _variables(self, node: OperationDefinitionNode) -> list[Variable]:
        sizes = {variable for argument, variable in _uses(node) if argument in PAGE_SIZE_ARGUMENTS}
        return [
            Variable(
                name=each.variable.name.value,
                type=type_from_ast(self._public, each.type),  # type: ignore[arg-type]  # validated above
                has_default=each.default_value is not None,
                is_page_size=each.variable.name.value in sizes,
            )
            for each in node.variable_definitions or ()
        ]

    def refuse_doubles(self, endpoints: Sequence[Endpoint]) -> None:
        """Two documents with one route, two with one name, and fragments that nobody spreads are mistakes too."""
        routes: dict[tuple[str, str], Endpoint] = {}
        names: dict[str, Endpoint] = {}
        for each in endpoints:
            first = routes.setdefault((each.method, PARAMETER.sub("{}", each.path)), each)
            if first is not each:
                self.mistakes.append(f"{each.where}: {each.method} {each.path} is answered by {first.name} ({first.where}) already.")
            first = names.setdefault(each.name, each)
            if first is not each:
                self.mistakes.append(f"{each.where}: the name {each.name} is taken ({first.where}).")
        if not self.mistakes:
            for name in sorted(self.fragments.keys() - self._used):
                self.mistakes.append(f"{_where(self.fragments[name])}: nobody spreads the fragment {name}.")


def operations_of(schema: GraphQLSchema, kind: OperationType, fields: Sequence[FieldNode]) -> Iterator[Operation]:
    """The operations behind root fields."""
    root = schema.query_type if kind is OperationType.QUERY else schema.mutation_type
    for each in fields:
        definition = root.fields[each.name.value].extensions.get("strawberry-definition") if root else None
        operation = getattr(definition, "operation", None)
        if operation is None:
            raise GraphQLError(f"No operation stands behind {each.name.value}.", each)
        yield operation


def python_name(name: str) -> str:
    """The name of an argument in the code: serviceId is service_id."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _where(node: OperationDefinitionNode | FragmentDefinitionNode) -> str:
    assert node.loc is not None  # noqa: S101 - it was parsed from a file
    return f"{node.loc.source.name}:{node.loc.start_token.line}"


def _spreads(node: OperationDefinitionNode | FragmentDefinitionNode) -> list[str]:
    found: list[str] = []

    class Collect(Visitor):
        def enter_fragment_spread(self, spread: FragmentSpreadNode, *_: object) -> None:
            found.append(spread.name.value)

    visit(node, Collect())
    return found


def _uses(node: OperationDefinitionNode) -> Iterator[tuple[str, str]]:
    """Every argument or input field of the roots that takes a variable, with that variable's name."""
    for field in node.selection_set.selections:
        if isinstance(field, FieldNode):
            for argument in field.arguments or ():
                yield from _used(argument.name.value, argument.value)


def _used(name: str, value: ValueNode) -> Iterator[tuple[str, str]]:
    if isinstance(value, VariableNode):
        yield name, value.name.value
    elif isinstance(value, ObjectValueNode):
        for field in value.fields:
            yield from _used(field.name.value, field.value)
