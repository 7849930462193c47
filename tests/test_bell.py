"""What people find in the app under the bell, and what they choose to be told where."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from errors import Undeliverable
from models.database import Database
from models.identity import Role, User
from models.newsletter import MarketingConsent
from models.notifications import RULES, Channel, NotificationKind, OutboxMessage, PushDevice
from resolvers.context import Context
from resolvers.delivery import send_notification
from resolvers.samples import SAMPLES
from settings import Settings
from tests.sockets import talking
from tests.telling import Post, bell, in_production, outbox, person, tell, work_off
from tests.test_identity_graphql import Door

LIST = "query ($unread: Boolean) { unreadNotifications myNotifications(unread: $unread) { nodes { id number kind title message isRead } } }"
READ = "mutation ($id: ID!) { markNotificationRead(id: $id) { isRead readAt } }"
READ_ALL = "mutation { markAllNotificationsRead { count } }"
PREFERENCES = """
fragment P on NotificationPreferences {
  emailNotifications smsNotifications pushNotifications bookingReminders promotionalOffers kinds { kind channel isWanted isNecessary }
}
query Read { myNotificationPreferences { ...P } }
"""
CHOOSE = PREFERENCES.replace("query Read {", "mutation Choose($patch: NotificationPreferencesPatch!) {").replace(
    "myNotificationPreferences", "updateNotificationPreferences(patch: $patch)"
)
REGISTER = (
    'mutation ($token: String!) { registerPushDevice(pushToken: $token, platform: IOS, name: "Ann\'s phone") { number platform name } }'
)
FOLLOW = "subscription { notificationEvents { cursor kind notification { title isRead } } }"
KIND = NotificationKind.BOOKING_CONFIRMED


@pytest.fixture
async def ctx(app: Starlette) -> Context:
    ctx: Context = app.state.runtime.context(request_id="bell", address="bell")
    return ctx


@pytest.fixture
async def ann(client: httpx2.AsyncClient, database: Database, settings: Settings) -> tuple[Door, User]:
    return await person(client, database, settings, first_name="Ann", phone="+15550100")


async def test_everybody_reads_their_own_and_nobody_else_s(
    ctx: Context, ann: tuple[Door, User], client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    door, user = ann
    other, _ = await person(client, database, settings)
    for number in range(3):
        await tell(ctx, user, cause=f"cause {number}")
    assert await tell(ctx, user, cause="cause 1") is None
    found = await door.data(LIST)
    assert found["unreadNotifications"] == 3
    newest, *_ = nodes = found["myNotifications"]["nodes"]
    assert len(nodes) == 3
    assert (newest["kind"], newest["title"], newest["isRead"]) == ("BOOKING_CONFIRMED", "Appointment confirmed", False)
    assert newest["message"] == "Your AI Massage Therapy appointment on Friday, 15 January 2027 at 2:00 PM is confirmed."
    assert await other.code(READ, id=newest["id"]) == "NOT_FOUND"
    first = (await door.data(READ, id=newest["id"]))["markNotificationRead"]
    assert first["isRead"]
    assert (await door.data(READ, id=newest["id"]))["markNotificationRead"] == first
    assert [each["number"] for each in (await door.data(LIST, unread=True))["myNotifications"]["nodes"]] == [2, 1]
    assert (await door.data(READ_ALL))["markAllNotificationsRead"] == {"count": 2}
    assert (await door.data(READ_ALL))["markAllNotificationsRead"] == {"count": 0}
    assert (await other.data(LIST)) == {"unreadNotifications": 0, "myNotifications": {"nodes": []}}
    assert await Door(client).code(LIST) == "UNAUTHENTICATED"


async def test_a_list_of_notifications_is_one_statement(
    ctx: Context, ann: tuple[Door, User], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, user = ann
    for _ in range(5):
        await tell(ctx, user)
    await door.data("{ myNotifications { nodes { title message isRead } } }")
    asked: list[str] = []
    run = database.__class__.run

    async def counted(self: Database, text: str, arguments: list[Any]) -> Any:
        asked.append(text)
        return await run(self, text, arguments)

    monkeypatch.setattr(Database, "run", counted)
    await door.data("{ myNotifications { nodes { title message isRead } } }")
    assert len(asked) == 1


async def test_what_is_told_and_read_is_followed_by_its_reader_alone(
    server: str, ctx: Context, ann: tuple[Door, User], client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    door, user = ann
    staff, _ = await person(client, database, settings, Role.ADMIN)
    async with talking(server, door.token) as hers, talking(server, staff.token) as theirs:
        await hers.ask(FOLLOW)
        await theirs.ask(FOLLOW)
        await asyncio.sleep(0.1)
        made = await tell(ctx, user)
        event = await hers.event()
        assert (event["kind"], event["notification"]) == ("CREATED", {"title": "Appointment confirmed", "isRead": False})
        assert made
        await door.data(READ, id=made.id)
        event = await hers.event()
        assert (event["kind"], event["notification"]["isRead"]) == ("READ", True)
        assert await theirs.is_silent()


async def test_a_message_goes_where_its_reader_wants_it_once(ctx: Context, ann: tuple[Door, User], database: Database) -> None:
    door, user = ann
    await door.data(REGISTER, token="phone-1")
    await door.data(REGISTER, token="phone-2")
    choices = [{"kind": "BOOKING_CONFIRMED", "channel": "SMS", "isWanted": True}]
    await door.data(CHOOSE, patch={"smsNotifications": True, "kinds": choices})
    made = await tell(ctx, user)
    assert made
    await asyncio.gather(*(_run_twice(ctx, made.id) for _ in range(2)))
    sent = [(each.channel, each.to) for each in await outbox(database)]
    assert sent == [(Channel.EMAIL, user.email), (Channel.SMS, user.phone), (Channel.PUSH, "phone-1"), (Channel.PUSH, "phone-2")]
    email, sms, push, _ = await outbox(database)
    assert email.subject == "Your booking CS-2026-123 is confirmed: AI Massage Therapy"
    assert "<html" in (email.html or "")
    assert (sms.subject, sms.html, push.subject) == ("", None, "Appointment confirmed")
    assert sms.body == push.body == made.message


async def _run_twice(ctx: Context, number: int) -> None:
    await send_notification(ctx, number, SAMPLES[KIND])


@pytest.mark.parametrize(
    ("patch", "left"),
    [
        ({}, {Channel.EMAIL, Channel.PUSH}),
        ({"emailNotifications": False}, {Channel.PUSH}),
        ({"pushNotifications": False}, {Channel.EMAIL}),
        ({"kinds": [{"kind": "BOOKING_CONFIRMED", "channel": "EMAIL", "isWanted": False}]}, {Channel.PUSH}),
        ({"kinds": [{"kind": "BOOKING_CONFIRMED", "channel": "SMS", "isWanted": True}]}, {Channel.EMAIL, Channel.PUSH}),
        ({"kinds": [{"kind": "BOOKING_MOVED", "channel": "EMAIL", "isWanted": False}]}, {Channel.EMAIL, Channel.PUSH}),
    ],
)
async def test_each_switch_stops_its_channel_or_kind_and_nothing_else(
    ctx: Context, ann: tuple[Door, User], database: Database, patch: dict[str, Any], left: set[Channel]
) -> None:
    door, user = ann
    await door.data(REGISTER, token="phone-1")
    await door.data(CHOOSE, patch=patch)
    await tell(ctx, user)
    await work_off(ctx)
    assert {each.channel for each in await outbox(database)} == left
    assert len(await bell(database, user)) == 1


@pytest.mark.parametrize("kind", [each for each, rule in RULES.items() if rule.is_necessary])
async def test_what_is_necessary_comes_whatever_is_switched_off(
    ctx: Context, ann: tuple[Door, User], database: Database, kind: NotificationKind
) -> None:
    door, user = ann
    off = {"emailNotifications": False, "smsNotifications": False, "pushNotifications": False}
    await door.data(CHOOSE, patch=off)
    assert await door.code(CHOOSE, patch={"kinds": [{"kind": kind.name, "channel": "EMAIL", "isWanted": False}]}) == "BAD_USER_INPUT"
    await tell(ctx, user, kind)
    await work_off(ctx)
    assert [(each.channel, each.to) for each in await outbox(database)] == [(Channel.EMAIL, user.email)]
    async with database.sessions.begin() as db:
        (await db.get_one(User, user.id)).email = None
    await tell(ctx, user, kind)
    await work_off(ctx)
    assert [(each.channel, each.to) for each in await outbox(database)][1:] == [(Channel.SMS, user.phone)]


async def test_preferences_are_shown_as_they_were_chosen(ann: tuple[Door, User], database: Database) -> None:
    door, user = ann
    usual = (await door.data(PREFERENCES))["myNotificationPreferences"]
    assert {name: usual[name] for name in usual if name != "kinds"} == {
        "emailNotifications": True,
        "smsNotifications": False,
        "pushNotifications": True,
        "bookingReminders": True,
        "promotionalOffers": False,
    }
    assert {"kind": "PAYMENT_RECEIPT", "channel": "EMAIL", "isWanted": True, "isNecessary": True} in usual["kinds"]
    changed = await door.data(CHOOSE, patch={"bookingReminders": False, "promotionalOffers": True, "smsNotifications": True})
    after = changed["updateNotificationPreferences"]
    assert (after["bookingReminders"], after["promotionalOffers"], after["smsNotifications"]) == (False, True, True)
    assert {each["isWanted"] for each in after["kinds"] if each["kind"] == "BOOKING_REMINDER"} == {False}
    assert (await door.data(PREFERENCES))["myNotificationPreferences"] == after
    async with database.sessions() as db:
        [consent] = await db.scalars(select(MarketingConsent))
    assert (consent.email, consent.purpose, consent.source, consent.withdrawn_at) == (user.email, "special_offers", "preferences", None)
    await door.data(CHOOSE, patch={"promotionalOffers": False})
    async with database.sessions() as db:
        [consent] = await db.scalars(select(MarketingConsent))
    assert consent.withdrawn_at is not None
    assert await door.code(CHOOSE, patch={"kinds": [{"kind": "SPECIAL_OFFER", "channel": "EMAIL", "isWanted": True}]}) == "BAD_USER_INPUT"
    many = [{"kind": "BOOKING_MOVED", "channel": "SMS", "isWanted": True}] * 101
    assert await door.code(CHOOSE, patch={"kinds": many}) == "BAD_USER_INPUT"


async def test_a_device_belongs_to_whoever_signed_in_last_and_goes_with_that_session(
    ann: tuple[Door, User], client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    door, _ = ann
    other, bob = await person(client, database, settings)
    made = (await door.data(REGISTER, token="shared"))["registerPushDevice"]
    assert (made["platform"], made["name"]) == ("IOS", "Ann's phone")
    assert (await other.data(REGISTER, token="shared"))["registerPushDevice"]["number"] == made["number"]
    assert (await door.data("{ myPushDevices { number } }"))["myPushDevices"] == []
    gone = "mutation ($id: ID!) { removePushDevice(id: $id) { number } }"
    assert await door.code(gone, id=made["number"]) == "NOT_FOUND"
    await other.data(REGISTER, token="second")
    assert len((await other.data(gone, id=made["number"]))["removePushDevice"]) == 1
    await other.data("mutation { signOut { ended } }")
    async with database.sessions() as db:
        assert await db.scalar(select(func.count()).where(PushDevice.user_id == bob.id)) == 0
    assert await door.code(REGISTER, token=" ") == "BAD_USER_INPUT"


async def test_however_many_devices_come_at_once_twenty_stay(ann: tuple[Door, User], database: Database) -> None:
    door, user = ann
    answers = await asyncio.gather(*(door.ask(REGISTER, token=f"phone-{number}") for number in range(30)))
    assert sum("errors" not in each for each in answers) == 20
    async with database.sessions() as db:
        assert await db.scalar(select(func.count()).where(PushDevice.user_id == user.id)) == 20


async def test_a_dead_device_is_forgotten_and_the_others_get_their_push(ctx: Context, ann: tuple[Door, User], database: Database) -> None:
    door, user = ann
    for token in ("dead", "alive"):
        await door.data(REGISTER, token=token)
    push = Post(Undeliverable("Firebase knows no such device."))
    await tell(ctx, user)
    await work_off(in_production(ctx, mail=Post(), push=push))
    assert [each[0] for each in push.sent] == ["alive"]
    async with database.sessions() as db:
        assert list(await db.scalars(select(PushDevice.token))) == ["alive"]
    [failed] = await outbox(database, OutboxMessage.failed_at.is_not(None))
    assert (failed.to, failed.failure) == ("dead", "Firebase knows no such device.")


async def test_a_channel_that_the_house_does_not_have_is_not_used(ctx: Context, ann: tuple[Door, User], database: Database) -> None:
    door, user = ann
    await door.data(REGISTER, token="phone-1")
    await tell(ctx, user)
    await work_off(ctx.but(settings=ctx.settings.model_copy(update={"message_channels": "email"})))
    assert [each.channel for each in await outbox(database)] == [Channel.EMAIL]
