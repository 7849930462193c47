"""CoreSync's documented examples about preferences, recommendations and history, played by an old client."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from models.bookings import BookingAddon, BookingStatus
from models.database import Database
from models.identity import User
from models.rooms import Device, DeviceType, Scene, SceneType
from resolvers.population import refresh_population
from tests.documented import Contract, differences
from tests.visiting import had, make_visit
from tests.worlds import Spa, make_spa

CONTRACT = Contract("coresync")
LIKED = {**CONTRACT.shown("users.preferences-get"), "scene_config": {"lighting": {"brightness": 60}}}


@dataclass
class Client:
    """John's app, at a spa that he knows."""

    http: httpx2.AsyncClient
    spa: Spa
    john: User
    token: str

    async def ask(self, id: str, body: Any = None, *, token: str | None = None) -> httpx2.Response:
        """A call of a documented endpoint."""
        endpoint, sent = CONTRACT[id], {} if body is None else {"json": body}
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"} if token != "" else {}
        return await self.http.request(endpoint["method"], "/coresync" + endpoint["path"], headers=headers, **sent)

    async def good(self, id: str, body: Any = None, shape: Any = None) -> Any:
        """The body of an answer that is as documented."""
        answer = await self.ask(id, body)
        assert answer.status_code == 200, answer.text
        assert list(differences(CONTRACT.shown(id) if shape is None else shape, answer.json())) == []
        return answer.json()

    async def refused(self, id: str, status: int, body: Any = None, *, token: str | None = None) -> dict[str, Any]:
        """The details of a refusal in the documented words."""
        answer = await self.ask(id, body, token=token)
        assert answer.status_code == status, answer.text
        shape = {**CONTRACT.error, "error": {"code": "", "message": "", "details": {"$any": "object"}}}
        assert list(differences(shape, answer.json())) == []
        found: dict[str, Any] = answer.json()["error"]["details"]
        return found


@pytest.fixture
async def john(app: Starlette, client: httpx2.AsyncClient, database: Database) -> Client:
    spa = await make_spa(database)
    answer = await client.post("/coresync/api/auth/register/", json=CONTRACT.sent("auth.register"))
    async with database.sessions.begin() as db:
        person = (await db.scalars(select(User))).one()
        db.add(Device(room_id=spa.rooms[0].id, name="Lamp", device_type=DeviceType.LIGHTING, zone="suite"))
        scene = Scene(name="Swiss Alps", slug="swiss-alps", zone="suite", device_settings={"lighting": {"brightness": 60}})
        scene.scene_type, scene.is_public = SceneType.PRESET, True
        db.add(scene)
    return Client(client, spa, person, answer.json()["access"])


async def test_preferences_are_sent_as_they_are_answered(john: Client) -> None:
    fresh = await john.good("users.preferences-get", shape={**LIKED, "default_scene_name": None, "favorite_scents": [], "scene_config": {}})
    assert fresh["default_scene_name"] is None
    assert await john.good("users.preferences-update", LIKED, shape=LIKED) == LIKED
    assert await john.good("users.preferences-get") == LIKED
    changed = await john.good("users.preferences-update", {"music_volume": 5, "default_scene_name": None, "unknown": 1}, shape=LIKED)
    assert changed == {**LIKED, "music_volume": 5}
    wrong = {"music_volume": "loud", "scent_intensity": 2.5}
    assert (await john.refused("users.preferences-update", 422, wrong)).keys() == {"music_volume", "scent_intensity"}
    assert (await john.refused("users.preferences-update", 422, {"music_volume": 101})).keys() == {"music_volume"}
    await john.refused("users.preferences-get", 401, token="")


