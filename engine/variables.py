"""Variables are checked before anything runs, and refused field by field, without repeating what was sent: it may be a password."""

import re
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    type_from_ast,
)

from errors import BadUserInput

MOST = 20


def check_variables(schema: GraphQLSchema, operation: OperationDefinitionNode, given: dict[str, Any]) -> None:
    """Let variables of the right shape pass; BadUserInput names the others, by the innermost field that is wrong."""
    refused: dict[str, str] = {}
    for each in operation.variable_definitions or ():
        name = each.variable.name.value
        if name in given or not each.default_value:
            _check(given.get(name), type_from_ast(schema, each.type), name, refused)
    if refused:
        refusal = BadUserInput()
        refusal.fields.update({_python(name): text for name, text in list(refused.items())[:MOST]})
        raise refusal


def _check(value: Any, kind: Any, name: str, refused: dict[str, str]) -> None:
    if is_non_null_type(kind):
        if value is None:
            refused[name] = "This field is required."
        kind = kind.of_type
    if value is None:
        return
    if is_list_type(kind):
        for each in value if isinstance(value, list) else [value]:
            _check(each, kind.of_type, name, refused)
    elif is_input_object_type(kind):
        _check_object(value, kind, name, refused)
    else:
        _check_leaf(value, kind, name, refused)


def _check_object(value: Any, kind: GraphQLInputObjectType, name: str, refused: dict[str, str]) -> None:
    if not isinstance(value, dict):
        refused[name] = "This must be an object."
        return
    refused.update({unknown: "There is no such field." for unknown in value if unknown not in kind.fields})
    for inner, field in kind.fields.items():
        if inner in value or is_required_input_field(field):
            _check(value.get(inner), field.type, inner, refused)


def _check_leaf(value: Any, kind: Any, name: str, refused: dict[str, str]) -> None:
    try:
        if kind.coerce_input_value(value) is Undefined:
            refused[name] = f"This is not a valid {kind.name}."
    except GraphQLError:
        refused[name] = f"This is not a valid {kind.name}."
    except ValueError as error:
        refused[name] = str(error)


def _python(name: str) -> str:
    """A name of GraphQL as Python spells it."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
