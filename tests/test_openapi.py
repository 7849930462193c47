"""The OpenAPI documents of older systems: valid, complete, and true of real answers."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from typer.testing import CliRunner

from engine.execute import Engine
from main import commands, create_app
from rest_compat.doors import Doors
from rest_compat.endpoint import Endpoint
from rest_compat.opening import open_doors
from rest_compat.routes import Socket
from rest_compat.usage import Usage
from settings import Settings
from tests.browser import open_page
from tests.conftest import in_one_task
from tests.described import as_described, document_of

NUMBER = re.compile(r"\{(\w+)\}")


@pytest.fixture(scope="module")
def doors(settings: Settings) -> Doors:
    return open_doors(settings, Engine(settings, raw=True), Usage())


def names(doors: Doors) -> list[str]:
    assert doors.systems
    return list(doors.systems)


def test_every_document_is_openapi_3_1(doors: Doors) -> None:
    for name in names(doors):
        document = document_of(doors.systems[name])
        assert document["openapi"] == "3.1.0"
        OpenAPIV31SpecValidator(document).validate()


def test_documents_describe_what_the_contract_documents_and_the_server_serves(doors: Doors) -> None:
    for name in names(doors):
        contract = json.loads((Path(__file__).parent / "contract" / f"{name}.json").read_text())
        paths = document_of(doors.systems[name])["paths"]
        described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
        served = {(each.method, each.path) for each in doors.systems[name].table.routes if not isinstance(each, Socket)}
        assert described == served
        for each in contract["endpoints"]:
            if (each["method"], each["path"]) in served:
                _has_inputs(each, paths[each["path"]][each["method"].lower()])


def _has_inputs(documented: dict[str, Any], operation: dict[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    parameters = {(each.get("in"), each.get("name")) for each in operation.get("parameters", [])}
    assert set(documented["request"] or {}) <= set(body.get("properties", {})), documented["id"]
    assert {("query", each) for each in documented["query"]} <= parameters, documented["id"]
    assert {("path", each) for each in NUMBER.findall(documented["path"])} <= parameters, documented["id"]


def test_every_endpoint_names_what_replaces_it_and_how_it_may_be_refused(doors: Doors) -> None:
    for name in names(doors):
        paths = document_of(doors.systems[name])["paths"]
        for each in doors.systems[name].table.routes:
            if isinstance(each, Socket):
                continue
            operation = paths[each.path][each.method.lower()]
            assert operation["summary"], each.name
            assert {str(each.status), "429", "default"} <= set(operation["responses"])
            if isinstance(each, Endpoint):
                assert operation["externalDocs"]["url"] == each.alternate
                assert operation["security"] == ([{}, {"signIn": []}] if each.is_open else [{"signIn": []}])
            assert ("401" in operation["responses"]) is not each.is_open


def test_a_webhook_is_described_by_its_handler(doors: Doors) -> None:
    operation = document_of(doors.systems["coresync"])["paths"]["/api/payments/webhook/stripe/"]["post"]
    assert operation["tags"] == ["payments"]
    assert {"Stripe-Signature"} == {each["name"] for each in operation["parameters"] if "name" in each}
    assert operation["requestBody"]["content"]["application/json"]["schema"]["required"] == ["id", "type", "data"]


def test_values_are_described_as_the_dialect_spells_them(doors: Doors) -> None:
    document = document_of(doors.systems["coresync"])
    booking = document["components"]["schemas"]["Booking"]["properties"]
    assert re.fullmatch(booking["total_amount"]["pattern"], "150.00")
    assert not re.fullmatch(booking["total_amount"]["pattern"], "150")
    assert "confirmed" in booking["status"]["enum"]
    created = document["paths"]["/api/payments/create-intent/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert created["properties"]["payment_type"]["default"] == "service"
    assert created["required"] == ["amount", "booking_id"]
    bad = document["components"]["responses"]["BadInput"]["content"]["application/json"]["example"]
    assert bad["error"]["code"] == "VALIDATION_ERROR"


@pytest.fixture
async def demo(demo_url: str, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that holds the demo world."""
    app = create_app(settings, demo_url)
    async with in_one_task(app.router.lifespan_context(app)):
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        hooks = {"response": [as_described(app)]}
        async with httpx2.AsyncClient(transport=transport, base_url="http://atrium.test/coresync", event_hooks=hooks) as client:
            yield client


