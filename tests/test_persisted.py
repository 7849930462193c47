"""Documents that are named by their hash, and servers that run only those of a manifest."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from starlette.applications import Starlette

from engine import persisted
from engine.persisted import Persisted, WrongManifest, sha256
from settings import Settings
from tests.sockets import talking

QUERY = "query Name { __typename }"
OTHER = "query Other { __typename }"
ANSWER = {"data": {"__typename": "Query"}}


def named(text: str | None, **body: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text or "")}}, **body}


async def code(client: httpx2.AsyncClient, body: dict[str, Any]) -> str | None:
    answer = (await client.post("/graphql", json=body)).json()
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None


@pytest.fixture
def with_settings(app: Starlette) -> Callable[..., Persisted]:
    """Lets the app know documents under other settings."""

    def change(**changes: Any) -> Persisted:
        runtime = app.state.runtime
        runtime.persisted = Persisted(runtime.settings.model_copy(update=changes), runtime.engine.documents)
        made: Persisted = runtime.persisted
        return made

    return change


async def test_a_hash_is_known_once_its_text_was_sent(client: httpx2.AsyncClient) -> None:
    missing = await client.post("/graphql", json=named(QUERY))
    assert missing.status_code == 200
    assert missing.json()["errors"][0] == {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
    modern = await client.post("/graphql", json=named(QUERY), headers={"Accept": "application/graphql-response+json"})
    assert modern.status_code == 400
    assert (await client.post("/graphql", json=named(QUERY, query=QUERY))).json() == ANSWER
    assert (await client.post("/graphql", json=named(QUERY))).json() == ANSWER
    by_get = await client.get("/graphql", params={"extensions": orjson.dumps(named(QUERY)["extensions"]).decode()})
    assert by_get.json() == ANSWER


async def test_a_process_that_does_not_know_a_hash_learns_it_from_the_next_request(
    client: httpx2.AsyncClient, with_settings: Callable[..., Persisted]
) -> None:
    assert await code(client, named(QUERY, query=QUERY)) is None
    with_settings()  # as if another process answered from here on
    assert await code(client, named(QUERY)) == "PERSISTED_QUERY_NOT_FOUND"
    assert await code(client, named(QUERY, query=QUERY)) is None
    assert await code(client, named(QUERY)) is None


async def test_a_hash_of_something_else_is_refused_and_not_remembered(client: httpx2.AsyncClient) -> None:
    assert await code(client, named(OTHER, query=QUERY)) == "BAD_REQUEST"
    assert await code(client, named(OTHER)) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"version": 2, "sha256Hash": "0" * 64}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"version": 1, "sha256Hash": "short"}, "BAD_REQUEST"),
        ({"version": 1, "sha256Hash": 1}, "BAD_REQUEST"),
        ({"version": 1}, "BAD_REQUEST"),
        ("nonsense", "BAD_REQUEST"),
    ],
)
async def test_what_is_no_hash_is_refused(client: httpx2.AsyncClient, said: Any, refused: str) -> None:
    for body in ({}, {"query": QUERY}):
        assert await code(client, {"extensions": {"persistedQuery": said}, **body}) == refused


async def test_only_valid_documents_are_remembered(client: httpx2.AsyncClient) -> None:
    assert await code(client, named("{ no }", query="{ no }")) == "GRAPHQL_VALIDATION_FAILED"
    assert await code(client, named("{ no }")) == "PERSISTED_QUERY_NOT_FOUND"


async def test_the_least_used_documents_are_forgotten(
    client: httpx2.AsyncClient, with_settings: Callable[..., Persisted], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_settings(persisted_queries=2)
    texts = [f"query Q{number} {{ __typename }}" for number in range(3)]
    for text in (texts[0], texts[1], texts[0], texts[2]):
        assert await code(client, named(text, query=text)) is None
        assert await code(client, named(texts[0])) is None
    assert [await code(client, named(text)) for text in texts] == [None, "PERSISTED_QUERY_NOT_FOUND", None]
    monkeypatch.setattr(persisted, "BYTES_KEPT", 5000)
    long = f"{QUERY} #{'x' * 4900}"
    assert await code(client, named(long, query=long)) is None
    assert [await code(client, named(text)) for text in (texts[0], long)] == ["PERSISTED_QUERY_NOT_FOUND", None]


async def test_a_server_may_keep_none(client: httpx2.AsyncClient, with_settings: Callable[..., Persisted]) -> None:
    with_settings(persisted_queries=0)
    for body in (named(QUERY), named(QUERY, query=QUERY), {"documentId": "1"}):
        assert await code(client, body) == "PERSISTED_QUERY_NOT_SUPPORTED"


APOLLO = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "name-1", "name": "Name", "body": QUERY}]}
RELAY = {"name-1": QUERY}


@asynccontextmanager
async def trusting(folder: Path, manifest: Any, change: Callable[..., Persisted]) -> AsyncIterator[None]:
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    change(trusted_documents=str(folder / "manifest.json"))
    yield


@pytest.mark.parametrize("manifest", [APOLLO, RELAY], ids=["apollo", "relay"])
async def test_with_a_manifest_only_its_documents_run(
    client: httpx2.AsyncClient, server: str, with_settings: Callable[..., Persisted], tmp_path: Path, manifest: Any
) -> None:
    async with trusting(tmp_path, manifest, with_settings):
        for body in ({"documentId": "name-1"}, named(QUERY), named(QUERY, query=QUERY), {"query": QUERY}):
            assert await code(client, body) is None, body
        assert (await client.get("/graphql", params={"documentId": "name-1"})).json() == ANSWER
        for body in ({"documentId": "name-2"}, named(OTHER)):
            assert await code(client, body) == "PERSISTED_QUERY_NOT_FOUND"
        for body in ({"query": OTHER}, named(OTHER, query=OTHER), {"documentId": "name-1", "query": OTHER}):
            assert await code(client, body) == "DOCUMENT_NOT_TRUSTED"
        async with talking(server) as talk:
            await talk.ask(OTHER)
            assert await talk.refusal() == "DOCUMENT_NOT_TRUSTED"
            await talk.say({"id": "2", "type": "subscribe", "payload": {"documentId": "name-1"}})
            assert (await talk.hear())["payload"] == ANSWER
        events = await client.post("/graphql", json={"query": OTHER}, headers={"Accept": "text/event-stream"})
        assert "DOCUMENT_NOT_TRUSTED" in events.text


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"operations": [{}]}', '{"a": 1}', '{"a": "{ no }"}', '{"operations": [1]}', "{"], ids=range(8)
)
def test_a_wrong_manifest_stops_the_start(settings: Settings, app: Starlette, tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(WrongManifest, match=r"manifest\.json"):
        Persisted(settings.model_copy(update={"trusted_documents": str(path)}), app.state.runtime.engine.documents)
