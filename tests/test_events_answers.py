"""The events service's documented examples, played by Ann; a facilitator is there before her."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update
from starlette.applications import Starlette

from engine.execute import Engine
from models.bookings import Booking
from models.database import Database
from models.events import Event
from models.identity import Credential, CredentialKind, User
from resolvers.context import Context
from resolvers.passwords import hash_password
from rest_compat.endpoint import Endpoint
from rest_compat.opening import open_doors
from rest_compat.usage import Usage
from settings import Settings
from tests.documented import Contract, differences
from tests.gatherings import make_event, make_facilitator
from tests.people import PASSWORD
from tests.worlds import soon

CONTRACT = Contract("events")
MODELS: Mapping[str, Any] = json.loads((Path(__file__).parent / "contract" / "events.json").read_text())["models"]
EVENT, BOOKING, USER = MODELS["Event"], MODELS["Booking"], MODELS["User"]
FACILITATOR = EVENT["facilitator"]
PAGINATION = CONTRACT.shown("events.list")["pagination"]
SHAPES = {
    "auth.google-login": {**CONTRACT.shown("auth.login"), "user": {**USER, "phone": None}},
    "bookings.get": {"booking": BOOKING},
    "facilitators.list": {"facilitators": [FACILITATOR], "pagination": PAGINATION},
    "facilitators.get": {"facilitator": FACILITATOR},
    "facilitators.events": {"events": [EVENT]},
    "facilitators.login": {**CONTRACT.shown("auth.login"), "user": {**USER, "phone": None}, "facilitator": FACILITATOR},
}
NEED_NOBODY = {"events.auth.refresh"}
"""Its token is no access token."""


@dataclass
class App:
    """An old client with whoever is signed in."""

    http: httpx2.AsyncClient
    ann: str
    refresh: str
    event: Event

    async def ask(self, id: str, *, who: str | None = None, path: Mapping[str, Any] | None = None, **details: Any) -> httpx2.Response:
        """A call of a documented endpoint."""
        endpoint = CONTRACT[id]
        headers = {**({"Authorization": f"Bearer {who}"} if who else {}), **details.pop("headers", {})}
        url = "/events" + endpoint["path"].format_map(path or {})
        return await self.http.request(endpoint["method"], url, headers=headers, **details)

    async def good(self, id: str, *, status: int = 200, **details: Any) -> Any:
        """The body of an answer that is as documented."""
        answer = await self.ask(id, **details)
        assert answer.status_code == status, answer.text
        assert list(differences(SHAPES.get(id, CONTRACT.shown(id)), answer.json())) == []
        return answer.json()

    async def refused(self, id: str, status: int, **details: Any) -> str:
        """The sentence of an answer that is a refusal in the documented words."""
        answer = await self.ask(id, **details)
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"error"}
        said: str = answer.json()["error"]
        return said

    async def booked(self) -> Any:
        """Ann's booking of the event."""
        body = {"event_id": self.event.id, "notes": "Looking forward to this session"}
        return await self.good("bookings.create", status=201, who=self.ann, json=body)


@pytest.fixture
async def app_of_events(app: Starlette, client: httpx2.AsyncClient, database: Database) -> App:
    """Jane with a session and a retreat, and Ann who has registered and signed in."""
    ctx: Context = app.state.runtime.context(request_id="req_test", address="test")
    jane, _ = await make_facilitator(database)
    async with database.sessions.begin() as db:
        await db.execute(update(User).where(User.id == jane.id).values(last_name="Smith"))
        db.add(Credential(user_id=jane.id, kind=CredentialKind.PASSWORD, secret=await hash_password(PASSWORD)))
    about: dict[str, Any] = {
        "description": "Start your day with mindfulness",
        "venue": "Wellness Center",
        "requirements": "Bring your own mat",
    }
    event = await make_event(ctx, jane, soon(hour=7), **about)
    await make_event(ctx, jane, soon(20), title="Silent Weekend", kind="retreat", minutes=2 * 24 * 60, **about)
    await client.post("/events/api/auth/register", json=CONTRACT.sent("auth.register"))
    tokens = (await client.post("/events/api/auth/login", json=CONTRACT.sent("auth.login"))).json()
    return App(client, tokens["access_token"], tokens["refresh_token"], event)


def test_routes_equal_the_contract_in_both_directions(settings: Settings) -> None:
    doors = open_doors(settings, Engine(settings, raw=True), Usage())
    documented = {(each["method"], each["path"]) for each in CONTRACT.endpoints}
    table = doors.systems["events"].table
    assert {(each.method, each.path) for each in table.routes} == documented
    by_route = {(each.method, each.path): each for each in table.routes if isinstance(each, Endpoint)}
    for each in CONTRACT.endpoints:
        route = by_route[each["method"], each["path"]]
        assert route.is_open == (each["auth"] in ("none", "refresh-token")), each["id"]
        assert {variable.name for variable in route.variables} >= {*each["query"], *(each["request"] or {})}, each["id"]


