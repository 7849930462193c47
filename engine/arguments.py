"""Variables and arguments, read by functions that are made once for a document: whatever is odd is left to the reference executor."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    coerce_input_literal,
    coerce_input_value,
    get_nullable_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    type_from_ast,
)
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryList, StrawberryOptional, has_object_definition

from engine.shapes import Shapes
from engine.shaping import Unusual
from errors import BadUserInput
from models.keys import Key
from schema.fields import OperationField, key_table

Read = Callable[[Any], Any]
MISSING = object()
LARGEST_INT = 2**31


def variables_of(schema: GraphQLSchema, operation: OperationDefinitionNode) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The function that coerces an operation's variables; Unusual when one of them is not as it should be."""
    readers: list[tuple[str, Read, Any, bool]] = []
    for each in operation.variable_definitions or ():
        kind: Any = type_from_ast(schema, each.type)
        default = MISSING if each.default_value is None else coerce_input_literal(each.default_value, kind)
        readers.append((each.variable.name.value, reader_of(kind), default, is_non_null_type(kind)))

    def read(given: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, reader, default, is_required in readers:
            if name in given:
                found[name] = reader(given[name])
            elif default is not MISSING:
                found[name] = default
            elif is_required:
                raise Unusual
        return found

    return read


def reader_of(kind: Any) -> Read:
    """How a value of a type is coerced."""
    if is_non_null_type(kind):
        inner = reader_of(kind.of_type)
        return lambda value: _odd() if value is None else inner(value)
    if is_list_type(kind):
        each = reader_of(kind.of_type)
        return lambda value: None if value is None else [each(one) for one in value] if isinstance(value, list) else [each(value)]
    if kind.name in BUILT_IN:
        return BUILT_IN[kind.name]
    return lambda value: None if value is None else _coerced(value, kind)


def _coerced(value: Any, kind: Any) -> Any:
    try:
        found = kind.coerce_input_value(value) if is_leaf_type(kind) else coerce_input_value(value, kind)
    except (GraphQLError, ValueError, TypeError):
        raise Unusual from None
    return _odd() if found is Undefined else found


def _odd() -> Any:
    raise Unusual


def _int(value: Any) -> Any:
    return value if value is None or (type(value) is int and -LARGEST_INT <= value < LARGEST_INT) else _odd()


def _text(value: Any) -> Any:
    return value if value is None or type(value) is str else _odd()


def _id(value: Any) -> Any:
    return str(value) if type(value) is int else _text(value)


def _truth(value: Any) -> Any:
    return value if value is None or type(value) is bool else _odd()


def _float(value: Any) -> Any:
    return float(value) if type(value) in (int, float) else None if value is None else _odd()


BUILT_IN: dict[str, Read] = {"Int": _int, "String": _text, "ID": _id, "Boolean": _truth, "Float": _float}


def arguments_of(shapes: Shapes, name: str, field: OperationField, node: FieldNode) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The function that makes an operation's arguments of a request's variables, as Python knows them."""
    root = shapes.schema._schema.type_map[name]
    declared = root.fields[node.name.value].args  # type: ignore[attr-defined]
    written = {each.name.value: each.value for each in node.arguments or ()}
    convert = python_arguments(shapes, field)
    readers: list[tuple[str, Read, bool]] = []
    for spoken, argument in declared.items():
        if spoken in written:
            default = argument.default.value if argument.default is not None else MISSING
            readers.append((spoken, _value(written[spoken], argument.type, default), is_required_argument(argument)))

    def read(variables: Mapping[str, Any]) -> dict[str, Any]:
        given = {}
        for spoken, reader, is_required in readers:
            value = reader(variables)
            if value is not MISSING:
                given[spoken] = value
            elif is_required:
                raise Unusual
        return convert(given)

    return read


def _value(node: Any, kind: Any, default: Any) -> Read:
    """How a value that stands in the document is read: at once if it is constant."""
    if isinstance(node, VariableNode):
        name, must = node.name.value, is_non_null_type(kind)

        def from_variable(variables: Mapping[str, Any]) -> Any:
            value = variables.get(name, default)
            return _odd() if must and value is None else value

        return from_variable
    if not _has_variables(node):
        constant = coerce_input_literal(node, kind)
        if constant is Undefined:
            raise Unusual
        return lambda _: constant
    kind = get_nullable_type(kind)
    if isinstance(node, ObjectValueNode) and is_input_object_type(kind):
        inner = [(each.name.value, _value(each.value, kind.fields[each.name.value].type, MISSING)) for each in node.fields]

        def from_object(variables: Mapping[str, Any]) -> Any:
            read = ((name, reader(variables)) for name, reader in inner)
            return {name: value for name, value in read if value is not MISSING}

        return from_object
    raise Unusual  # a list with variables in it is rare enough


def _has_variables(node: Any) -> bool:
    if isinstance(node, ObjectValueNode):
        return any(_has_variables(each.value) for each in node.fields)
    if isinstance(node, ListValueNode):
        return any(_has_variables(each) for each in node.values)
    return isinstance(node, VariableNode)


def python_arguments(shapes: Shapes, field: OperationField) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """How to turn coerced arguments into an operation's: names as Python spells them, inputs as their classes, ids as keys."""
    config, registry = shapes.schema.config, shapes.schema.schema_converter.scalar_registry
    tables = {name: key_table(each.annotation) for name, each in field.operation.parameters.items()}
    shown = {name: shapes.names_of(table) for name, table in tables.items() if table}
    convert: dict[str, tuple[str, Read | None]] = {}
    for each in field.arguments:
        name = each.python_name
        reader: Read | None = None
        if name in shown:
            reader = _key_reader(shown[name], name)
        elif _holds_input(each.type):
            reader = _input_reader(each.type, registry, config)
        convert[config.name_converter.from_argument(each)] = (name, reader)

    def read(given: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for spoken, value in given.items():
            name, reader = convert[spoken]
            found[name] = value if reader is None or value is None else reader(value)
        return found

    return read


def _holds_input(kind: Any) -> bool:
    while isinstance(kind, StrawberryOptional | StrawberryList):
        kind = kind.of_type
    return has_object_definition(kind)


def _input_reader(kind: Any, registry: Any, config: Any) -> Read:
    return lambda value: convert_argument(value, kind, registry, config)


def _key_reader(types: set[str], name: str) -> Read:
    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(each) for each in value]
        key: Key[Any] = Key.parse(value, name)
        if key.type_name is not None and key.type_name not in types:
            raise BadUserInput(**{name: f"This is not an id of {' or '.join(sorted(types))}."})
        return key

    return read
