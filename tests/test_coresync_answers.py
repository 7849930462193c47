"""CoreSync's documented examples, played by John, who is a member, and Ann, who is not."""

import hashlib
import hmac
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from models.catalogue import Category, Service, ServiceLine, SpaService
from models.database import Database
from models.identity import User
from models.memberships import Plan
from models.rooms import Device, DeviceType, Scene, SceneType
from tests.documented import Contract, differences
from tests.members import save_card
from tests.worlds import Spa, make_member, make_spa

CONTRACT = Contract("coresync")
DAY = (datetime.now(UTC).date() + timedelta(days=9)).isoformat()
PAST = (datetime.now(UTC).date() - timedelta(days=9)).isoformat()
USER = CONTRACT.shown("auth.login")["user"]
SERVICES = CONTRACT.shown("services.list")
ANN = {"email": "ann@example.com", "password": "password123", "first_name": "Ann", "phone": "+15550001111"}
ASKED: ContextVar[bool] = ContextVar("asked", default=False)


@dataclass
class App:
    """An old client with whoever is signed in."""

    http: httpx2.AsyncClient
    spa: Spa
    john: str
    ann: str

    async def ask(self, id: str, *, who: str | None = None, path: dict[str, Any] | None = None, **details: Any) -> httpx2.Response:
        """A call of a documented endpoint."""
        endpoint = CONTRACT[id]
        headers = {**({"Authorization": f"Bearer {who}"} if who else {}), **details.pop("headers", {})}
        url = "/coresync" + endpoint["path"].format_map(path or {})
        return await self.http.request(endpoint["method"], url, headers=headers, **details)

    async def good(self, id: str, *, status: int = 200, shape: Any = None, **details: Any) -> Any:
        """The body of an answer that is as documented."""
        answer = await self.ask(id, **details)
        assert answer.status_code == status, answer.text
        assert list(differences(CONTRACT.shown(id) if shape is None else shape, answer.json())) == []
        return answer.json()

    async def refused(self, id: str, status: int, **details: Any) -> dict[str, Any]:
        """The error of an answer that is a refusal in the documented words."""
        answer = await self.ask(id, **details)
        assert answer.status_code == status, answer.text
        body: dict[str, Any] = answer.json()
        shape = {**CONTRACT.error, "error": {"code": "", "message": "", "details": {"$any": "object"}}}
        assert list(differences(shape, body)) == []
        assert body["request_id"] == answer.headers["x-request-id"]
        error: dict[str, Any] = body["error"]
        return error

    async def booked(self, hour: str = "14:00", **changes: Any) -> Any:
        """A booking of John's."""
        return await self.good("bookings.create", who=self.john, json=self.booking(hour, **changes), status=201)

    def booking(self, hour: str = "14:00", **changes: Any) -> dict[str, Any]:
        """The documented request, for our spa."""
        rooms, addons = self.spa.rooms, self.spa.addons
        ours = {"service_id": self.spa.service.id, "room_id": rooms[0].id, "addons": [each.id for each in addons]}
        return CONTRACT.sent("bookings.create", **{**ours, "date": DAY, "start_time": hour, **changes})


@pytest.fixture
async def app(client: httpx2.AsyncClient, database: Database) -> App:
    """The spa, with John who is a member and Ann who is not."""
    spa = await make_spa(database)
    async with database.sessions.begin() as db:
        await db.execute(update(Service).values(is_featured=True, short_description="Personalized"))
        await db.execute(
            update(SpaService).values(
                main_image="/media/massage.jpg", video_url="https://example.com/v", gallery_images=["/media/services/massage1.jpg"]
            )
        )
        await db.execute(update(Category).values(image="/media/mensuite.jpg", featured_technologies=["smart_mirror"]))
        device = Device(room_id=spa.rooms[0].id, name="Main Lighting System", device_type=DeviceType.LIGHTING, zone="mensuite_main")
        device.state = {"brightness": 70, "color": "#ff9500", "mode": "warm"}
        settings = CONTRACT.shown("iot.scenes-list")[0]["device_settings"]
        scene = Scene(name="Swiss Alps", slug="swiss-alps", zone="mensuite_main", device_settings=settings, description="Mountains")
        scene.scene_type, scene.is_public = SceneType.PRESET, True
        db.add_all([device, scene])
    tokens = {}
    for name, body in (("john", CONTRACT.sent("auth.register")), ("ann", ANN)):
        answer = await client.post("/coresync/api/auth/register/", json=body)
        tokens[name] = answer.json()["access"]
    async with database.sessions() as db:
        john = (await db.scalars(select(User).where(User.email == "user@example.com"))).one()
    await make_member(database, john)
    return App(client, spa, **tokens)