async def test_a_room_is_set_by_the_documented_request(john: Client, database: Database) -> None:
    now = datetime.now(UTC)
    visit = await make_visit(database, john.spa, john.john, john.spa.service, now - timedelta(minutes=5), status=BookingStatus.CONFIRMED)
    wishes = {"scene": "swiss_alps", "lighting": {"brightness": 40}, "temperature": 72, "music": {"volume": 25}}
    done = await john.good("mobile.sync-preferences", {"booking_id": visit.id, "preferences": wishes}, shape={})
    assert (done["success"], done["booking_id"], done["status"], done["failed_devices"]) == (True, visit.id, "done", [])
    bare = await john.good("mobile.sync-preferences", {"booking_id": visit.id}, shape={})
    assert bare["success"]
    assert (await john.refused("mobile.sync-preferences", 422, {"preferences": wishes})).keys() == {"booking_id"}
    bad = {"booking_id": visit.id, "preferences": {"lighting": {"brightness": "very"}}}
    assert (await john.refused("mobile.sync-preferences", 422, bad)).keys() == {"preferences"}
    await john.refused("mobile.sync-preferences", 422, {"booking_id": visit.id, "preferences": "warm"})
    await john.refused("mobile.sync-preferences", 404, {"booking_id": 999_999, "preferences": wishes})
    await john.refused("mobile.sync-preferences", 401, {"booking_id": visit.id}, token="")


async def test_recommendations_have_their_reasons_and_take_feedback(john: Client, app: Starlette, database: Database) -> None:
    await had(database, john.spa, john.john, john.spa.service, 70, 50, 30)
    await refresh_population(app.state.runtime.context(request_id="req_test", address="test"))
    documented = CONTRACT.shown("ai.recommendations")
    found = await john.good("ai.recommendations", shape={**documented, "recommendations": []})
    service, reminder = found["recommendations"]
    assert list(differences({"id": 1, **documented["recommendations"][0]}, service)) == []
    assert list(differences({"id": 2, **documented["recommendations"][1]}, reminder)) == []
    assert set(service).isdisjoint({"message", "action"})
    assert (reminder["type"], reminder["action"]) == ("reminder", "book_treatment")
    assert found["last_service"] == {"name": "AI Massage Therapy", "date": found["last_service"]["date"], "days_ago": 30}
    assert found["optimal_frequency"]["recommended_interval_days"] == 20
    answer = CONTRACT.sent("ai.feedback", recommendation_id=service["id"])
    assert await john.good("ai.feedback", answer, shape={}) == {
        "recommendation_id": service["id"], "action": "accepted", "feedback": "Great suggestion!",
    }  # fmt: skip
    again = await john.good("ai.recommendations", shape={})
    assert service["id"] not in [each["id"] for each in again["recommendations"]]
    assert (await john.refused("ai.feedback", 422, {**answer, "action": "maybe"})).keys() == {"action"}
    await john.refused("ai.feedback", 404, {**answer, "recommendation_id": 999_999_999})
    await john.refused("ai.recommendations", 401, token="")


async def test_who_is_new_is_answered_too(john: Client) -> None:
    found = await john.good("ai.recommendations", shape={})
    assert found == {"last_service": None, "recommendations": [], "optimal_frequency": None}
    history = await john.good("analytics.service-history", shape={})
    assert (history["total_visits"], history["total_spent"], history["services"], history["monthly_stats"]) == (0, "0.00", [], {})


async def test_the_history_is_as_documented_and_takes_ratings(john: Client, database: Database) -> None:
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    visit = await make_visit(database, john.spa, john.john, john.spa.service, noon, paid="150.00", rating=4)
    async with database.sessions.begin() as db:
        db.add(BookingAddon(booking_id=visit.id, addon_id=john.spa.addons[0].id, name="LED Light Therapy", price=john.spa.addons[0].price))
    documented = {**CONTRACT.shown("analytics.service-history"), "monthly_stats": {}}
    documented["services"] = [{**documented["services"][0], "staff_notes": None}]
    found = await john.good("analytics.service-history", shape=documented)
    assert found["services"] == [
        {
            "id": visit.id, "service_name": "AI Massage Therapy", "date": "2026-01-15", "price_paid": "150.00", "rating": 4,
            "addons": ["LED Light Therapy"], "staff_notes": None,
        }
    ]  # fmt: skip
    assert found["monthly_stats"] == {"january_2026": {"visits": 1, "spent": "150.00"}}
    await john.good("analytics.rate-service", CONTRACT.sent("analytics.rate-service", service_history_id=visit.id), shape={})
    assert (await john.good("analytics.service-history", shape={}))["services"][0]["rating"] == 5
    six = CONTRACT.sent("analytics.rate-service", service_history_id=visit.id, rating=6)
    assert (await john.refused("analytics.rate-service", 422, six)).keys() == {"rating"}
    await john.refused("analytics.rate-service", 404, CONTRACT.sent("analytics.rate-service", service_history_id=999_999))
    await john.refused("analytics.service-history", 401, token="")