async def test_registering_and_signing_in_answer_as_documented(app_of_events: App) -> None:
    app = app_of_events
    eve = CONTRACT.sent("auth.register", email="eve@example.com", phone="+15550002222")
    made = await app.good("auth.register", status=201, json=eve)
    assert (made["message"], made["user"]["email"]) == ("User registered successfully", "eve@example.com")
    await app.good("auth.login", json=CONTRACT.sent("auth.login"))
    assert (await app.good("auth.profile", who=app.ann))["user"]["is_active"] is True
    assert await app.refused("auth.register", 409, json={**eve, "phone": "+15550003333"}) == "email: This cannot be used."
    assert "password" in await app.refused("auth.register", 400, json={"email": "odd@example.com"})
    await app.refused("auth.register", 400, content=b'{"email": ')
    await app.refused("auth.login", 401, json=CONTRACT.sent("auth.login", password="wrong"))


async def test_what_needs_a_token_refuses_none_and_a_bad_one(app_of_events: App) -> None:
    path = {"event_id": 1, "booking_id": 1, "facilitator_id": 1}
    for each in CONTRACT.endpoints:
        if each["auth"] == "bearer":
            id = each["id"].partition(".")[2]
            await app_of_events.refused(id, 401, path=path, json={})
            await app_of_events.refused(id, 401, path=path, json={}, who="nonsense")


async def test_the_refresh_token_comes_in_the_header_or_the_body_and_stays_good(app_of_events: App) -> None:
    app = app_of_events
    first = await app.good("auth.refresh", who=app.refresh)
    again = await app.good("auth.refresh", json={"refresh_token": app.refresh})
    for fresh in (first, again):
        await app.good("auth.profile", who=fresh["access_token"])
    await app.refused("auth.refresh", 401)
    await app.refused("auth.refresh", 401, who=app.ann)


async def test_events_are_found_filtered_and_paged(app_of_events: App) -> None:
    app = app_of_events
    found = await app.good("events.list", who=app.ann)
    assert found["pagination"] == {"page": 1, "pages": 1, "per_page": 10, "total": 2, "has_next": False, "has_prev": False}
    first = found["events"][0]
    assert (first["event_type"], first["status"], first["price"], first["available_spots"]) == ("SESSION", "ACTIVE", 25.0, 20)
    assert first["start_datetime"] == f"{app.event.starts_at:%Y-%m-%dT%H:%M:%S}"
    for asked, titles in (
        ({"type": "retreat"}, ["Silent Weekend"]),
        ({"type": "SESSION", "search": "mindful"}, [app.event.title]),
        ({"search": "100%"}, []),
        ({"facilitator_id": 1, "per_page": 1, "page": 2}, ["Silent Weekend"]),
        ({"facilitator_id": 99}, []),
        ({"status": "cancelled"}, []),
    ):
        answer = await app.ask("events.list", who=app.ann, params=asked)
        assert [each["title"] for each in answer.json()["events"]] == titles, asked
    assert "type" in await app.refused("events.list", 400, who=app.ann, params={"type": "party"})
    assert (await app.good("events.types", who=app.ann))["event_types"] == CONTRACT.shown("events.types")["event_types"]
    assert (await app.good("events.get", who=app.ann, path={"event_id": app.event.id}))["event"] == first
    await app.refused("events.get", 404, who=app.ann, path={"event_id": 999})
    await app.refused("events.get", 404, who=app.ann, path={"event_id": "no-id"})


async def test_only_active_events_are_shown_unless_asked_otherwise(app_of_events: App, database: Database) -> None:
    app = app_of_events
    async with database.sessions.begin() as db:
        await db.execute(update(Event).where(Event.id == app.event.id).values(status="completed"))
    for asked, title in (({}, "Silent Weekend"), ({"status": "active"}, "Silent Weekend"), ({"status": "completed"}, app.event.title)):
        found = (await app.ask("events.list", who=app.ann, params=asked)).json()["events"]
        assert [each["title"] for each in found] == [title]


