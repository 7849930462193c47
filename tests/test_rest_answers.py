"""The one handler of older systems: who calls, may they, what did they send, run, shape, spell."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select
from starlette.requests import HTTPConnection, Request

import resolvers.catalogue
from errors import RateLimited, Unauthenticated, Unavailable
from models.admin import EndpointUse
from models.database import Database
from models.identity import Role
from resolvers.context import NOBODY, Context, Viewer
from resolvers.operations import Operation, allow
from rest_compat.dialect import Dialect, Refusal, Spelling, utc_z
from rest_compat.doors import Doors
from rest_compat.routes import Handler, Parameters, Route
from rest_compat.usage import Usage, client_name
from settings import Settings
from tests.rest_world import add_catalogue, app_with, client_of, system

DOCUMENTS = """
query ListServices($category: String, $featured: Boolean, $line: ServiceLine, $page: Int = 1, $size: Int = 2)
@rest(get: "/api/services/") {
  services(filter: { category: $category, featured: $featured, line: $line }, page: $page, perPage: $size) {
    count: totalCount
    pageInfo @spread { next: hasNextPage @as(format: NEXT_LINK) previous: hasPreviousPage @as(format: PREVIOUS_LINK) }
    results: nodes { id: number name price line }
  }
}
query GetService($slug: String!) @rest(get: "/api/services/{slug}/") { service(slug: $slug) { name createdless: currency } }
query GetNumbered($number: ID!) @rest(get: "/api/numbered/{number}/") { service(id: $number) { name } }
query SearchServices($category: String!, $size: Int!) @rest(post: "/api/search/", status: 201, says: "Found") {
  services(filter: { category: $category }, perPage: $size) { nodes { name } }
}
query Seldom @rest(get: "/api/seldom/", limit: "2/hour") { categories { name } }
query BothLists @rest(get: "/api/both/") {
  categories @pluck(field: "name") { name }
  services(first: 1000) @pluck(field: "nodes") { nodes { name } }
}
"""


class Polite(Dialect):
    """A dialect for the tests: says please, and takes anybody's number for a token."""

    name = "polite"
    title = "Polite"
    spelling = Spelling(money=float, moment=utc_z, enum=str.upper)
    bad_field_status = 400
    page_maximum = 3

    async def viewer(self, connection: HTTPConnection, ctx: Context) -> Viewer:
        token = connection.headers.get("authorization")
        if token is None:
            return NOBODY
        if not token.isdigit():
            raise Unauthenticated
        return Viewer(int(token), frozenset({Role.ADMIN}) if token == "7" else frozenset())

    def success(self, body: Any, route: Route) -> Any:
        return {"thanks": body, "says": route.says} if route.says else body

    def error(self, refusal: Refusal) -> Any:
        return {"sorry": refusal.error.code, "fields": refusal.fields, "request": refusal.request_id}


@allow(Role.ADMIN)
async def staff_only(ctx: Context) -> str:
    """Something for staff."""
    return "secret"


def handler(name: str, operation: Operation, failure: Exception | None = None) -> Handler:
    """A route that answers at once, or fails at once."""

    async def run(_: Request, ctx: Context, parameters: Parameters) -> Any:
        operation.admit(ctx.viewer)
        if failure:
            raise failure
        return {"viewer": ctx.viewer.user_id, "key": ctx.idempotency_key, **parameters}

    return Handler("polite", name, "POST", f"/api/{name}/", (operation,), run)


ROUTES = [
    handler("staff", staff_only),
    handler("broken", resolvers.catalogue.list_categories, ZeroDivisionError("never shown")),
    handler("hurried", resolvers.catalogue.list_categories, RateLimited(17)),
    handler("tired", resolvers.catalogue.list_categories, Unavailable()),
    handler("open", resolvers.catalogue.list_categories),
]


@pytest.fixture
def usage() -> Usage:
    return Usage()


