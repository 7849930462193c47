"""Imports point one way, so that whoever changes a layer knows who may notice."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations import ROOT

MAY_IMPORT = {
    "models": set(),
    "gateways": {"models"},
    "subscriptions": {"models"},
    "resolvers": {"models", "gateways", "subscriptions", "jobs.queue"},
    "jobs": {"models", "subscriptions", "resolvers"},
    "schema": {"models", "resolvers"},
    "engine": {"models", "gateways", "subscriptions", "resolvers", "schema"},
    "rest_compat": {"models", "subscriptions", "resolvers", "schema", "engine"},
    "demo": {"models", "gateways", "resolvers", "engine"},
    "web": {"models", "subscriptions", "jobs.queue", "resolvers", "schema", "engine", "rest_compat"},
}
"""What a layer may import besides itself, settings, errors and the clock. Programs at the top join all of them."""


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in MAY_IMPORT:
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_imports_point_one_way(layer: str) -> None:
    wrong = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / layer).rglob("*.py")
        for name in imported(file)
        if (first := name.split(".")[0]) in MAY_IMPORT and first != layer and not {first, name} & MAY_IMPORT[layer]
    }
    assert wrong == set()


def test_every_layer_is_named_here() -> None:
    packages = {each.parent.name for each in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages == set(MAY_IMPORT)


def test_the_core_never_hears_of_http() -> None:
    doors = ("starlette", "uvicorn", "strawberry.asgi")
    heard = {
        f"{file.relative_to(ROOT)} imports {name}"
        for layer in ("models", "resolvers", "subscriptions", "jobs")
        for file in (ROOT / layer).rglob("*.py")
        for name in imported(file)
        if name.startswith(doors)
    }
    assert heard == set()
