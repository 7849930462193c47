"""OpenAPI 3.1 of an older system, derived from its documents, so that it cannot say anything else than the server does."""

import re
from collections.abc import Iterator
from typing import Any

from graphql import (
    FieldNode,
    GraphQLInputType,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    is_non_null_type,
    value_from_ast_untyped,
)
from openapi_pydantic import OpenAPI

from rest_compat.endpoint import PARAMETER, Endpoint, Variable
from rest_compat.openapi_answers import Answer, Answers, Member
from rest_compat.openapi_refusals import Refusals
from rest_compat.openapi_values import Schema, described, given, spelled, without_null
from rest_compat.routes import Handler, Route, Socket
from rest_compat.system import System

SCHEME = "signIn"
LOCATION = {"Location": {"description": "Where it is.", "schema": {"type": "string", "format": "uri"}}}
KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Repeats under the same key answer the same and do nothing twice.",
    "schema": {"type": "string"},
}


def describe(system: System, *, server: str) -> OpenAPI:
    """The document of a system that stands at `server`, such as /coresync."""
    return OpenAPI.model_validate(_Describer(system).document(server))


def as_json(document: OpenAPI) -> str:
    """How the document is written."""
    return document.model_dump_json(by_alias=True, exclude_unset=True, indent=2)


class _Describer:
    def __init__(self, system: System) -> None:
        self._dialect = system.dialect
        self._routes = [each for each in system.table.routes if not isinstance(each, Socket)]
        self._sockets = [each for each in system.table.routes if isinstance(each, Socket)]
        self._schema = system.schema
        self._answers = Answers(system.schema, system.dialect)
        self._refusals = Refusals(system.dialect)

    def document(self, server: str) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for route in self._routes:
            paths.setdefault(route.path, {})[route.method.lower()] = self._operation(route)
        return {
            "openapi": "3.1.0",
            "info": {"title": self._dialect.title, "version": "1.0", "description": self._introduction()},
            "servers": [{"url": server or "/"}],
            "tags": [{"name": name} for name in sorted({_tag(each) for each in self._routes})],
            "paths": paths,
            "components": {
                "schemas": {**self._answers.components, **self._refusals.schemas},
                "responses": self._refusals.responses,
                "parameters": {"IdempotencyKey": KEY_PARAMETER},
                "securitySchemes": {SCHEME: dict(self._dialect.sign_in)},
            },
        }

    def _introduction(self) -> str:
        lines = [type(self._dialect).__doc__ or "", "", "Every answer names, in its `Link` header, the GraphQL operation that replaces it."]
        if self._sockets:
            lines += ["", "WebSockets, which OpenAPI has no place for:", ""]
            lines += [f"- `{each.path}`: {each.run.__doc__}" for each in self._sockets]
        return "\n".join(lines)

    def _operation(self, route: Route) -> dict[str, Any]:
        sentence = route.operations[0].description if route.operations else ""
        made: dict[str, Any] = {
            "operationId": route.name,
            "tags": [_tag(route)],
            "summary": sentence.split("\n\n")[0].replace("\n", " "),
            "security": self._security(route),
            "responses": {},
        }
        if isinstance(route, Endpoint):
            names = ", ".join(f"`{each}`" for each in _root_fields(route))
            kind = "mutation" if _node(route.replacement).operation is OperationType.MUTATION else "query"
            made["description"] = f"In GraphQL: {kind} {names} ([its text]({route.alternate}))."
            made["externalDocs"] = {"url": route.alternate, "description": f"The {kind} that replaces it"}
            made |= self._inputs(route)
            success = _body(self._enveloped(route, self._answers.of(route)))
        else:
            made |= _handled(route)
            success = _body(dict(route.described.answer)) if route.status < 300 else {"headers": LOCATION}
        made["responses"] = {str(route.status): {"description": route.says or "Success.", **success}, **self._refusals.of(route)}
        if route.method != "GET":
            made.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})
        return made

    def _security(self, route: Route) -> list[dict[str, list[str]]]:
        if not route.is_open:
            return [{SCHEME: []}]
        return [{}, {SCHEME: []}] if isinstance(route, Endpoint) else []

    def _inputs(self, endpoint: Endpoint) -> dict[str, Any]:
        """What stands in path and query, and what in the body."""
        sentences = dict(self._sentences(endpoint))
        defaults = {each.variable.name.value: each for each in _node(endpoint.source).variable_definitions or ()}
        parameters: list[dict[str, Any]] = []
        body: dict[str, Schema] = {}
        needed: list[str] = []
        for variable in endpoint.variables:
            is_needed = is_non_null_type(variable.type) and not variable.has_default
            place = "path" if variable.name in endpoint.parameters else "query" if endpoint.method == "GET" else "body"
            kind = variable.type if place == "body" else without_null(variable.type)
            schema = self._given(variable, kind, defaults[variable.name])
            if place == "body":
                body[variable.name] = described(schema, sentences.get(variable.name))
                needed += [variable.name] if is_needed else []
            else:
                parameters.append(
                    {
                        "name": variable.name,
                        "in": place,
                        "required": is_needed or place == "path",
                        "description": sentences.get(variable.name, ""),
                        "schema": schema,
                    }
                )
        made: dict[str, Any] = {"parameters": parameters}
        if body:
            schema = {"type": "object", "properties": body, **({"required": needed} if needed else {})}
            made["requestBody"] = {"required": bool(needed), "content": {"application/json": {"schema": schema}}}
        return made

    def _given(self, variable: Variable, kind: GraphQLInputType, definition: VariableDefinitionNode) -> Schema:
        schema = given(kind, self._dialect)
        if variable.is_page_size:
            schema = {**schema, "description": f"At most {self._dialect.page_maximum}; more is cut, never refused."}
        if definition.default_value is None:
            return schema
        default = value_from_ast_untyped(definition.default_value)
        spell = self._dialect.spelling.enum or str.lower
        is_word = "enum" in schema and isinstance(default, str)
        return {**schema, "default": spell(default) if is_word else default}

    def _sentences(self, endpoint: Endpoint) -> Iterator[tuple[str, str]]:
        """What each variable means: the sentence of the argument or field that takes it."""
        node = _node(endpoint.source)
        root = self._schema.query_type if node.operation is OperationType.QUERY else self._schema.mutation_type
        assert root is not None  # noqa: S101 - the document is valid
        for field in _fields(node.selection_set):
            arguments = root.fields[field.name.value].args
            for argument in field.arguments or ():
                yield from _meant(argument.value, arguments[argument.name.value])

    def _enveloped(self, route: Endpoint, answer: Answer) -> Schema:
        """The body as the dialect wraps it: it wraps a stand-in, and what it put around that is described too."""
        stand_in: Any = dict(answer.members) if answer.members is not None else object()
        return _unfold(self._dialect.success(stand_in, route), stand_in, answer.schema)


