"""CoreSync's old clients: the documented routes, and answers with the documented keys and types."""

import json
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, parse, validate

from engine.execute import Engine
from rest_compat.doors import Doors
from rest_compat.endpoint import Endpoint
from rest_compat.opening import open_doors
from rest_compat.usage import Usage
from settings import Settings

CONTRACT = json.loads((Path(__file__).parent / "contract" / "coresync.json").read_text())

# Endpoints that are still to come. This list only ever gets shorter.
TO_COME: set[str] = set()


@pytest.fixture(scope="module")
def doors(settings: Settings) -> Doors:
    return open_doors(settings, Engine(settings, raw=True), Usage())


def test_routes_equal_the_contract_in_both_directions(doors: Doors) -> None:
    documented = {(each["method"], each["path"]) for each in CONTRACT["endpoints"] if each["id"] not in TO_COME}
    documented |= {("WS", "/ws/iot/room-{number}/"), ("WS", "/ws/bookings/")}
    assert {(each.method, each.path) for each in doors.routes() if each.system == "coresync"} == documented
    assert {each["id"] for each in CONTRACT["endpoints"]} >= TO_COME


NEEDS_TOKEN = "coresync.auth.biometric-register"
"""The document shows no token, but without one nobody could say whose face it is."""


def test_whoever_needs_no_sign_in_is_as_documented(doors: Doors) -> None:
    table = doors.systems["coresync"].table
    for each in CONTRACT["endpoints"]:
        if each["id"] not in TO_COME:
            route: Any = table.exact(each["path"]).get(each["method"]) or next(
                routes[each["method"]]
                for routes, _ in table.matching(each["path"].replace("{", "").replace("}", ""))
                if each["method"] in routes
            )
            assert route.is_open == (each["auth"] == "none" and each["id"] != NEEDS_TOKEN), each["id"]


def test_documented_inputs_are_variables(doors: Doors) -> None:
    endpoints = {(each.method, each.path): each for each in doors.systems["coresync"].table.routes if isinstance(each, Endpoint)}
    for each in CONTRACT["endpoints"]:
        if endpoint := endpoints.get((each["method"], each["path"])):
            names = {variable.name for variable in endpoint.variables}
            assert names >= {*each["query"], *(each["request"] or {})} - IGNORED, each["id"]


IGNORED: set[str] = set()


def test_every_operation_that_replaces_an_endpoint_is_valid_for_graphql_clients(settings: Settings, doors: Doors) -> None:
    schema: GraphQLSchema = Engine(settings).schema
    for each in doors.systems["coresync"].table.routes:
        if isinstance(each, Endpoint):
            assert validate(schema, parse(each.text)) == [], each.name
