"""Operations cost points, callers have budgets, and both are told."""

from typing import Any

import httpx2
import pytest
from graphql import get_introspection_query, parse

from engine.cost import Price
from engine.execute import Engine
from settings import Settings
from tests.sockets import talking

ENGINE = Engine(Settings(_env_file=None))  # type: ignore[call-arg]


def points(text: str, **variables: Any) -> int:
    document = parse(text)
    return Price(ENGINE.schema, document, document.definitions[0]).with_variables(variables)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ __typename }", 1),
        ("{ __schema { types { fields { name } } } }", 100),
        ("{ services { nodes { name } } }", 20),
        ("{ services { totalCount pageInfo { total } } }", 1),
        ("{ services(first: 50) { nodes { name category { name } } } }", 100),
        ("{ services(first: 50) { edges { node { name category { name } } } } }", 100),
        ("{ services(first: 50) { nodes { name addons { name } } } }", 50 * 11),
        ("{ services(first: 1000000) { nodes { name } } }", 100),
        ("{ a: services { nodes { ...S } } b: services { nodes { ...S } } } fragment S on Service { category { name } }", 80),
        ("mutation { signOut { ended } }", 11),
    ],
)
def test_an_object_costs_a_point_times_the_lists_around_it(text: str, expected: int) -> None:
    assert points(text) == expected


@pytest.mark.parametrize(("given", "expected"), [({}, 30), ({"n": 7}, 7), ({"n": 10**9}, 100), ({"n": -5}, 1), ({"n": "x"}, 20)])
def test_a_variable_sizes_a_list(given: dict[str, Any], expected: int) -> None:
    assert points("query($n: Int = 30) { services(first: $n) { nodes { name } } }", **given) == max(1, expected)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"cost_budget_strangers": 200, "max_cost": 2000})


SERVICES = "query($n: Int) { services(first: $n) { nodes { name } } }"


async def test_a_budget_is_spent_told_and_refused(client: httpx2.AsyncClient) -> None:
    asked = {"query": SERVICES, "variables": {"n": 40}, "extensions": {"cost": True}}
    first = await client.post("/graphql", json=asked)
    assert first.json()["extensions"]["cost"] == {"requested": 40, "remaining": 160, "limit": 200, "resetSeconds": 60}
    assert first.headers["RateLimit-Policy"] == '"cost";q=200;w=60'
    assert first.headers["RateLimit"] == '"cost";r=160;t=60'
    for _ in range(3):
        await client.post("/graphql", json=asked | {"variables": {"n": 47}})
    refused = await client.post("/graphql", json=asked)
    assert refused.status_code == 429
    (error,) = refused.json()["errors"]
    assert error["extensions"]["code"] == "COST_EXCEEDED"
    assert (error["extensions"]["requested"], error["extensions"]["remaining"]) == (40, 19)
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert "extensions" not in (await client.post("/graphql", json={"query": SERVICES, "variables": {"n": 19}})).json()


async def test_what_costs_more_than_anything_may_is_refused_whatever_is_left(client: httpx2.AsyncClient) -> None:
    text = "{ services(first: 100) { nodes { category { name } a: addons { name } b: addons { name } } } }"
    refused = await client.post("/graphql", json={"query": text})
    assert refused.json()["errors"][0]["extensions"] == {"code": "COST_EXCEEDED", "requested": 2200, "maximum": 2000}


async def test_a_socket_spends_the_same_budget(server: str) -> None:
    async with talking(server) as talk:
        for number in range(4):
            await talk.ask(SERVICES, str(number), n=50)
            assert (await talk.hear())["type"] == "next"
            assert (await talk.hear())["type"] == "complete"
        await talk.ask(SERVICES, "5", n=50)
        assert await talk.refusal("5") == "COST_EXCEEDED"


async def test_tools_may_ask_for_the_whole_schema_of_a_demo(client: httpx2.AsyncClient) -> None:
    for _ in range(2):
        answer = await client.post("/graphql", json={"query": get_introspection_query()})
        assert {"Query", "Mutation"} <= {each["name"] for each in answer.json()["data"]["__schema"]["types"]}
