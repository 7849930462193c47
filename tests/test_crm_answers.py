"""The CRM's documented examples, played by an old client through its prefix and its own port."""

from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from engine.execute import Engine
from models.crm import CrmSource
from models.database import Database
from models.identity import Role
from rest_compat.endpoint import Endpoint
from rest_compat.opening import open_doors
from rest_compat.usage import Usage
from settings import Settings
from tests.attending import attend, make_event, make_facilitator
from tests.documented import Contract, differences
from tests.people import join, nobody
from tests.sql import sql
from tests.worlds import make_person

CONTRACT = Contract("crm")
TOKEN = "crm-static-bearer-token-123"
STATISTICS = ("total_bookings", "session_bookings", "retreat_bookings", "recent_bookings", "unique_users", "unique_events")


@dataclass
class Desk:
    """The desk's program."""

    http: httpx2.AsyncClient
    prefix: str = "/crm"

    async def ask(self, id: str, body: Any = None, *, token: str | None = TOKEN, query: Any = None, **path: Any) -> httpx2.Response:
        """A call of a documented endpoint."""
        endpoint = CONTRACT[id]
        sent = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = self.prefix + endpoint["path"].format(**path)
        return await self.http.request(endpoint["method"], address, headers=headers, params=query, **sent)

    async def good(self, id: str, body: Any = None, *, shape: Any = None, query: Any = None, **path: Any) -> Any:
        """The body of an answer that is as documented."""
        answer = await self.ask(id, body, query=query, **path)
        assert answer.status_code == 200, answer.text
        assert list(differences(CONTRACT.shown(id) if shape is None else shape, answer.json())) == []
        return answer.json()

    async def refused(self, status: int, id: str, body: Any = None, **about: Any) -> str:
        """The sentence of a refusal in the documented words."""
        answer = await self.ask(id, body, **about)
        assert answer.status_code == status, answer.text
        assert list(answer.json()) == ["error"]
        return str(answer.json()["error"])

    async def notify(self, number: int = 1, **changes: Any) -> Any:
        return await self.good("notify.receive", {**CONTRACT.sent("notify.receive"), "booking_id": number, **changes})


@pytest.fixture
def desk(client: httpx2.AsyncClient) -> Desk:
    return Desk(client)


def test_routes_equal_the_contract_in_both_directions(settings: Settings) -> None:
    doors = open_doors(settings, Engine(settings, raw=True), Usage())
    routes = {(each.method, each.path): each for each in doors.systems["crm"].table.routes}
    assert set(routes) == {(each["method"], each["path"]) for each in CONTRACT.endpoints}
    for each in CONTRACT.endpoints:
        route: Any = routes[each["method"], each["path"]]
        assert route.is_open == (each["auth"] == "none"), each["id"]
        if isinstance(route, Endpoint):
            assert {variable.name for variable in route.variables} >= {*each["query"], *(each["request"] or {})}, each["id"]


async def test_a_notice_is_taken_found_and_told_again_without_a_double(desk: Desk) -> None:
    first = await desk.notify()
    assert first["status"] == "success"
    again = await desk.notify(notes="Changed my mind", facilitator_id=2)
    assert again["notification_id"] == first["notification_id"]
    found = await desk.good("bookings.get", booking_id=1)
    assert (found["booking"]["id"], found["booking"]["notes"], found["booking"]["facilitator_id"]) == (
        first["notification_id"], "Changed my mind", 2,
    )  # fmt: skip
    assert found["booking"]["event"]["start_datetime"] == "2024-01-15T07:00:00"
    listed = await desk.good("bookings.list")
    assert listed["summary"] == {"total_notifications": 1, "filtered_results": 1}
    cancelled = await desk.notify(status="cancelled")
    assert cancelled["notification_id"] == first["notification_id"]
    assert (await desk.good("bookings.get", booking_id=1))["booking"]["status"] == "cancelled"


async def test_what_is_wrong_with_a_notice_is_said_in_one_sentence(desk: Desk) -> None:
    whole = CONTRACT.sent("notify.receive")
    for name in ("booking_id", "user", "event", "facilitator_id"):
        sent = {key: value for key, value in whole.items() if key != name}
        assert await desk.refused(400, "notify.receive", sent) == f"{name}: This field is required"
    assert "user" in await desk.refused(400, "notify.receive", {**whole, "user": {"id": 1}})
    assert "event" in await desk.refused(400, "notify.receive", {**whole, "event": {**whole["event"], "type": "party"}})
    assert "booking_id" in await desk.refused(400, "notify.receive", {**whole, "booking_id": 0})
    assert "booking_date" in await desk.refused(400, "notify.receive", {**whole, "booking_date": "yesterday"})
    assert await desk.refused(400, "notify.receive", b'{"booking_id": ')
    assert await desk.refused(400, "notify.receive", {**whole, "booking_id": 2**40})
    assert (await desk.good("bookings.list", shape={}))["bookings"] == []


