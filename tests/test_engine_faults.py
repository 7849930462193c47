"""What the comparison of the engine with its reference has found, each by a plain example."""

from typing import Any

import orjson
import pytest

from engine.answers import written
from engine.execute import Engine
from models.database import Database
from resolvers.context import Context
from settings import Settings
from tests.comparing import VIEWERS


async def _answered(demo_url: str, settings: Settings, text: str, viewer: str = "admin", **variables: Any) -> dict[str, Any]:
    async with Database(demo_url, settings) as database:
        ctx = Context(settings, database, None, VIEWERS[viewer])  # type: ignore[arg-type]
        answer = await Engine(settings).run(text, ctx, variables=variables)
        return dict(orjson.loads(written(answer.body(ctx))))


def _codes(body: dict[str, Any]) -> list[str]:
    return [each["extensions"]["code"] for each in body.get("errors", ())]


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("query($o: ServiceOrder) { services(order: $o) { totalCount } }", {"o": None}),
        ("query($b: Boolean = true) { plans { id name @include(if: $b) } }", {"b": None}),
        ("query($b: Boolean = true) { plans { id name @skip(if: $b) } }", {"b": None}),
        ('{ services(after: "WyJ4IiwieCJd") { nodes { name } } }', {}),
        ('{ services(order: PRICE, after: "WyJ4IiwiMSJd") { nodes { name } } }', {}),
        ('{ services(order: NEWEST, after: "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OSJd") { nodes { name } } }', {}),
        ('{ service(slug: "a\\u0000") { name } }', {}),
        ('{ service(slug: "a\\u{0}") { name } }', {}),
        ('{ services(filter: {search: "\\u0000"}) { totalCount } }', {}),
    ],
)
async def test_what_cannot_be_is_refused_and_no_failure(demo_url: str, settings: Settings, text: str, variables: dict[str, Any]) -> None:
    assert _codes(await _answered(demo_url, settings, text, **variables)) == ["BAD_USER_INPUT"]


async def test_keys_come_in_the_order_of_the_document(demo_url: str, settings: Settings) -> None:
    page = "totalCount __typename edges { cursor node { name id } kind: __typename } pageInfo { total perPage } nodes { name }"
    body = await _answered(demo_url, settings, f"{{ services(first: 1) {{ {page} }} __typename }}")
    services = body["data"]["services"]
    assert list(body["data"]) == ["services", "__typename"]
    assert list(services) == ["totalCount", "__typename", "edges", "pageInfo", "nodes"]
    assert list(services["edges"][0]) == ["cursor", "node", "kind"]
    assert list(services["pageInfo"]) == ["total", "perPage"]


async def test_moments_end_in_z(demo_url: str, settings: Settings) -> None:
    body = await _answered(demo_url, settings, "{ plans { createdAt } }")
    assert body["data"]["plans"][0]["createdAt"].endswith("Z")
