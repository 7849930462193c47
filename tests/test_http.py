"""GraphQL over HTTP: methods, media types, bodies, and what is said when something is wrong with them."""

import json
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from errors import Unavailable
from models.database import Database
from models.identity import Role
from settings import Introspection, Settings
from tests.people import join, nobody

MODERN, PLAIN = "application/graphql-response+json", "application/json"
URQL = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
NAME = "{ __typename }"


async def post(client: httpx2.AsyncClient, query: str = NAME, *, accept: str | None = None, **body: Any) -> httpx2.Response:
    return await client.post("/graphql", json={"query": query, **body}, headers={"Accept": accept} if accept else {})


def code(answer: httpx2.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (MODERN, MODERN),
        (PLAIN, PLAIN),
        ("*/*", PLAIN),
        ("application/*;q=0.5", PLAIN),
        (f"{PLAIN};q=0.5, {MODERN}", MODERN),
        (f"{PLAIN}, {MODERN}", PLAIN),
        (f"{MODERN};q=nonsense, {PLAIN}", PLAIN),
        (URQL, MODERN),
        (f"{PLAIN}, text/event-stream", PLAIN),
        (f"text/event-stream;q=0.1, {MODERN}", MODERN),
        ("multipart/mixed", MODERN),
    ],
)
async def test_an_answer_is_of_the_type_that_the_client_prefers(client: httpx2.AsyncClient, accept: str, kind: str) -> None:
    answer = await post(client, accept=accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_without_an_accept_header_the_answer_is_json(client: httpx2.AsyncClient) -> None:
    del client.headers["accept"]
    assert (await post(client)).headers["content-type"].startswith(PLAIN)


@pytest.mark.parametrize("accept", ["text/html", f"{MODERN};q=0", "text/html, image/png"])
async def test_who_takes_none_of_our_types_is_told_so(client: httpx2.AsyncClient, accept: str) -> None:
    answer = await post(client, accept=accept)
    assert (answer.status_code, code(answer)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(("query", "refused"), [("{", "GRAPHQL_PARSE_FAILED"), ("{ no }", "GRAPHQL_VALIDATION_FAILED")])
async def test_a_request_error_has_no_data_and_4xx_only_in_the_modern_type(client: httpx2.AsyncClient, query: str, refused: str) -> None:
    for accept, status in ((MODERN, 400), (PLAIN, 200)):
        answer = await post(client, query, accept=accept)
        assert (answer.status_code, code(answer)) == (status, refused)
        assert "data" not in answer.json()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_other_methods_are_refused_with_the_allowed_ones(client: httpx2.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/graphql", json={"query": NAME})
    assert (answer.status_code, answer.headers["allow"], code(answer)) == (405, "GET, HEAD, POST", "METHOD_NOT_ALLOWED")


async def test_get_reads_and_writes_nothing(client: httpx2.AsyncClient) -> None:
    variables = json.dumps({"slug": "none"})
    query = "query($slug: String) { service(slug: $slug) { name } }"
    assert code(await client.get("/graphql", params={"query": query, "variables": variables})) == "NOT_FOUND"
    assert (await client.get("/graphql", params={"query": NAME, "variables": "", "extensions": ""})).status_code == 200
    for accept in (MODERN, PLAIN):
        refused = await client.get("/graphql", params={"query": "mutation { signOut { ended } }"}, headers={"Accept": accept})
        assert (refused.status_code, refused.headers["allow"], code(refused)) == (405, "POST", "METHOD_NOT_ALLOWED")


async def test_head_is_a_get_without_a_body(server: str) -> None:
    async with httpx2.AsyncClient() as client:
        for accept in (PLAIN, "text/event-stream, */*"):
            answer = await client.head(f"{server}/graphql", params={"query": NAME}, headers={"Accept": accept})
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-length"] == str(len('{"data":{"__typename":"Query"}}'))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", ""]
)
async def test_only_json_in_utf_8_is_read(client: httpx2.AsyncClient, kind: str) -> None:
    answer = await client.post("/graphql", content=b'{"query": "{ __typename }"}', headers={"Content-Type": kind})
    assert (answer.status_code, code(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("kind", ['application/json; charset="UTF-8"', "Application/JSON;charset=utf8"])
async def test_utf_8_has_several_spellings(client: httpx2.AsyncClient, kind: str) -> None:
    answer = await client.post("/graphql", content='{"query": "{ __typename }"}', headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 100_000,
        b'[{"query": "{ __typename }"}]',
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": 1}',
        b'{"query": "{ __typename }", "extensions": "x"}',
        b'{"query": "{ __typename }", "documentId": 1}',
        b'{"extensions": {"persistedQuery": null}}',
    ],
)
@pytest.mark.parametrize("accept", [MODERN, PLAIN])
async def test_what_is_no_request_is_malformed(client: httpx2.AsyncClient, body: bytes, accept: str) -> None:
    answer = await client.post("/graphql", content=body, headers={"Content-Type": PLAIN, "Accept": accept})
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")


async def test_a_large_body_is_not_read_to_its_end(client: httpx2.AsyncClient) -> None:
    answer = await post(client, "#" * 1_000_001)
    assert (answer.status_code, code(answer)) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_bad_token_is_unauthenticated_in_every_type(client: httpx2.AsyncClient) -> None:
    for accept in (MODERN, PLAIN, "text/event-stream"):
        headers = {"Accept": accept, "Authorization": "Bearer x.y.z"}
        answer = await client.post("/graphql", json={"query": NAME}, headers=headers)
        assert (answer.status_code, code(answer), answer.headers["www-authenticate"]) == (401, "UNAUTHENTICATED", "Bearer")


async def test_an_operation_that_takes_too_long_may_be_tried_again(client: httpx2.AsyncClient, app: Starlette) -> None:
    app.state.runtime.engine.settings = app.state.runtime.settings.model_copy(update={"operation_timeout": 0.0})
    for accept in (MODERN, PLAIN):
        answer = await post(client, "{ rooms { totalCount } }", accept=accept)
        assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (503, Unavailable.code, "1")


async def test_an_unexpected_failure_is_masked_and_logged(
    client: httpx2.AsyncClient, app: Starlette, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(app.state.runtime.persisted, "text_of", fail)
    answer = await client.post("/graphql", json={"query": NAME}, headers={"X-Request-ID": "my-own"})
    assert (answer.status_code, code(answer)) == (500, "UNKNOWN_ERROR")
    assert answer.json()["errors"][0]["extensions"]["requestId"] == answer.headers["x-request-id"] == "my-own"
    assert "42" not in answer.text
    assert "the secret is 42" in caplog.text
    assert "my-own" in caplog.text


INTROSPECTION = "query { ...Q } fragment Q on Query { __schema { queryType { name } } }"


async def test_the_schema_is_shown_to_whom_it_may(
    client: httpx2.AsyncClient, app: Starlette, database: Database, settings: Settings
) -> None:
    engine = app.state.runtime.engine
    person = await join(nobody(database, settings))
    staff = await join(nobody(database, settings), Role.SUPPORT)
    for who, allowed in (
        (Introspection.EVERYBODY, (None, person, staff)),
        (Introspection.STAFF, (staff,)),
        (Introspection.NOBODY, ()),
    ):
        engine.settings = settings.model_copy(update={"introspection": who})
        for each in (None, person, staff):
            headers = {"Authorization": f"Bearer {each.access_token}"} if each else {}
            for query in (INTROSPECTION, '{ __type(name: "Room") { name } }'):
                answer = await client.post("/graphql", json={"query": query}, headers=headers)
                if each in allowed:
                    assert "errors" not in answer.json()
                else:
                    assert code(answer) == "INTROSPECTION_DISABLED"
            assert "errors" not in (await client.post("/graphql", json={"query": NAME}, headers=headers)).json()


def test_production_shows_the_schema_to_staff_only(settings: Settings) -> None:
    assert settings.introspection_for is Introspection.EVERYBODY
    assert settings.model_copy(update={"mode": "production"}).introspection_for is Introspection.STAFF