async def test_whoever_does_not_show_the_token_learns_nothing(desk: Desk, database: Database, settings: Settings) -> None:
    for each in CONTRACT.endpoints:
        id = each["id"].partition(".")[2]
        path = {"booking_id": 1, "facilitator_id": 1}
        if each["auth"] == "none":
            assert (await desk.ask(id, token=None)).status_code == 200
            assert (await desk.ask(id, token="nonsense")).status_code == 200
            continue
        await desk.refused(401, id, each["request"], token=None, **path)
        await desk.refused(401, id, each["request"], token="nonsense", **path)
    guest = await join(nobody(database, settings))
    await desk.refused(403, "bookings.list", token=guest.access_token)
    support = await join(nobody(database, settings), Role.SUPPORT)
    assert (await desk.ask("bookings.list", token=support.access_token)).status_code == 200


async def test_the_token_opens_the_crm_and_nothing_else(desk: Desk) -> None:
    for path in ("/coresync/api/users/profile/", "/coresync/api/bookings/my-bookings/"):
        answer = await desk.http.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 401, path
    asked = await desk.http.post("/graphql", json={"query": "{ crmNotices { totalCount } }"}, headers={"Authorization": f"Bearer {TOKEN}"})
    assert "UNAUTHENTICATED" in asked.text


async def test_lists_are_filtered_counted_and_cut_into_pages(desk: Desk) -> None:
    for number in range(1, 13):
        event = {**CONTRACT.sent("notify.receive")["event"], "id": number % 3 + 1, "type": "retreat" if number % 4 == 0 else "session"}
        user = {**CONTRACT.sent("notify.receive")["user"], "id": number}
        await desk.notify(number, event=event, user=user, facilitator_id=number % 2 + 1)
    await desk.good("bookings.update-status", {"crm_status": "contacted"}, booking_id=3)
    first = await desk.good("bookings.list")
    assert [each["booking_id"] for each in first["bookings"]] == list(range(12, 2, -1))
    assert first["pagination"] == {"page": 1, "per_page": 10, "total": 12, "pages": 2, "has_next": True, "has_prev": False}
    assert first["filters_applied"] == dict.fromkeys(("facilitator_id", "event_id", "user_id", "status", "crm_status"))
    second = await desk.good("bookings.list", query={"page": 2, "per_page": 5})
    assert [each["booking_id"] for each in second["bookings"]] == list(range(7, 2, -1))
    asked = {"facilitator_id": 2, "event_id": 1, "user_id": 3, "status": "RECEIVED", "crm_status": "Contacted", "per_page": 500}
    found = await desk.good("bookings.list", query=asked)
    assert [each["booking_id"] for each in found["bookings"]] == [3]
    assert found["summary"] == {"total_notifications": 12, "filtered_results": 1}
    assert found["filters_applied"]["crm_status"] == "contacted"
    assert found["filters_applied"]["facilitator_id"] == 2
    assert found["pagination"]["per_page"] == 100
    assert await desk.refused(400, "bookings.list", query={"crm_status": "lost"}) == (
        "crm_status: This must be one of: new, reviewed, contacted, confirmed, completed."
    )
    assert (await desk.ask("bookings.list", query={"status": "unheard"})).json()["bookings"] == []
    assert "page" in await desk.refused(400, "bookings.list", query={"page": "first"})


async def test_statuses_move_freely_and_every_step_is_kept(desk: Desk, database: Database) -> None:
    await desk.notify()
    said = await desk.good("bookings.update-status", CONTRACT.sent("bookings.update-status"), booking_id=1)
    assert (said["booking_id"], said["old_status"], said["new_status"]) == (1, "new", "contacted")
    for status in ("completed", "new", "confirmed", "reviewed"):
        said = await desk.good("bookings.update-status", {"crm_status": status}, booking_id=1)
        assert said["new_status"] == status
    kept = await sql(database, "SELECT old_status, new_status, note FROM crm_moves ORDER BY id")
    assert [each["new_status"] for each in kept] == ["contacted", "completed", "new", "confirmed", "reviewed"]
    assert (kept[0]["old_status"], kept[0]["note"]) == ("new", "Called customer to confirm attendance")
    await desk.refused(400, "bookings.update-status", {"crm_status": "lost"}, booking_id=1)
    await desk.refused(400, "bookings.update-status", {"notes": "no status"}, booking_id=1)
    await desk.refused(404, "bookings.update-status", {"crm_status": "new"}, booking_id=2)
    await desk.refused(404, "bookings.get", booking_id=2)
    await desk.refused(404, "bookings.get", booking_id="nothing")


