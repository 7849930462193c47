"""CoreSync's forms and notifications as its old clients know them."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from models.database import Database
from models.notifications import NotificationKind
from resolvers.context import Context
from settings import Settings
from tests.documented import Contract, differences
from tests.telling import outbox, person, tell
from tests.test_identity_graphql import Door

CONTRACT = Contract("coresync")


class Client:
    """An old client."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def ask(self, id: str, *, who: Door | None = None, path: dict[str, Any] | None = None, **details: Any) -> httpx2.Response:
        endpoint = CONTRACT[id]
        headers = {"Authorization": f"Bearer {who.token}"} if who else {}
        return await self.http.request(
            endpoint["method"], "/coresync" + endpoint["path"].format_map(path or {}), headers=headers, **details
        )


@pytest.fixture
def old(client: httpx2.AsyncClient) -> Client:
    return Client(client)


async def test_notifications_are_listed_as_documented_and_read(
    old: Client, app: Starlette, client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    ctx: Context = app.state.runtime.context(request_id="old", address="old")
    john, user = await person(client, database, settings)
    ann, _ = await person(client, database, settings)
    made = await tell(ctx, user, NotificationKind.BOOKING_REMINDER, action_url="/bookings/123")
    assert made
    listed = (await old.ask("notifications.list", who=john)).json()
    assert list(differences(CONTRACT.shown("notifications.list"), listed)) == []
    assert {**listed[0], "created_at": ""} == {
        "id": made.id,
        "type": "booking_reminder",
        "title": "Appointment Tomorrow",
        "message": "Your AI Massage Therapy appointment is tomorrow at 2:00 PM.",
        "created_at": "",
        "read": False,
        "action_url": "/bookings/123",
    }
    assert (await old.ask("notifications.mark-read", who=ann, path={"id": made.id})).status_code == 404
    assert (await old.ask("notifications.mark-read", path={"id": made.id})).status_code == 401
    for _ in range(2):
        answer = await old.ask("notifications.mark-read", who=john, path={"id": made.id})
        assert (answer.status_code, answer.json()["read"]) == (200, True)
    assert (await old.ask("notifications.list", who=john)).json()[0]["read"] is True
    assert (await old.ask("notifications.list")).status_code == 401


async def test_preferences_answer_what_was_sent(old: Client, client: httpx2.AsyncClient, database: Database, settings: Settings) -> None:
    john, _ = await person(client, database, settings)
    sent = CONTRACT.sent("notifications.preferences-update")
    assert (await old.ask("notifications.preferences-update", who=john, json=sent)).json() == sent
    partly = (await old.ask("notifications.preferences-update", who=john, json={"promotional_offers": True})).json()
    assert partly == {**sent, "promotional_offers": True}
    profile = (await client.get("/coresync/api/users/profile/", headers={"Authorization": f"Bearer {john.token}"})).json()
    assert (profile["email_notifications"], profile["sms_notifications"]) == (True, False)
    wrong = await old.ask("notifications.preferences-update", who=john, json={"sms_notifications": "perhaps"})
    assert (wrong.status_code, list(wrong.json()["error"]["details"])) == (422, ["sms_notifications"])


async def test_the_documented_forms_are_taken(old: Client, database: Database) -> None:
    contact = await old.ask("forms.contact", json=CONTRACT.sent("forms.contact"))
    assert contact.status_code == 201
    assert contact.json() == {
        "success": True,
        "message": "Thank you for your inquiry",
        "submission_id": f"CONT-{datetime.now(UTC).year}-001",
    }
    inquiry = await old.ask("forms.membership-inquiry", json=CONTRACT.sent("forms.membership-inquiry"))
    assert (inquiry.status_code, inquiry.json()["submission_id"][:4]) == (201, "MEM-")
    newsletter = await old.ask("forms.newsletter", json=CONTRACT.sent("forms.newsletter"))
    assert (newsletter.status_code, newsletter.json()["success"]) == (201, True)
    assert [each.to for each in await outbox(database)] == ["john@example.com"]


@pytest.mark.parametrize(
    ("id", "change", "field"),
    [
        ("forms.contact", {"message": None}, "message"),
        ("forms.contact", {"message": "  "}, "message"),
        ("forms.contact", {"email": "nobody"}, "email"),
        ("forms.contact", {"phone": "12"}, "phone"),
        ("forms.membership-inquiry", {"preferred_services": ["x"] * 21}, "preferred_services"),
        ("forms.membership-inquiry", {"first_name": ""}, "first_name"),
        ("forms.newsletter", {"email": None}, "email"),
        ("forms.newsletter", {"marketing_emails": False, "service_updates": False, "special_offers": False}, "marketing_emails"),
    ],
)
async def test_a_bad_field_is_named_as_its_client_knows_it(old: Client, id: str, change: dict[str, Any], field: str) -> None:
    answer = await old.ask(id, json=CONTRACT.sent(id, **change))
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert (error["code"], list(error["details"])) == ("VALIDATION_ERROR", [field])


async def test_forms_are_limited_in_the_documented_words(old: Client) -> None:
    for number in range(10):
        assert (await old.ask("forms.contact", json=CONTRACT.sent("forms.contact", email=f"{number}@example.com"))).status_code == 201
    refused = await old.ask("forms.contact", json=CONTRACT.sent("forms.contact"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert int(refused.headers["retry-after"]) > 0
