"""What holds for the whole project, read from its source and its schema."""

import ast
import importlib
import inspect
from pkgutil import iter_modules
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

import resolvers
from migrations import ROOT
from models.base import Model
from resolvers.operations import Operation
from schema.enums import meaning
from schema.fields import OperationField
from schema.root import Mutation, OlderMutation, Query, Subscription, build_schema
from tests.test_layers import imported

SOURCES = sorted(
    path
    for path in (*ROOT.glob("*.py"), *(path for each in ROOT.glob("*/__init__.py") for path in each.parent.rglob("*.py")))
    if path.is_relative_to(ROOT)
)
LONGEST_FILE = 500
NEVER_NAMES = {"utils", "misc", "common", "manager", "helpers"}
WITHOUT_SCHEMA = {"handle_stripe_webhook", "get_followed_room"}
"""Operations of doors that speak no GraphQL: webhooks of providers, and WebSockets of older systems."""


def test_resolvers_know_of_subscriptions_only_facts() -> None:
    """What is announced, and in which form; never how it is carried."""
    used = {(path.name, name) for path in (ROOT / "resolvers").rglob("*.py") for name in imported(path)}
    carried = {"subscriptions.bus", "subscriptions.stream"}
    assert [each for each in sorted(used) if each[1] in carried] == []


def operations() -> dict[str, Operation]:
    """Every operation that resolvers declare, by name."""
    found: dict[str, Operation] = {}
    for each in iter_modules(resolvers.__path__, "resolvers."):
        module = importlib.import_module(each.name)
        for name, value in vars(module).items():
            if isinstance(value, Operation) and value.function.__module__ == each.name:
                assert value.name == name
                assert found.setdefault(name, value) is value, f"two operations are called {name}"
    return found


def root_fields() -> list[OperationField]:
    build_schema()
    roots: tuple[Any, ...] = (Query, Mutation, OlderMutation, Subscription)
    fields = [each for root in roots for each in root.__strawberry_definition__.fields]
    assert all(isinstance(each, OperationField) for each in fields)
    return fields


def test_every_operation_says_who_may_and_what_it_does() -> None:
    for name, operation in operations().items():
        assert operation.who, f"nobody may {name}"
        assert operation.description.endswith("."), f"{name} has no sentence"
        first, *others = inspect.signature(operation.function).parameters.values()
        assert first.name == "ctx"
        assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in others), f"{name} takes positional arguments"


def test_every_root_field_is_an_operation_and_every_operation_has_a_door() -> None:
    shown = {field.operation.name for field in root_fields()}
    assert {field.operation.function for field in root_fields()} <= {each.function for each in operations().values()}
    assert set(operations()) - shown == WITHOUT_SCHEMA


@pytest.mark.parametrize("for_older_systems", [False, True])
def test_everything_in_the_schema_is_described(*, for_older_systems: bool) -> None:
    missing = []
    for name, found in build_schema(for_older_systems=for_older_systems)._schema.type_map.items():
        if name.startswith("__"):
            continue
        if not found.description:
            missing.append(name)
        if isinstance(found, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in found.fields.items():
                if not field.description:
                    missing.append(f"{name}.{field_name}")
                missing += [f"{name}.{field_name}({each})" for each, about in getattr(field, "args", {}).items() if not about.description]
        if isinstance(found, GraphQLEnumType):
            assert found.values
            missing += [f"{name}.{each}" for each, value in found.values.items() if not value.description]
    assert missing == []


def test_no_enum_describes_a_value_that_it_does_not_have() -> None:
    for found in build_schema(for_older_systems=True)._schema.type_map.values():
        if isinstance(found, GraphQLEnumType) and not found.name.startswith("__"):
            _, values = meaning(found.extensions["strawberry-definition"].wrapped_cls)
            assert set(values) == set(found.values), found.name


def test_every_table_and_every_module_says_what_it_is() -> None:
    assert [each.class_.__name__ for each in Model.registry.mappers if not each.class_.__dict__.get("__doc__")] == []
    silent = [path for path in SOURCES if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_files_are_short_and_named_after_a_thing() -> None:
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= LONGEST_FILE, path
        assert path.stem not in NEVER_NAMES, path


def test_packages_hide_nothing() -> None:
    assert not (ROOT / "alembic/__init__.py").exists()  # it would hide the library
    for path in ROOT.glob("*/__init__.py"):
        assert path.parent.name == "models" or path.read_text() == "", path