async def test_a_facilitators_bookings_and_dashboard_are_counted(desk: Desk, database: Database) -> None:
    event = CONTRACT.sent("notify.receive")["event"]
    user = CONTRACT.sent("notify.receive")["user"]
    for number in range(1, 9):
        type_ = "retreat" if number > 5 else "session"
        booked = {**event, "id": 1 if number < 4 else number, "type": type_, "title": f"Event {number}"}
        await desk.notify(number, event=booked, user={**user, "id": number % 3}) if number % 3 else await desk.notify(number, event=booked)
    await desk.notify(99, facilitator_id=2)
    await sql(database, "UPDATE crm_notices SET received_at = now() - interval '8 days' WHERE booking_number IN (1, 2)")
    found = await desk.good("facilitators.bookings", facilitator_id=1)
    assert [found["statistics"][each] for each in STATISTICS] == [8, 5, 3, 6, 2, 6]
    assert found["pagination"]["total"] == 8
    retreats = await desk.good("facilitators.bookings", query={"event_type": "RETREAT", "per_page": 2}, facilitator_id=1)
    assert [each["booking_id"] for each in retreats["bookings"]] == [8, 7]
    assert (retreats["pagination"]["total"], retreats["statistics"]["total_bookings"]) == (3, 8)
    shown = await desk.good("facilitators.dashboard", facilitator_id=1)
    assert shown["summary"]["recent_bookings_count"] == 6
    assert shown["popular_events"][0] == {"event_id": 1, "event_title": "Event 3", "event_type": "session", "booking_count": 3}
    assert [each["booking_id"] for each in shown["recent_bookings"]] == [8, 7, 6, 5, 4, 3]
    assert shown["booking_trends"] == {"sessions_vs_retreats": {"sessions": 5, "retreats": 3}}
    nobody_knows = await desk.good("facilitators.dashboard", shape={}, facilitator_id=12345)
    assert (nobody_knows["summary"]["total_bookings"], nobody_knows["recent_bookings"]) == (0, [])


async def test_an_outside_notice_never_changes_one_of_the_houses_own(desk: Desk, database: Database) -> None:
    event = await make_event(database, await make_facilitator(database))
    booking = await attend(database, event, await make_person(database, "ann"))
    own = (await desk.good("bookings.get", shape={}, booking_id=booking.id))["booking"]
    assert (own["user"]["name"], own["user"]["email"], own["event"]["title"]) == ("Ann", "ann@example.com", event.title)
    before = await sql(database, "SELECT * FROM crm_notices WHERE source = 'own'")
    said = await desk.notify(
        booking.id, notes="I am somebody else", status="cancelled", user={"id": 77, "email": "x@example.com", "name": "X"}
    )
    assert said["notification_id"] == own["id"]
    assert await sql(database, "SELECT * FROM crm_notices WHERE source = 'own'") == before
    assert (await desk.good("bookings.get", shape={}, booking_id=booking.id))["booking"] == own
    listed = await desk.good("bookings.list", shape={})
    assert (len(listed["bookings"]), listed["summary"]["total_notifications"]) == (1, 1)
    aside = await sql(database, "SELECT person_email FROM crm_notices WHERE source = 'outside'")
    assert [each["person_email"] for each in aside] == ["x@example.com"], "nor is it lost"


async def test_what_the_house_sent_on_and_gets_back_is_nothing_new(desk: Desk, database: Database) -> None:
    event = await make_event(database, await make_facilitator(database))
    ann = await make_person(database, "ann")
    booking = await attend(database, event, ann)
    back = {"user": {"id": ann.id, "email": "ann@example.com", "name": "Ann"}, "event": {"id": event.id, "title": "T", "type": "session"}}
    await desk.notify(booking.id, **back)
    assert len(await sql(database, "SELECT FROM crm_notices WHERE source = $1", CrmSource.OUTSIDE)) == 0


async def test_a_number_that_the_house_gives_later_is_shown_as_its_own(desk: Desk, database: Database) -> None:
    await desk.notify(1)
    event = await make_event(database, await make_facilitator(database))
    booking = await attend(database, event, await make_person(database, "ann"))
    assert booking.id == 1
    assert (await desk.good("bookings.get", shape={}, booking_id=1))["booking"]["user"]["name"] == "Ann"
    assert (await desk.good("bookings.list", shape={}))["summary"]["total_notifications"] == 1


async def test_health_counts_for_everybody(desk: Desk) -> None:
    await desk.notify(1)
    await desk.notify(2, facilitator_id=2)
    told = await desk.good("health.check")
    assert (told["notifications_received"], told["unique_facilitators"], told["unique_events"]) == (2, 2, 1)
    assert (told["status"], told["port"]) == ("healthy", 8003)


async def test_the_same_paths_stand_on_the_port_of_the_crm(app: Starlette, settings: Settings) -> None:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://atrium.test:{settings.crm_port}") as http:
        desk = Desk(http, prefix="")
        await desk.notify()
        assert (await desk.good("bookings.list"))["summary"]["total_notifications"] == 1
        assert (await desk.good("health.check"))["status"] == "healthy"
        assert (await http.get("/api/no/such/path")).json() == {"error": "Not found."}


async def test_a_repeat_under_an_idempotency_key_counts_once_from_any_address(desk: Desk, database: Database) -> None:
    await desk.notify()
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Idempotency-Key": "one call"}
    for _ in range(2):
        answer = await desk.http.put("/crm/api/bookings/1/status", json={"crm_status": "contacted"}, headers=headers)
        assert answer.json()["old_status"] == "new"
    assert len(await sql(database, "SELECT FROM crm_moves")) == 1
