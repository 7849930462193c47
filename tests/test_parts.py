"""@defer and @stream: in parts for who reads multipart/mixed, whole for everybody else."""

import asyncio
from typing import Any

import httpx2
import orjson
import pytest
from starlette.applications import Starlette

from models.database import Database
from tests.sockets import talking
from tests.worlds import make_spa

MULTIPART = {"Accept": "multipart/mixed;incrementalSpec=v0.2, application/json"}
DEFERRED = 'query($now: Boolean = true) { rooms { totalCount ... @defer(if: $now, label: "later") { nodes { name } } } }'
STREAMED = "{ rooms { nodes @stream(initialCount: 1) { name } } }"


@pytest.fixture(autouse=True)
async def rooms(database: Database) -> list[str]:
    """The names of the rooms there are."""
    spa = await make_spa(database)
    return sorted(each.name for each in spa.rooms)


async def parts(client: httpx2.AsyncClient, query: str, **variables: Any) -> list[Any]:
    answer = await client.post("/graphql", json={"query": query, "variables": variables}, headers=MULTIPART)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == 'multipart/mixed; boundary="-"; incrementalSpec=v0.2'
    preamble, *bodies, end = answer.content.split(b"\r\n---")
    assert (preamble, end) == (b"", b"--\r\n")
    read = []
    for each in bodies:
        head, _, body = each.partition(b"\r\n\r\n")
        assert head == b"\r\nContent-Type: application/json; charset=utf-8"
        read.append(orjson.loads(body))
    return read


async def test_a_deferred_fragment_comes_in_a_part_of_its_own(client: httpx2.AsyncClient, rooms: list[str]) -> None:
    first, *others = await parts(client, DEFERRED)
    assert first == {
        "data": {"rooms": {"totalCount": len(rooms)}},
        "pending": [{"id": "0", "path": ["rooms"], "label": "later"}],
        "hasNext": True,
    }
    [last] = others
    assert last["hasNext"] is False
    assert last["completed"] == [{"id": "0"}]
    [told] = last["incremental"]
    assert sorted(each["name"] for each in told["data"]["nodes"]) == rooms


async def test_streamed_items_come_one_after_the_other(client: httpx2.AsyncClient, rooms: list[str]) -> None:
    first, *others = await parts(client, STREAMED)
    assert len(first["data"]["rooms"]["nodes"]) == 1
    later = [item for part in others for each in part.get("incremental", ()) for item in each["items"]]
    assert sorted(each["name"] for each in [*first["data"]["rooms"]["nodes"], *later]) == rooms
    assert others[-1]["hasNext"] is False


async def test_what_a_condition_does_not_defer_comes_whole(client: httpx2.AsyncClient, rooms: list[str]) -> None:
    answer = await client.post("/graphql", json={"query": DEFERRED, "variables": {"now": False}}, headers=MULTIPART)
    assert answer.headers["content-type"].startswith("application/json")
    assert sorted(each["name"] for each in answer.json()["data"]["rooms"]["nodes"]) == rooms


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "multipart/mixed;deferSpec=20220824,application/json", "multipart/mixed;q=0, */*"]
)
@pytest.mark.parametrize("query", [DEFERRED, STREAMED])
async def test_who_does_not_read_parts_gets_the_answer_whole(client: httpx2.AsyncClient, rooms: list[str], query: str, accept: str) -> None:
    answer = await client.post("/graphql", json={"query": query}, headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/json")
    assert sorted(each["name"] for each in answer.json()["data"]["rooms"]["nodes"]) == rooms


async def test_a_socket_gets_the_answer_whole(server: str, rooms: list[str]) -> None:
    async with talking(server) as talk:
        await talk.ask(DEFERRED)
        heard = await talk.hear()
        assert sorted(each["name"] for each in heard["payload"]["data"]["rooms"]["nodes"]) == rooms


async def test_errors_in_a_part_are_coded(client: httpx2.AsyncClient) -> None:
    first, last = await parts(client, "{ __typename ... @defer { me { email } } }")
    assert first["data"] == {"__typename": "Query"}
    assert [each["errors"][0]["extensions"] for each in last["completed"]] == [{"code": "UNAUTHENTICATED"}]


async def test_unexpected_failures_in_a_part_are_masked(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("engine.read.Reading.answer", fail)
    _, last = await parts(client, "{ __typename ... @defer { rooms { totalCount } } }")
    [error] = [error for each in last["completed"] for error in each["errors"]]
    assert (error["message"], error["extensions"]["code"]) == ("Unexpected server error.", "UNKNOWN_ERROR")


async def test_parts_that_take_too_long_are_told_as_failed(
    client: httpx2.AsyncClient, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.state.runtime.engine.settings = app.state.runtime.settings.model_copy(update={"operation_timeout": 0.3})

    async def sleep(*_: object) -> None:
        await asyncio.sleep(5)

    monkeypatch.setattr("engine.read.Reading.answer", sleep)
    first, last = await parts(client, "{ __typename ... @defer { rooms { totalCount } } }")
    assert last == {
        "completed": [
            {
                "id": first["pending"][0]["id"],
                "errors": [{"message": "The operation took too long.", "extensions": {"code": "UNAVAILABLE"}}],
            }
        ],
        "hasNext": False,
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("mutation { ... @defer { signOut { ended } } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ rooms @stream { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { ... @defer { __typename } } query B { __typename }", "BAD_USER_INPUT"),
    ],
)
async def test_a_wrong_document_is_refused_before_any_part(client: httpx2.AsyncClient, query: str, code: str) -> None:
    answer = await client.post("/graphql", json={"query": query}, headers=MULTIPART)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["errors"][0]["extensions"]["code"] == code