async def test_registering_and_signing_in_answer_tokens_and_user(app: App) -> None:
    shape = {"access": "", "refresh": "", "user": USER}
    eve = {**ANN, "email": "eve@example.com", "phone": "(555) 222-3333"}
    assert (await app.good("auth.register", json=eve, status=201, shape=shape))["user"]["membership_status"] == "none"
    john = await app.good("auth.login", json=CONTRACT.sent("auth.login"))
    assert (john["user"]["membership_status"], john["user"]["is_member"]) == ("premium", True)


async def test_a_refresh_token_of_coresync_is_good_more_than_once(app: App) -> None:
    refresh = (await app.good("auth.login", json=CONTRACT.sent("auth.login")))["refresh"]
    for _ in range(2):
        access = (await app.good("auth.refresh", json={"refresh": refresh}))["access"]
        assert (await app.ask("users.profile-get", who=access)).status_code == 200
    assert (await app.refused("auth.refresh", 401, json={"refresh": "nonsense"}))["code"] == "UNAUTHENTICATED"


async def test_wrong_registrations_are_refused_field_by_field(app: App) -> None:
    twin = {**ANN, "phone": "+15553334444"}
    assert (await app.refused("auth.register", 409, json=twin))["details"] == {"email": ["This cannot be used."]}
    error = await app.refused("auth.register", 422, json={"password": "password123", "phone": "call me"})
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["email"] == ["This field is required"]
    assert list(error["details"]) == ["email", "phone"]
    assert (await app.refused("auth.register", 400, content=b'{"email": '))["code"] == "BAD_REQUEST"
    assert (await app.refused("auth.login", 401, json={"email": "user@example.com", "password": "wrong-password"}))["details"] == {}


async def test_a_profile_is_read_and_changed_in_part(app: App) -> None:
    before = await app.good("users.profile-get", who=app.john)
    assert before["membership_plan"]["name"] == "Unlimited"
    after = await app.good(
        "users.profile-update", who=app.john, json={"sms_notifications": True}, shape=CONTRACT.shown("users.profile-get")
    )
    assert after == {**before, "sms_notifications": True}
    assert (await app.refused("users.profile-update", 422, who=app.ann, json={"phone": "call me"}))["details"].keys() == {"phone"}
    assert (await app.good("users.profile-get", who=app.ann, shape={}))["membership_plan"] is None


@pytest.mark.parametrize("id", ["users.profile-get", "memberships.my-membership", "bookings.my-bookings", "iot.devices-list"])
async def test_what_needs_a_token_refuses_none_and_a_bad_one(app: App, id: str) -> None:
    assert (await app.refused(id, 401))["code"] == "UNAUTHENTICATED"
    assert (await app.refused(id, 401, who="nonsense"))["code"] == "UNAUTHENTICATED"


async def test_the_catalogue_is_as_documented(app: App) -> None:
    await app.good("services.categories", shape=CONTRACT.shown("services.categories")[:1])
    listed = await app.good("services.list", params={"category": "mensuite", "featured": "true"})
    service = listed["results"][0]
    assert (service["category"], service["member_price"], service["non_member_price"]) == ("mensuite", "150.00", "200.00")
    assert (await app.good("services.mensuite", shape=SERVICES)) == listed
    assert (await app.good("services.coresync-private", shape={}))["results"] == []
    whole = {**CONTRACT.shown("services.get"), "addons": SERVICES["results"][0]["addons"]}
    await app.good("services.get", path={"slug": "ai-massage-therapy"}, shape=whole)
    assert (await app.refused("services.get", 404, path={"slug": "no-such-service"}))["code"] == "NOT_FOUND"


async def test_services_of_other_lines_are_not_coresyncs(app: App, database: Database) -> None:
    async with database.sessions.begin() as db:
        home = Category(line=ServiceLine.HOME, name="Facial", slug="facial")
        db.add(home)
        await db.flush()
        db.add(Service(line=ServiceLine.HOME, category_id=home.id, name="Facial - Minimal", slug="facial-minimal", price=Decimal(1000)))
    assert [each["slug"] for each in await app.good("services.categories", shape=[])] == ["mensuite"]
    assert (await app.good("services.list", shape={}))["count"] == 1
    await app.refused("services.get", 404, path={"slug": "facial-minimal"})


