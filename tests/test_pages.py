"""The pages for people, and what machines ask."""

import hashlib
import re
from collections.abc import Callable

import httpx2
import pytest
from graphql import parse, validate
from starlette.applications import Starlette

from engine.runtime import Runtime
from migrations import ROOT
from models.identity import Role
from schema.root import build_schema
from settings import Introspection, Mode, Settings
from tests.browser import open_page
from tests.people import join
from web.doors import ACCOUNTS, DEMO_TOOLS, SYSTEMS, TOOLS
from web.pages import example_operations

REGISTER = """mutation {
  register(input: {email: "user@example.com", password: "password123", firstName: "John"}) { user { firstName } }
}"""
RUN = "document.querySelector('.graphiql-execute-button').click()"
ANSWER = "document.querySelector('.graphiql-response').textContent"
VENDOR = ROOT / "web/static/vendor"


async def test_the_landing_page_names_every_door(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/")).text
    for door in (*TOOLS, *DEMO_TOOLS, *SYSTEMS):
        assert f"<code>{door.path}</code>" in page
    for account in ACCOUNTS:
        assert account.sign_in in page


async def test_every_door_of_the_landing_page_exists(client: httpx2.AsyncClient) -> None:
    for door in (*TOOLS, *DEMO_TOOLS):
        assert (await client.get(door.path)).status_code < 500
        assert (await client.get(door.path)).status_code != 404, door.path


async def test_passwords_show_in_demo_mode_only(app: Starlette, client: httpx2.AsyncClient, settings: Settings) -> None:
    app.state.settings = settings.model_copy(update={"mode": Mode.PRODUCTION})
    page = (await client.get("/")).text
    assert "password123" not in page
    assert "user@example.com" not in page
    assert "/demo/" not in page


@pytest.mark.parametrize("path", ["/", "/graphiql", "/docs/", "/coresync/docs/"])
async def test_pages_load_nothing_from_elsewhere(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert address.startswith("/")
        assert (await client.get(address, follow_redirects=True)).status_code in (200, 405)
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=", answer.text)


async def test_vendored_files_are_the_published_ones(client: httpx2.AsyncClient) -> None:
    sums = dict(line.split()[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {path.name for path in VENDOR.iterdir()} - {"SHA256SUMS", "README.md"}
    for name, expected in sums.items():
        answer = await client.get(f"/static/vendor/{name}")
        assert hashlib.sha256(answer.content).hexdigest() == expected
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_nothing_outside_the_static_folder_is_served(client: httpx2.AsyncClient) -> None:
    for path in ("/static/../settings.py", "/static/%2e%2e/settings.py", "/static/vendor/..%2f..%2f..%2fsettings.py"):
        assert (await client.get(path)).status_code == 404


def test_every_example_operation_is_valid() -> None:
    schema = build_schema()._schema
    for example in example_operations():
        assert validate(schema, parse(example["query"].replace("TOMORROW", "2030-01-01").replace("YESTERDAY", "2030-01-01"))) == [], (
            example["name"]
        )


async def test_health_is_told_to_machines(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json()["status"] == "ready"
    assert "python_info" in (await client.get("/metrics")).text


async def test_graphiql_signs_in_and_sends_the_token_with_every_tab(client: httpx2.AsyncClient, server: str) -> None:
    registered = await client.post("/graphql", json={"query": REGISTER})
    assert registered.json()["data"]["register"]["user"]["firstName"] == "John"
    async with open_page(f"{server}/graphiql") as page:
        await page.until("document.querySelectorAll('.graphiql-tab').length > 1")
        await page.until("document.querySelector('.graphiql-query-editor').textContent.includes('signIn')")
        await page.value(RUN)
        await page.until(f"{ANSWER}.includes('accessToken')")
        await page.value("document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue('query Me { me { email } }')")
        await page.until("document.querySelector('.graphiql-tab').textContent.includes('Me')")
        await page.value(RUN)
        await page.until(f"{ANSWER}.includes('user@example.com')")
        assert {address.split("/")[2] for address in page.requested} == {server.removeprefix("http://")}
        assert page.complaints == []


async def test_the_landing_page_works_in_a_browser(server: str) -> None:
    async with open_page(f"{server}/") as page:
        assert await page.value("document.querySelector('h1').textContent") == "Atrium"
        assert await page.value("getComputedStyle(document.querySelector('.button')).borderRadius") == "8px"
        assert page.complaints == []


@pytest.fixture
def shown_to(app: Starlette) -> Callable[[Introspection], None]:
    """Sets to whom the schema is shown."""
    runtime: Runtime = app.state.runtime

    def show(who: Introspection) -> None:
        runtime.settings = runtime.engine.settings = runtime.settings.model_copy(update={"introspection": who})

    return show


async def test_graphiql_is_shown_to_those_who_may_look_at_the_schema(
    app: Starlette, client: httpx2.AsyncClient, shown_to: Callable[[Introspection], None]
) -> None:
    ctx = app.state.runtime.context(request_id="r", address="a")
    staff, other = (await join(ctx, Role.SUPPORT)).access_token, (await join(ctx)).access_token

    async def ask(token: str | None) -> list[int]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answers = [await client.get(path, headers=headers) for path in ("/graphiql", "/graphiql/examples.json")]
        assert ("graphiql-4" in answers[0].text) is (answers[0].status_code == 200)
        return [each.status_code for each in answers]

    for who, expected in (
        (Introspection.EVERYBODY, {None: 200, "nonsense": 401, other: 200, staff: 200}),
        (Introspection.STAFF, {None: 401, "nonsense": 401, other: 403, staff: 200}),
        (Introspection.NOBODY, {None: 404, "nonsense": 401, other: 404, staff: 404}),
    ):
        shown_to(who)
        assert {token: await ask(token) for token in expected} == {token: [status] * 2 for token, status in expected.items()}


async def test_staff_signs_in_to_graphiql_in_the_browser(app: Starlette, server: str, shown_to: Callable[[Introspection], None]) -> None:
    await join(app.state.runtime.context(request_id="r", address="a"), Role.SUPPORT, email="staff@example.com", password="password123")
    shown_to(Introspection.STAFF)
    async with open_page(f"{server}/graphiql") as page:
        await page.until("document.querySelector('#sign-in') !== null")
        for name, value in (("email", "staff@example.com"), ("password", "password123")):
            await page.value(f"document.querySelector('#sign-in [name={name}]').value = '{value}'")
        await page.value("document.querySelector('#sign-in button').click()")
        await page.until("document.querySelectorAll('.graphiql-tab').length > 1")
        await page.until("document.querySelector('.graphiql-query-editor').textContent.includes('signIn')")
