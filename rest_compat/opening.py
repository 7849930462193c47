"""Bringing the older systems up: every folder with a dialect is one, and deleting the folder removes it."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from graphql import GraphQLSchema

from engine.execute import Engine
from rest_compat.dialect import Dialect
from rest_compat.doors import Doors
from rest_compat.endpoint import Endpoint, read_endpoints
from rest_compat.routes import AnyRoute
from rest_compat.system import System
from rest_compat.usage import Usage
from settings import Settings

HERE = Path(__file__).parent


def open_doors(settings: Settings, engine: Engine, usage: Usage) -> Doors:
    """The doors of all systems over the raw engine; WrongDocument when a document contradicts the schema."""
    names = _in_order([each.parent.name for each in HERE.glob("*/dialect.py")], settings.rest_order.split(","))
    hosts = dict(each.strip().split("=") for each in settings.rest_hosts.split(",") if each.strip())
    return Doors([_system(name, engine, usage) for name in names], hosts=hosts, ports={settings.crm_port: "crm"})


def _system(name: str, engine: Engine, usage: Usage) -> System:
    dialect: Dialect = import_module(f"rest_compat.{name}.dialect").DIALECT
    routes: list[AnyRoute] = [*_endpoints(name, engine.schema)]
    if find_spec(f"rest_compat.{name}.handlers"):
        routes += import_module(f"rest_compat.{name}.handlers").ROUTES
    return System(dialect, routes, engine, usage)


@cache
def _endpoints(name: str, schema: GraphQLSchema) -> list[Endpoint]:
    """A system's documents, read and checked once for a schema."""
    dialect: Dialect = import_module(f"rest_compat.{name}.dialect").DIALECT
    return read_endpoints(HERE / name, schema, spell_enum=dialect.spelling.enum)


def _in_order(names: Sequence[str], order: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))
