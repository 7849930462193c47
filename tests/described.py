"""Holds real answers of older systems against the OpenAPI that is derived for them."""

import json
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator, FormatChecker
from starlette.applications import Starlette

from rest_compat.doors import Doors
from rest_compat.openapi import as_json, describe
from rest_compat.routes import Socket
from rest_compat.system import System

_documents: dict[str, dict[str, Any]] = {}


def document_of(system: System) -> dict[str, Any]:
    """The OpenAPI document of a system behind its prefix."""
    if system.name not in _documents:
        _documents[system.name] = json.loads(as_json(describe(system, server=f"/{system.name}")))
    return _documents[system.name]


def as_described(app: Starlette) -> Callable[[httpx2.Response], Awaitable[None]]:
    """A hook that fails on an answer which its system's OpenAPI does not describe."""

    async def check(response: httpx2.Response) -> None:
        doors: Doors = app.state.doors
        owner, path = doors.owner({"path": response.request.url.path, "headers": []}, response.request.url.path)
        if owner is None or response.status_code in (302, 304, 405):
            return
        found = doors.find([owner], response.request.method, path)
        if found is None or isinstance(found.route, Socket):
            return
        await response.aread()
        document_of(owner)
        validator = _validator(owner.name, found.route.path, found.route.method.lower(), str(response.status_code))
        wrong = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(response.json())]
        assert wrong == [], f"{found.route.name} {response.status_code} is described otherwise: {wrong}\n{response.text}"

    return check


@cache
def _validator(system: str, path: str, method: str, status: str) -> Draft202012Validator:
    document = _documents[system]
    responses = document["paths"][path][method]["responses"]
    response = responses.get(status, responses["default"])
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = {**response["content"]["application/json"]["schema"], "components": document["components"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())
