"""Reading what an old client sends: path, query and body become the variables of an operation, under their old names."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputType,
    Undefined,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)
from graphql.utilities import validate_input_value
from starlette.requests import Request

from engine.guard import check_values, parse_json
from errors import BadUserInput, MalformedRequest
from rest_compat.endpoint import Endpoint, Variable, python_name

WHOLE = re.compile(r"[+-]?\d{1,19}")
NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?")
TRUTHS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}

REQUIRED = "This field is required"
EMPTY = "This field may not be null."
SENTENCES = {
    "Int": "A whole number is needed.",
    "Float": "A number is needed.",
    "Boolean": "true or false is needed.",
    "String": "A text is needed.",
    "ID": "This is not an id.",
}

Loosen = Callable[[Any, str], Any]


def bad_fields(fields: dict[str, str]) -> BadUserInput:
    """The refusal of fields by the client's names, which may be any words, `message` too."""
    error = BadUserInput()
    error.fields = fields
    return error


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, none when it is empty; MalformedRequest for anything else."""
    if not body.strip():
        return {}
    value = parse_json(body)
    if not isinstance(value, dict):
        raise MalformedRequest("The body must be a JSON object.")
    return value


def given(endpoint: Endpoint, request: Request, path: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    """What the client sent for each variable: the path wins over the body, the body over the query; the rest is ignored."""
    query = request.query_params
    found: dict[str, Any] = {}
    for variable in endpoint.variables:
        name = variable.name
        if name in path:
            found[name] = path[name]
        elif name in body:
            found[name] = body[name]
        elif name in query:
            values = query.getlist(name)
            if _is_list(variable.type):
                found[name] = values
            elif values[-1] != "" or get_named_type(variable.type).name == "String":
                found[name] = values[-1]
    return found


def read_variables(endpoint: Endpoint, sent: Mapping[str, Any], *, page_maximum: int, loosen: Loosen) -> dict[str, Any]:
    """The operation's variables; BadUserInput names each bad one as the client knows it."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for variable in endpoint.variables:
        name = variable.name
        value = sent.get(name, Undefined)
        if value is None and not is_non_null_type(variable.type) and variable.has_default:
            continue
        if value is Undefined:
            if is_non_null_type(variable.type) and not variable.has_default:
                wrong[name] = REQUIRED
            continue
        value = _normal(value, variable.type, loosen)
        if problem := _problem(value, variable.type):
            wrong[name] = problem
        else:
            values[name] = _clamped(value, variable, page_maximum)
    if endpoint.page_number and isinstance(values.get(endpoint.page_number), int):
        values[endpoint.page_number] = max(1, values[endpoint.page_number])
    if wrong:
        raise bad_fields(wrong)
    return values


def _clamped(value: Any, variable: Variable, maximum: int) -> Any:
    return min(max(1, value), maximum) if variable.is_page_size and isinstance(value, int) else value


def _is_list(kind: GraphQLInputType) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def _normal(value: Any, kind: GraphQLInputType, loosen: Loosen) -> Any:
    """A value as GraphQL would have it: texts become what their type asks for, enums are found in any case."""
    if is_non_null_type(kind):
        kind = kind.of_type
    if value is None:
        return None
    if is_list_type(kind):
        return [_normal(each, kind.of_type, loosen) for each in value] if isinstance(value, list) else value
    if is_input_object_type(kind):
        if not isinstance(value, dict):
            return value
        # Old clients spell nested fields with underscores, as they do all others.
        return {
            name: _normal(value[sent], field.type, loosen)
            for name, field in kind.fields.items()
            for sent in {name, python_name(name)}
            if sent in value
        }
    if is_enum_type(kind):
        return _member(value, kind.values)
    name = get_named_type(kind).name
    return loosen(_from_text(value, name) if isinstance(value, str) else value, name)


def _member(value: Any, members: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        wanted = value.strip().upper().replace("-", "_").replace(" ", "_")
        return wanted if wanted in members else value
    return value


def _from_text(value: str, kind: str) -> Any:
    text = value.strip()
    if kind == "Int" and WHOLE.fullmatch(text):
        return int(text)
    if kind == "Float" and NUMBER.fullmatch(text):
        return float(text)
    if kind == "Boolean":
        return TRUTHS.get(text.lower(), value)
    return value


def _problem(value: Any, kind: GraphQLInputType) -> str | None:
    """What is wrong with a value, in one sentence."""
    if value is None and is_non_null_type(kind):
        return EMPTY
    try:
        check_values(value)
    except BadUserInput as refusal:
        return refusal.message
    found: list[tuple[GraphQLError, list[str | int]]] = []
    validate_input_value(value, kind, lambda error, path: found.append((error, path)), hide_suggestions=True)
    if not found:
        return None
    error, path = found[0]
    sentence = _sentence(error, kind)
    return f"{'.'.join(map(str, path))}: {sentence}" if path else sentence


def _sentence(error: GraphQLError, kind: GraphQLInputType) -> str:
    named = get_named_type(kind)
    if is_enum_type(named):
        return f"This must be one of: {', '.join(name.lower() for name in named.values)}."
    if _is_list(kind) and "list" in error.message.lower():
        return "A list is needed."
    if named.name in SENTENCES:
        return SENTENCES[named.name]
    original = error.original_error
    return str(original) if original and str(original) else f"This is not a {named.name}."