def _handled(handler: Handler) -> dict[str, Any]:
    """What a handler takes, as it says itself."""
    headers = [_text(name, "header", meaning) for name, meaning in handler.described.headers.items()]
    made: dict[str, Any] = {"parameters": [*(_text(name, "path", "") for name in PARAMETER.findall(handler.path)), *headers]}
    if handler.described.body:
        made["requestBody"] = {"required": True, **_body(dict(handler.described.body), handler.described.media_type)}
    return made


def _text(name: str, place: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "description": meaning, "schema": {"type": "string"}}


def _body(schema: Schema, media_type: str = "application/json") -> dict[str, Any]:
    return {"content": {media_type: {"schema": schema}}}


def _unfold(value: Any, stand_in: Any, schema: Schema) -> Schema:
    if value is stand_in:
        return schema
    if isinstance(value, Member):
        return value.schema
    if isinstance(value, dict):
        required = [name for name, each in value.items() if not isinstance(each, Member) or each.is_required]
        properties = {name: _unfold(each, stand_in, schema) for name, each in value.items()}
        return {"type": "object", "properties": properties, "required": required}
    return {"type": "string", "examples": [value]} if isinstance(value, str) else spelled(value) if value is not None else {}


def _meant(value: ValueNode, taker: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, VariableNode):
        yield value.name.value, taker.description or ""
    elif isinstance(value, ObjectValueNode):
        fields = get_named_type(taker.type).fields
        for each in value.fields:
            yield from _meant(each.value, fields[each.name.value])


def _node(document: Any) -> OperationDefinitionNode:
    node = document.definitions[0]
    assert isinstance(node, OperationDefinitionNode)  # noqa: S101 - an operation comes first
    return node


def _fields(selections: SelectionSetNode) -> list[FieldNode]:
    return [each for each in selections.selections if isinstance(each, FieldNode)]


def _root_fields(endpoint: Endpoint) -> list[str]:
    return list(dict.fromkeys(each.name.value for each in _fields(_node(endpoint.replacement).selection_set)))


def _tag(route: Route) -> str:
    """The domain: the file that the document stands in, or what a handler's path says."""
    where = route.where if isinstance(route, Endpoint) else route.path.removeprefix("/api")
    found = re.search(r"(\w+)\.graphql", where) or re.search(r"(\w+)", where)
    return found[1] if found else "other"