async def test_a_booking_is_made_found_and_cancelled(app_of_events: App) -> None:
    app = app_of_events
    made = await app.booked()
    assert (made["booking"]["status"], made["booking"]["payment_status"], made["crm_notified"]) == ("CONFIRMED", "pending", True)
    mine = {"booking_id": made["booking"]["id"]}
    assert (await app.good("bookings.list", who=app.ann))["bookings"] == [made["booking"]]
    for asked, total in (({"upcoming": "true", "status": "confirmed"}, 1), ({"status": "CANCELLED"}, 0)):
        assert (await app.ask("bookings.list", who=app.ann, params=asked)).json()["pagination"]["total"] == total
    assert (await app.good("bookings.get", who=app.ann, path=mine))["booking"] == made["booking"]
    assert (await app.good("bookings.cancel", who=app.ann, path=mine))["message"] == "Booking cancelled successfully"
    assert (await app.good("bookings.get", who=app.ann, path=mine))["booking"]["status"] == "CANCELLED"
    await app.refused("bookings.cancel", 409, who=app.ann, path=mine)


async def test_a_booking_is_refused_as_decided(app_of_events: App, database: Database) -> None:
    app = app_of_events
    made = await app.booked()
    assert await app.refused("bookings.create", 409, who=app.ann, json={"event_id": app.event.id}) == "You have booked this event already."
    await app.refused("bookings.create", 404, who=app.ann, json={"event_id": 999})
    assert "event_id" in await app.refused("bookings.create", 400, who=app.ann, json={})
    eve = CONTRACT.sent("auth.register", email="eve@example.com", phone="+15550002222")
    await app.http.post("/events/api/auth/register", json=eve)
    token = (await app.http.post("/events/api/auth/login", json={"email": eve["email"], "password": eve["password"]})).json()
    await app.refused("bookings.get", 404, who=token["access_token"], path={"booking_id": made["booking"]["id"]})
    await app.refused("bookings.cancel", 404, who=token["access_token"], path={"booking_id": made["booking"]["id"]})
    async with database.sessions.begin() as db:
        await db.execute(update(Event).where(Event.id == app.event.id).values(max_participants=1))
    assert await app.refused("bookings.create", 409, who=token["access_token"], json={"event_id": app.event.id}) == "This event is full."
    async with database.sessions.begin() as db:
        past = {"starts_at": soon(-2), "ends_at": soon(-2) + timedelta(hours=1)}
        await db.execute(update(Event).where(Event.id == app.event.id).values(**past))
        await db.execute(update(Booking).values(**past))
    await app.refused("bookings.create", 400, who=token["access_token"], json={"event_id": app.event.id})
    await app.refused("bookings.cancel", 409, who=app.ann, path={"booking_id": made["booking"]["id"]})


async def test_facilitators_are_found_and_sign_in(app_of_events: App) -> None:
    app = app_of_events
    assert [each["name"] for each in (await app.good("facilitators.list", who=app.ann))["facilitators"]] == ["Jane Smith"]
    await app.good("facilitators.get", who=app.ann, path={"facilitator_id": 1})
    await app.refused("facilitators.get", 404, who=app.ann, path={"facilitator_id": 99})
    assert len((await app.good("facilitators.events", who=app.ann, path={"facilitator_id": 1}))["events"]) == 2
    await app.refused("facilitators.events", 404, who=app.ann, path={"facilitator_id": 99})
    signed_in = await app.good("facilitators.login", json={"email": "jane@example.com", "password": PASSWORD})
    assert signed_in["facilitator"]["id"] == 1
    await app.refused("facilitators.login", 401, json={"email": "jane@example.com", "password": "wrong"})
    await app.refused("facilitators.login", 403, json=CONTRACT.sent("auth.login"))


async def test_google_opens_an_account_with_the_documented_token(app_of_events: App) -> None:
    app = app_of_events
    first = await app.good("auth.google-login", json=CONTRACT.sent("auth.google-login"))
    again = await app.good("auth.google-login", json=CONTRACT.sent("auth.google-login"))
    assert first["user"] == again["user"]
    assert first["user"]["email"] == "google.user@example.com"
    for token in ("", "nonsense"):
        await app.refused("auth.google-login", 401, json={"token": token})


async def test_health_tells_that_the_database_answers(app_of_events: App) -> None:
    assert await app_of_events.good("health.check") == {"status": "healthy", "database": "connected"}


async def test_unknown_paths_and_methods_are_refused_in_the_documented_words(app_of_events: App) -> None:
    for method, path, status in (("GET", "/events/api/no/such/path", 404), ("DELETE", "/events/api/events/", 405)):
        answer = await app_of_events.http.request(method, path)
        assert (answer.status_code, set(answer.json())) == (status, {"error"})


async def test_events_are_found_at_the_root_too(app_of_events: App) -> None:
    headers = {"Authorization": f"Bearer {app_of_events.ann}"}
    answer = await app_of_events.http.get("/api/events/", headers=headers)
    assert answer.json()["pagination"]["total"] == 2