async def test_what_the_demo_server_answers_is_as_described(demo: httpx2.AsyncClient, doors: Doors) -> None:
    """The hook of the client compares; here every endpoint that only reads is asked, by a member, by staff and by nobody."""
    tokens = []
    for email in ("user@example.com", "admin@minuteserv.com"):
        signed_in = await demo.post("/api/auth/login/", json={"email": email, "password": "password123"})
        tokens.append({"Authorization": f"Bearer {signed_in.json()['access']}"})
    reading = [each for each in doors.systems["coresync"].table.routes if each.method == "GET" and isinstance(each, Endpoint)]
    statuses = set()
    for each in reading:
        for headers in ({}, *tokens):
            path = each.path.format(slug="ai-massage-therapy", id=1)
            query = {"date": "2030-01-15", "service_id": "1"} if "availability" in path else {}
            statuses.add((await demo.get(path, params=query, headers=headers)).status_code)
    assert {200, 401} <= statuses <= {200, 401, 403, 404}


async def test_each_door_shows_its_own_documentation(client: httpx2.AsyncClient) -> None:
    index = (await client.get("/docs/")).text
    assert 'href="/coresync/docs/"' in index
    for page, headers in (("/coresync/docs/", {}), ("/docs/", {"Host": "api.coresync.life"})):
        shown = await client.get(page, headers=headers)
        assert 'id="swagger-ui"' in shown.text
        [address] = set(re.findall(r'data-document="([^"]+)"', shown.text))
        document = (await client.get(address, headers=headers)).json()
        assert document["servers"] == [{"url": page.removesuffix("/docs/") or "/"}]
    assert (await client.get("/nowhere/docs/")).status_code == 404
    assert (await client.get("/docs/openapi.json")).status_code == 404


def test_the_command_writes_a_document_for_each_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(commands, ["openapi", "--write"]).exit_code == 0
    assert json.loads((tmp_path / "openapi/coresync.json").read_text())["info"]["title"] == "CoreSync"
    printed = CliRunner().invoke(commands, ["openapi", "coresync"])
    assert json.loads(printed.stdout)["servers"] == [{"url": "/coresync"}]


async def test_swagger_ui_signs_in_and_calls_an_endpoint(client: httpx2.AsyncClient, server: str) -> None:
    john = {"email": "user@example.com", "password": "password123", "first_name": "John"}
    token = (await client.post("/coresync/api/auth/register/", json=john)).json()["access"]
    async with open_page(f"{server}/coresync/docs/") as page:
        await page.until("document.querySelectorAll('.opblock').length > 20")
        await page.value("document.querySelector('.btn.authorize').click()")
        await page.until("document.querySelector('.auth-container input')")
        await page.value(
            "(() => { const field = document.querySelector('.auth-container input');"
            "Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, " + json.dumps(token) + ");"
            "field.dispatchEvent(new Event('input', {bubbles: true})); document.querySelector('.auth-container .authorize').click(); })()"
        )
        await page.until("document.querySelector('.auth-container .btn.modal-btn').textContent.includes('Logout')")
        await page.value("document.querySelector('.btn-done').click()")
        await page.value("document.querySelector('#operations-users-GetProfile .opblock-summary-control').click()")
        await page.until("document.querySelector('#operations-users-GetProfile .execute')")
        await page.until("document.querySelectorAll('#operations-users-GetProfile .responses-table .response').length > 4")  # all is read
        await page.value("document.querySelector('#operations-users-GetProfile .execute').click()")
        await page.until("document.querySelector('#operations-users-GetProfile .live-responses-table')")
        await page.until("document.querySelector('#operations-users-GetProfile .live-responses-table').textContent.includes('John')")
        assert {address.split("/")[2] for address in page.requested} == {server.removeprefix("http://")}
        assert page.complaints == []