@pytest.fixture
async def polite(
    settings: Settings, database_url: str, database: Database, tmp_path: Path, usage: Usage
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the polite system, over three services."""
    await add_catalogue(database)

    def doors(engine: Any) -> Doors:
        return Doors([system(Polite(), engine, tmp_path, DOCUMENTS, ROUTES, usage)], hosts={}, ports={})

    async with app_with(settings, database_url, doors) as app, client_of(app) as client:
        yield client


async def test_an_answer_is_shaped_and_spelled(polite: httpx2.AsyncClient) -> None:
    answer = await polite.get("/polite/api/services/?category=mensuite&featured=TRUE")
    assert answer.status_code == 200
    assert answer.json() == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [{"id": answer.json()["results"][0]["id"], "name": "Service 1", "price": 200.0, "line": "SPA"}],
    }


async def test_links_to_other_pages_keep_door_and_question(polite: httpx2.AsyncClient) -> None:
    first = (await polite.get("/polite/api/services/?category=mensuite")).json()
    assert first["next"] == "http://atrium.test/polite/api/services/?category=mensuite&page=2"
    second = (await polite.get(first["next"])).json()
    assert [each["name"] for each in second["results"]] == ["Service 3"]
    assert second["next"] is None
    assert second["previous"] == "http://atrium.test/polite/api/services/?category=mensuite&page=1"
    root = (await polite.get("/api/services/")).json()
    assert root["next"] == "http://atrium.test/api/services/?page=2"


async def test_page_sizes_are_clamped_and_never_refused(polite: httpx2.AsyncClient) -> None:
    assert len((await polite.get("/api/services/?size=1000000")).json()["results"]) == 3
    assert len((await polite.get("/api/services/?size=0")).json()["results"]) == 1
    assert len((await polite.get("/api/services/?page=-5&size=2")).json()["results"]) == 2
    assert (await polite.get("/api/services/?page=9")).json()["results"] == []


async def test_several_roots_stay_an_object_and_one_is_unwrapped(polite: httpx2.AsyncClient) -> None:
    assert (await polite.get("/api/both/")).json() == {
        "categories": ["Mensuite"],
        "services": [{"name": f"Service {number}"} for number in (1, 2, 3)],
    }


async def test_enums_come_in_any_case(polite: httpx2.AsyncClient) -> None:
    for spelled in ("spa", "SPA", "Spa"):
        assert (await polite.get(f"/api/services/?line={spelled}")).json()["count"] == 3
    assert (await polite.get("/api/services/?line=home")).json()["count"] == 0


@pytest.mark.parametrize(
    ("query", "field", "why"),
    [
        ("page=two", "page", "A whole number is needed."),
        ("page=99999999999999999999", "page", "A number is too large."),
        ("featured=perhaps", "featured", "true or false is needed."),
        ("line=moon", "line", "This must be one of: spa, marketplace, home."),
        ("category=%00", "category", "A text holds a character that cannot be stored."),
    ],
)
async def test_a_bad_field_is_named_as_the_client_knows_it(polite: httpx2.AsyncClient, query: str, field: str, why: str) -> None:
    answer = await polite.get(f"/api/services/?{query}")
    assert answer.status_code == 400
    assert answer.json()["sorry"] == "BAD_USER_INPUT"
    assert answer.json()["fields"][field] in (why, "A whole number is needed.")


async def test_bodies_fill_variables_and_the_unknown_is_ignored(polite: httpx2.AsyncClient) -> None:
    answer = await polite.post("/api/search/", json={"category": "mensuite", "size": "2", "role": "super_admin"})
    assert answer.status_code == 201
    assert answer.json() == {"thanks": {"nodes": [{"name": "Service 1"}, {"name": "Service 2"}]}, "says": "Found"}


async def test_every_missing_field_is_told(polite: httpx2.AsyncClient) -> None:
    answer = await polite.post("/api/search/", json={"size": None})
    assert answer.json()["fields"] == {"category": "This field is required", "size": "This field may not be null."}


@pytest.mark.parametrize(
    "body",
    [b'{"category": ', b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b'{"category": "\\ud800"}', b"[" * 100_000, b'{"size": NaN}'],
)
async def test_a_malformed_body_is_400(polite: httpx2.AsyncClient, body: bytes) -> None:
    answer = await polite.post("/api/search/", content=body)
    assert (answer.status_code, answer.json()["sorry"]) == (400, "BAD_REQUEST")


async def test_a_body_beyond_a_megabyte_is_413(polite: httpx2.AsyncClient) -> None:
    answer = await polite.post("/api/search/", content=b'{"category": "' + b"x" * 1_000_000 + b'"}')
    assert (answer.status_code, answer.json()["sorry"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("value", [{"category": "a\0b"}, {"category": 7}, {"category": ["x"]}, {"category": {"a": 1}}])
async def test_odd_values_are_refused_under_their_field(polite: httpx2.AsyncClient, value: dict[str, Any]) -> None:
    answer = await polite.post("/api/search/", json={"size": 1, **value})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["category"]


async def test_what_is_not_there_is_404(polite: httpx2.AsyncClient) -> None:
    for path in ("/api/services/unknown/", "/api/numbered/999999/", "/api/numbered/no-id-at-all/"):
        answer = await polite.get(path)
        assert (answer.status_code, answer.json()["sorry"]) == (404, "NOT_FOUND"), path


async def test_who_calls_is_asked_before_what_they_may_and_that_before_what_they_send(polite: httpx2.AsyncClient) -> None:
    wrong = b"{nonsense"
    assert (await polite.post("/api/staff/", content=wrong)).status_code == 401
    assert (await polite.post("/api/staff/", content=wrong, headers={"Authorization": "nonsense"})).status_code == 401
    assert (await polite.post("/api/staff/", content=wrong, headers={"Authorization": "5"})).status_code == 403
    assert (await polite.post("/api/staff/", headers={"Authorization": "7"})).json()["viewer"] == 7


async def test_a_stale_token_does_not_close_an_open_door(polite: httpx2.AsyncClient) -> None:
    answer = await polite.get("/api/both/", headers={"Authorization": "stale"})
    assert answer.status_code == 200


async def test_an_unexpected_failure_shows_nothing_of_itself(polite: httpx2.AsyncClient) -> None:
    answer = await polite.post("/api/broken/")
    assert answer.status_code == 500
    assert answer.json() == {"sorry": "UNKNOWN_ERROR", "fields": {}, "request": answer.headers["x-request-id"]}


async def test_a_client_that_must_wait_is_told_how_long(polite: httpx2.AsyncClient) -> None:
    hurried, tired = await polite.post("/api/hurried/"), await polite.post("/api/tired/")
    assert (hurried.status_code, hurried.headers["retry-after"]) == (429, "17")
    assert (tired.status_code, tired.headers["retry-after"]) == (503, "1")


async def test_a_route_may_have_its_own_limit_and_a_system_another(polite: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [await polite.get("/api/seldom/") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[2].json()["sorry"] == "RATE_LIMITED"
    assert 0 < int(answers[2].headers["retry-after"]) <= 3600
    assert (await polite.get("/api/seldom/", headers={"Authorization": "7"})).status_code == 200, "somebody else counts afresh"
    assert (await polite.get("/api/both/")).status_code == 200
    monkeypatch.setattr(Polite, "limit", "1/hour")
    assert [(await polite.get("/api/both/")).status_code for _ in range(2)] == [200, 429]


async def test_roles_have_limits_of_their_own_and_others_may_be_counted_by_address(
    polite: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Polite, "limit", "1/hour")
    monkeypatch.setattr(Polite, "counts_addresses", True)
    monkeypatch.setattr(Polite, "role_limits", {Role.ADMIN: "3/hour"})
    assert [(await polite.get("/api/both/", headers={"Authorization": each})).status_code for each in ("8", "9")] == [200, 429]
    admin = {"Authorization": "7"}
    assert [(await polite.get("/api/both/", headers=admin)).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_unknown_paths_and_wrong_methods_are_answered_in_the_systems_words(polite: httpx2.AsyncClient) -> None:
    lost = await polite.get("/polite/no/such/path/")
    assert (lost.status_code, lost.json()["sorry"]) == (404, "NOT_FOUND")
    wrong = await polite.delete("/polite/api/services/")
    assert (wrong.status_code, wrong.json()["sorry"], wrong.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "GET, HEAD")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/both/"), ("POST", "/api/staff/"), ("GET", "/polite/none"), ("PUT", "/api/both/")]
)
async def test_every_answer_has_a_request_id(polite: httpx2.AsyncClient, method: str, path: str) -> None:
    assert (await polite.request(method, path)).headers["x-request-id"]
    assert (await polite.request(method, path, headers={"X-Request-ID": "mine-1"})).headers["x-request-id"] == "mine-1"


async def test_every_answer_of_a_document_links_to_the_operation_that_replaces_it(polite: httpx2.AsyncClient) -> None:
    for path in ("/api/services/", "/api/services/?page=two"):
        link = (await polite.get(path)).headers["link"]
        assert link == '</operations/polite/ListServices.graphql>; rel="alternate"; type="application/graphql"'
    text = await polite.get("/operations/polite/ListServices.graphql")
    assert text.status_code == 200
    assert text.text.startswith("query ListServices(")


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-Idempotency-Key"])
async def test_both_spellings_of_the_idempotency_key_reach_the_operation(polite: httpx2.AsyncClient, header: str) -> None:
    assert (await polite.post("/api/open/", headers={header: "once"})).json()["key"] == "once"


async def test_head_answers_like_get(polite: httpx2.AsyncClient) -> None:
    assert (await polite.head("/api/both/")).status_code == 200


async def test_calls_are_counted_by_route_and_client_and_written_in_one_batch(
    polite: httpx2.AsyncClient, usage: Usage, database: Database
) -> None:
    name = "atrium_rest_calls_total"
    labels = {"system": "polite", "route": "BothLists", "client": "spa-app", "outcome": "answered"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    for _ in range(3):
        await polite.get("/api/both/", headers={"User-Agent": "Spa-App/2.1 (jane@example.com)"})
    await polite.get("/api/services/nothing/", headers={"User-Agent": "Spa-App/2.1"})
    assert REGISTRY.get_sample_value(name, labels) == before + 3
    await usage.flush(database)
    await polite.get("/api/both/", headers={"User-Agent": "Spa-App/2.2"})
    await usage.flush(database)
    await usage.flush(database)
    async with database.sessions() as db:
        rows = list(await db.scalars(select(EndpointUse).order_by(EndpointUse.route)))
    today = datetime.now(UTC).date()
    assert [(each.day, each.route, each.client, each.calls, each.refused) for each in rows] == [
        (today, "BothLists", "spa-app", 4, 0),
        (today, "GetService", "spa-app", 1, 1),
    ]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("okhttp/4.9.0", "okhttp"),
        ("Mozilla/5.0 (X11; jane@example.com)", "mozilla"),
        ("", "unknown"),
        ("jane@example.com", "unknown"),
        ("<script>", "unknown"),
    ],
)
def test_a_client_is_known_by_its_program_and_by_nothing_else(header: str, name: str) -> None:
    assert client_name({"user-agent": header}) == name