async def test_memberships_are_as_documented(app: App) -> None:
    plans = await app.good("memberships.plans", shape=[])
    assert list(differences(CONTRACT.shown("memberships.plans")[2], plans[0])) == []
    await app.good("memberships.my-membership", who=app.john)
    await app.refused("memberships.my-membership", 404, who=app.ann)


async def test_a_membership_is_joined_by_the_saved_card_as_documented(app: App, database: Database) -> None:
    async with database.sessions.begin() as db:
        plan = Plan(name="Spa", slug="spa", price=Decimal("299.00"), monthly_service_credits=2, benefits=["Everything"])
        ann = (await db.scalars(select(User).where(User.email == ANN["email"]))).one()
        db.add(plan)
    sent = CONTRACT.sent("memberships.upgrade", plan_id=plan.id)
    assert (await app.refused("memberships.upgrade", 422, who=app.ann, json=sent))["details"].keys() == {"payment_method"}
    await save_card(database, ann)
    joined = await app.good("memberships.upgrade", who=app.ann, json=sent)
    assert list(differences(CONTRACT.shown("memberships.my-membership"), joined["membership"])) == []
    assert (joined["success"], joined["payment"]["amount"], joined["payment"]["status"]) == (True, "299.00", "charged")
    assert (await app.good("memberships.my-membership", who=app.ann))["plan"]["name"] == "Spa"
    await app.refused("memberships.upgrade", 409, who=app.ann, json=sent)
    await app.refused("memberships.upgrade", 404, who=app.ann, json={**sent, "plan_id": 999_999})
    await app.refused("memberships.upgrade", 401, json=sent)


async def test_a_membership_that_the_bank_asks_about_is_not_a_success_yet(app: App, database: Database) -> None:
    async with database.sessions.begin() as db:
        db.add(plan := Plan(name="Spa", slug="spa", price=Decimal("299.00")))
    sent = CONTRACT.sent("memberships.upgrade", plan_id=plan.id, payment_method="pm_card_authenticationRequired")
    asked = (await app.ask("memberships.upgrade", who=app.ann, json=sent)).json()
    assert (asked["success"], asked["membership"], asked["payment"]["status"]) == (False, None, "pending")
    assert asked["client_secret"].startswith(asked["payment"]["payment_intent_id"])
    declined = await app.refused("memberships.upgrade", 402, who=app.ann, json={**sent, "payment_method": "pm_card_chargeDeclined"})
    assert declined["details"] == {"reason": "generic_decline", "stripe_code": "card_declined"}


async def test_a_slot_is_found_booked_seen_moved_and_cancelled(app: App) -> None:
    wanted = {"date": DAY, "service_id": app.spa.service.id, "duration": 60}
    slots = (await app.good("bookings.availability", params=wanted))["available_slots"]
    assert (slots[0]["room_id"], slots[0]["room_name"]) == (app.spa.rooms[0].id, "Room 1")
    booked = await app.booked(slots[0]["start_time"])
    assert (booked["date"], booked["start_time"], booked["payment_status"]) == (DAY, slots[0]["start_time"], "pending")
    assert booked["service"]["id"] == app.spa.service.id
    mine = await app.good("bookings.my-bookings", who=app.john)
    assert [(each["id"], each["can_cancel"]) for each in mine["upcoming"]] == [(booked["id"], True)]
    moved = await app.good(
        "bookings.reschedule",
        who=app.john,
        path={"id": booked["id"]},
        json={"date": DAY, "start_time": slots[-1]["start_time"], "room_id": slots[-1]["room_id"]},
        shape=CONTRACT.shown("bookings.create"),
    )
    assert (moved["id"], moved["start_time"]) == (booked["id"], slots[-1]["start_time"])
    await app.good("bookings.cancel", who=app.john, path={"id": booked["id"]}, json={"reason": "Plans changed"}, shape={})
    after = await app.good("bookings.my-bookings", who=app.john, shape={"upcoming": [], "past": mine["upcoming"]})
    assert (after["upcoming"], after["past"][0]["status"]) == ([], "cancelled")


