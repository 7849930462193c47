"""What browsers may do with the doors, and whom the server believes about where a request comes from."""

from typing import Any

import httpx2
import pytest

from engine.proxies import networks, uncover
from settings import Mode, Settings

PAGE, CONTACTS, STRANGE = "https://app.example.com", "https://contacts.example.com", "https://evil.example"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"allowed_origins": PAGE, "system_origins": f"appointment360={CONTACTS}, coresync=https://spa.example"}
    )


async def ask(client: httpx2.AsyncClient, path: str, origin: str, method: str = "POST") -> httpx2.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type"}
    return await client.options(path, headers=asked)


@pytest.mark.parametrize("path", ["/graphql", "/coresync/api/services/", "/api/services/"])
async def test_a_preflight_is_answered_for_allowed_pages_and_may_be_kept(client: httpx2.AsyncClient, path: str) -> None:
    told = (await ask(client, path, PAGE)).headers
    assert told["Access-Control-Allow-Origin"] == PAGE
    assert told["Access-Control-Max-Age"] == "7200"
    assert {"Authorization", "Content-Type", "Idempotency-Key"} <= set(told["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in told
    strange = await ask(client, path, STRANGE)
    assert strange.status_code == 204
    assert "Access-Control-Allow-Origin" not in strange.headers


async def test_each_system_has_its_own_pages(client: httpx2.AsyncClient) -> None:
    assert "Access-Control-Allow-Origin" not in (await ask(client, "/graphql", CONTACTS)).headers
    assert "Access-Control-Allow-Origin" not in (await ask(client, "/coresync/api/services/", CONTACTS)).headers
    assert "Access-Control-Allow-Origin" in (await ask(client, "/coresync/api/services/", "https://spa.example", "GET")).headers
    assert "Access-Control-Allow-Origin" in (await ask(client, "/api/services/", "https://spa.example", "GET")).headers


async def test_an_answer_shows_pages_what_they_need_and_never_takes_cookies(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    shown = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"ETag", "Link", "RateLimit", "RateLimit-Policy", "X-Request-ID", "Retry-After"} <= shown
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Vary"] == "Origin"
    for origin in (STRANGE, "null", f"{PAGE}.evil.example"):
        refused = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in refused.headers


async def test_a_demo_serves_pages_of_this_machine(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/coresync/api/services/", headers={"Origin": "http://localhost:3000"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


async def test_pages_cannot_be_framed_nor_sniffed(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/graphiql"):
        page = await client.get(path)
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "Strict-Transport-Security" not in page.headers
    assert (await client.post("/graphql", json={})).headers["X-Content-Type-Options"] == "nosniff"


async def test_production_insists_on_tls_where_it_has_it(client: httpx2.AsyncClient, app: Any) -> None:
    app.state.settings = app.state.settings.model_copy(update={"mode": Mode.PRODUCTION, "trusted_proxies": "127.0.0.1"})
    assert "Strict-Transport-Security" not in (await client.get("/livez")).headers
    answer = await client.get("/livez", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def seen(trusted: str, client: str = "10.0.0.9", **headers: str) -> tuple[str, str]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "client": (client, 1234), "scheme": "http", "headers": raw}
    uncover(scope, networks(trusted))
    return scope["client"][0], scope["scheme"]


@pytest.mark.parametrize(
    ("trusted", "headers", "expected"),
    [
        ("", {"x_forwarded_for": "203.0.113.7", "x_forwarded_proto": "https"}, ("10.0.0.9", "http")),
        ("192.168.0.0/16", {"x_forwarded_for": "203.0.113.7", "forwarded": "for=203.0.113.7;proto=https"}, ("10.0.0.9", "http")),
        ("10.0.0.0/8", {"x_forwarded_for": "203.0.113.7", "x_forwarded_proto": "https"}, ("203.0.113.7", "https")),
        ("10.0.0.0/8", {"x_forwarded_for": "1.2.3.4, 203.0.113.7, 10.1.1.1"}, ("203.0.113.7", "http")),
        ("10.0.0.0/8", {"x_forwarded_for": "10.2.2.2"}, ("10.2.2.2", "http")),
        ("10.0.0.0/8", {"x_forwarded_for": "unknown, 10.1.1.1"}, ("10.1.1.1", "http")),
        ("10.0.0.0/8", {"x_forwarded_for": "<script>"}, ("10.0.0.9", "http")),
        ("10.0.0.0/8", {"x_forwarded_for": "203.0.113.7:4711"}, ("203.0.113.7", "http")),
        ("10.0.0.0/8", {"forwarded": 'for="[2001:db8::1]:4711";proto=https;by=10.0.0.9'}, ("2001:db8::1", "https")),
        ("10.0.0.0/8", {"forwarded": "for=9.9.9.9, for=203.0.113.7;proto=https"}, ("203.0.113.7", "https")),
        ("10.0.0.0/8", {"x_forwarded_proto": "gopher"}, ("10.0.0.9", "http")),
    ],
)
def test_only_trusted_proxies_are_believed(trusted: str, headers: dict[str, str], expected: tuple[str, str]) -> None:
    assert seen(trusted, **headers) == expected


async def test_an_invented_address_does_not_escape_a_limit(client: httpx2.AsyncClient) -> None:
    sign_in = 'mutation { signIn(email: "nobody@example.com", password: "wrong-password") { accessToken } }'
    codes = []
    for number in range(8):
        answer = await client.post("/graphql", json={"query": sign_in}, headers={"X-Forwarded-For": f"203.0.113.{number}"})
        codes.append(answer.json()["errors"][0]["extensions"]["code"])
    assert codes[-1] == "RATE_LIMITED"