async def test_a_booking_is_refused_as_decided(app: App) -> None:
    booked = await app.booked()
    taken = await app.refused("bookings.create", 409, who=app.ann, json=app.booking())
    assert taken["code"] == "SLOT_TAKEN"
    assert len(taken["details"]["next_slots"]) == 3
    await app.refused("bookings.create", 401, json=app.booking())
    await app.refused("bookings.create", 422, who=app.john, json=app.booking(date=PAST))
    for id in ("bookings.cancel", "bookings.reschedule"):
        await app.refused(id, 404, who=app.ann, path={"id": booked["id"]}, json={"date": DAY, "start_time": "10:00"})
        await app.refused(id, 404, who=app.john, path={"id": "no-id"}, json={"date": DAY, "start_time": "10:00"})
    error = await app.refused("bookings.create", 422, who=app.john, json={"date": "tomorrow", "start_time": "25:00", "service_id": "x"})
    assert error["details"].keys() == {"date", "start_time"}
    error = await app.refused("bookings.create", 422, who=app.john, json=app.booking("15:00", addons=[999999]))
    assert error["details"].keys() == {"addons"}
    error = await app.refused("bookings.create", 422, who=app.john, json=app.booking("15:00", scene_name="No such scene"))
    assert error["details"].keys() == {"scene_name"}
    assert (await app.refused("bookings.availability", 422, params={"date": "tomorrow", "service_id": 1}))["details"].keys() == {"date"}


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-Idempotency-Key"])
async def test_a_repeat_under_its_key_answers_the_same_and_books_once(app: App, header: str) -> None:
    first = await app.ask("bookings.create", who=app.john, json=app.booking(), headers={header: "booking-1"})
    again = await app.ask("bookings.create", who=app.john, json=app.booking(), headers={header: "booking-1"})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert first.status_code == 201
    assert len((await app.good("bookings.my-bookings", who=app.john, shape={}))["upcoming"]) == 1
    other = await app.ask("bookings.create", who=app.john, json=app.booking("16:00"), headers={header: "booking-1"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")


async def test_a_booking_is_paid_by_a_card_that_is_kept(app: App) -> None:
    booked = await app.booked()
    wanted = CONTRACT.sent("payments.create-intent", booking_id=booked["id"], amount=booked["total_amount"])
    intent = await app.good("payments.create-intent", who=app.john, json=wanted, status=201)
    assert (intent["amount"], intent["currency"]) == (int(Decimal(booked["total_amount"]) * 100), "usd")
    confirmed = {"payment_intent_id": intent["payment_intent_id"], "payment_method_id": "pm_card_visa"}
    paid = await app.good("payments.confirm", who=app.john, json=confirmed)
    assert (paid["status"], paid["payment"]["amount"]) == ("succeeded", booked["total_amount"])
    [card] = await app.good("payments.saved-cards", who=app.john)
    assert (card["brand"], card["last4"], card["is_default"]) == ("visa", "4242", True)
    [seen] = (await app.good("bookings.my-bookings", who=app.john, shape={}))["upcoming"]
    assert seen["status"] == "confirmed"


async def test_a_payment_is_refused_as_decided(app: App) -> None:
    booked = await app.booked()
    wanted = CONTRACT.sent("payments.create-intent", booking_id=booked["id"], amount="much")
    assert (await app.refused("payments.create-intent", 422, who=app.john, json=wanted))["details"].keys() == {"amount"}
    wrong = {**wanted, "amount": "1.00"}
    assert (await app.refused("payments.create-intent", 422, who=app.john, json=wrong))["details"].keys() == {"amount"}
    right = {**wanted, "amount": booked["total_amount"]}
    await app.refused("payments.create-intent", 404, who=app.ann, json=right)
    intent = (await app.good("payments.create-intent", who=app.john, json=right, status=201))["payment_intent_id"]
    declined = {"payment_intent_id": intent, "payment_method_id": "pm_card_chargeDeclined"}
    assert (await app.refused("payments.confirm", 402, who=app.john, json=declined))["code"] == "PAYMENT_FAILED"
    await app.refused("payments.confirm", 404, who=app.ann, json=declined)


async def test_stripes_webhook_needs_stripes_signature(app: App) -> None:
    event = b'{"id": "evt_1", "object": "event", "type": "payment_intent.created", "data": {"object": {"id": "pi_1"}}}'
    moment = str(int(time.time()))
    signature = hmac.new(b"whsec_demo", moment.encode() + b"." + event, hashlib.sha256).hexdigest()
    for _ in range(2):
        headers = {"Stripe-Signature": f"t={moment},v1={signature}"}
        assert await app.good("payments.stripe-webhook", content=event, headers=headers, shape={"received": True})
    for headers in ({}, {"Stripe-Signature": "nonsense"}, {"Stripe-Signature": f"t={moment},v1={'0' * 64}"}):
        await app.refused("payments.stripe-webhook", 400, content=event, headers=headers)


async def test_devices_are_listed_and_set(app: App) -> None:
    [device] = await app.good("iot.devices-list", who=app.john, params={"location": "mensuite_main", "device_type": "Lighting"})
    set_ = await app.good("iot.device-control", who=app.john, path={"id": device["id"]}, json=CONTRACT.sent("iot.device-control"))
    assert (set_["success"], set_["device_status"]["brightness"]) == (True, 80)
    await app.refused("iot.device-control", 404, who=app.john, path={"id": 999999}, json=CONTRACT.sent("iot.device-control"))
    await app.refused("iot.device-control", 404, who=app.ann, path={"id": device["id"]}, json=CONTRACT.sent("iot.device-control"))
    bad = CONTRACT.sent("iot.device-control", value="very")
    assert (await app.refused("iot.device-control", 422, who=app.john, path={"id": device["id"]}, json=bad))["details"].keys() == {"value"}


async def test_scenes_are_listed_made_and_activated(app: App) -> None:
    await app.good("iot.scenes-list", who=app.john)
    wanted = CONTRACT.sent("iot.scene-create", location="mensuite_main", device_settings={"lighting": {"brightness": 20}})
    scene = await app.good("iot.scene-create", who=app.john, json=wanted, status=201, shape={"id": 1, "scene_type": "", "location": ""})
    assert (scene["name"], scene["is_public"]) == ("My Custom Scene", False)
    activated = await app.good("iot.scene-activate", who=app.john, path={"id": scene["id"]}, shape={"success": True})
    assert activated["scene"]["usage_count"] == 1
    await app.refused("iot.scene-activate", 404, who=app.ann, path={"id": scene["id"]})


async def test_every_answer_names_the_graphql_operation_that_replaces_it(app: App) -> None:
    for id in ("services.list", "bookings.availability"):
        link = (await app.ask(id)).headers["link"]
        text = await app.http.get(link.partition(">")[0][1:])
        assert text.status_code == 200
        assert text.text.startswith("query ")


async def test_the_replacing_operation_answers_at_graphql_with_the_same_data(app: App) -> None:
    old = await app.ask("services.list")
    text = (await app.http.get(old.headers["link"].partition(">")[0][1:])).text
    new = (await app.http.post("/graphql", json={"query": text, "variables": {"category": "mensuite"}})).json()
    assert new["data"]["services"]["count"] == old.json()["count"]
    assert new["data"]["services"]["results"][0]["member_price"] == old.json()["results"][0]["member_price"]


@pytest.mark.parametrize(
    ("id", "most", "details"),
    [
        ("services.categories", 1, {}),
        ("services.list", 3, {}),
        ("services.get", 3, {"path": {"slug": "ai-massage-therapy"}}),
        ("bookings.availability", 3, {"params": {"date": DAY, "service_id": 1}}),
        ("users.profile-get", 2, {}),
        ("bookings.my-bookings", 3, {}),
        ("iot.devices-list", 2, {}),
    ],
)
async def test_an_answer_costs_few_statements_however_long_it_is(
    app: App, monkeypatch: pytest.MonkeyPatch, id: str, most: int, details: dict[str, Any]
) -> None:
    """One to know who asks where a token is shown, one for the rows, one for each list in them, one for the count."""
    await app.booked("10:00")
    await app.booked("15:00", room_id=app.spa.rooms[1].id)
    reads: list[Database] = []
    reading = Database.reading

    def counted(database: Database) -> Any:
        if ASKED.get():  # what runs beside the request does not count
            reads.append(database)
        return reading(database)

    monkeypatch.setattr(Database, "reading", counted)
    needs = CONTRACT[id]["auth"] == "bearer"
    asked = ASKED.set(True)
    answer = await app.ask(id, who=app.john if needs else None, **details)
    ASKED.reset(asked)
    assert answer.status_code == 200
    assert len(reads) <= most
