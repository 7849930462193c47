"""Following bookings and devices on a real server: who sees what."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, update

import clock
from engine import watching
from engine.runtime import Runtime
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.database import Database
from models.identity import Role, User, UserRole
from models.rooms import Device, DeviceType
from resolvers.bookings import BookingEventKind
from resolvers.device_events import DeviceEventKind
from resolvers.sessions import SignedIn
from subscriptions import bookings, rooms
from subscriptions.facts import announce
from subscriptions.log import Cursor
from tests.browser import open_page
from tests.following import CANCEL, DEVICES, FOLLOW, FOLLOW_ONE, book
from tests.people import join
from tests.sockets import post, talking, until
from tests.worlds import Spa, make_member

RUN, ANSWER = "document.querySelector('.graphiql-execute-button').click()", "document.querySelector('.graphiql-response').textContent"


async def test_an_appointment_is_seen_by_its_customer_and_the_staff_and_by_nobody_else(
    server: str, client: httpx2.AsyncClient, people: Callable[..., Awaitable[SignedIn]], spa: Spa
) -> None:
    ann, bob, eve = await people(), await people(Role.SUPPORT), await people(Role.PROVIDER, Role.MANAGEMENT)
    async with (
        talking(server, ann.access_token) as hers,
        talking(server, bob.access_token) as his,
        talking(server, eve.access_token) as other,
    ):
        for talk in (hers, his, other):
            await talk.ask(FOLLOW)
        await asyncio.sleep(0.1)
        made = await book(client, ann, spa)
        for talk in (hers, his):
            event = await talk.event()
            assert event["kind"] == "REQUESTED"
            assert event["booking"] == {"number": made["number"], "status": "PENDING", "room": {"name": "Room 1"}}
            assert Cursor.parse(event["cursor"])
        await hers.ask(FOLLOW_ONE, "one", id=made["id"])
        await other.ask(FOLLOW_ONE, "one", id=made["id"])
        assert await other.refusal("one") == "NOT_FOUND"
        await asyncio.sleep(0.1)
        await post(client, ann.access_token, CANCEL, id=made["id"])
        heard = {(await hers.hear())["id"]: True for _ in range(2)}
        assert set(heard) == {"1", "one"}
        assert (await his.event())["booking"]["status"] == "CANCELLED"
        assert await other.is_silent()


async def test_only_what_is_asked_for_is_read_and_events_without_rows_cost_no_statement(
    server: str,
    runtime: Runtime,
    client: httpx2.AsyncClient,
    people: Callable[..., Awaitable[SignedIn]],
    spa: Spa,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = await people()
    asked: list[str] = []
    run = runtime.database.run

    async def counted(text: str, arguments: list[Any]) -> Any:
        asked.append(text)
        return await run(text, arguments)

    async with talking(server, ann.access_token) as talk:
        await talk.ask("subscription { bookingEvents { kind } }", "bare")
        await talk.ask("subscription { bookingEvents { booking { status service { name } } } }", "full")
        await asyncio.sleep(0.1)
        made = await book(client, ann, spa)
        assert {(await talk.hear())["id"] for _ in range(2)} == {"bare", "full"}
        monkeypatch.setattr(runtime.database, "run", counted)
        async with runtime.database.sessions.begin() as db:
            await announce(db, bookings.BookingConfirmed(await db.get_one(Booking, made["number"])))
        runtime.stream.wake()
        assert {(await talk.hear())["id"] for _ in range(2)} == {"bare", "full"}
        assert len(asked) == 1
        assert "special_requests" not in asked[0]


async def test_staff_that_lost_the_role_hears_no_more(
    server: str,
    database: Database,
    client: httpx2.AsyncClient,
    people: Callable[..., Awaitable[SignedIn]],
    spa: Spa,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    ann, bob = await people(), await people(Role.FINANCE)
    async with talking(server, bob.access_token) as talk:
        await talk.ask(FOLLOW)
        await asyncio.sleep(0.1)
        await book(client, ann, spa, hour=9)
        await talk.event()
        async with database.sessions.begin() as db:
            await db.execute(delete(UserRole).where(UserRole.user_id == bob.user.id, UserRole.role == Role.FINANCE))
        await book(client, ann, spa, hour=10)
        assert await talk.is_silent()
        mine = await book(client, bob, spa, hour=11)
        assert (await talk.event())["booking"]["number"] == mine["number"]


async def test_a_blocked_person_is_disconnected_before_the_next_event(
    server: str,
    database: Database,
    client: httpx2.AsyncClient,
    people: Callable[..., Awaitable[SignedIn]],
    spa: Spa,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    ann, bob = await people(), await people(Role.ADMIN)
    async with talking(server, bob.access_token) as talk:
        await talk.ask(FOLLOW)
        await asyncio.sleep(0.1)
        async with database.sessions.begin() as db:
            await db.execute(update(User).where(User.id == bob.user.id).values(is_active=False))
        await book(client, ann, spa)
        assert await talk.end(2) == 4401


async def make_device(database: Database, room_id: int, zone: str) -> Device:
    async with database.sessions.begin() as db:
        device = Device(room_id=room_id, name=f"Lights of {zone}", device_type=DeviceType.LIGHTING, zone=zone, state={"brightness": 1})
        db.add(device)
    return device


async def make_visit(database: Database, guest: SignedIn, spa: Spa, room: int, *, began: timedelta, length: timedelta) -> int:
    """An appointment that began a while ago."""
    starts_at = clock.now() - began
    async with database.sessions.begin() as db:
        booking = Booking(
            kind=BookingKind.APPOINTMENT, customer_id=guest.user.id, service_id=spa.service.id,
            location_id=spa.location.id, starts_at=starts_at, ends_at=starts_at + length, status=BookingStatus.CONFIRMED,
            total_amount=0, currency="USD",
        )  # fmt: skip
        db.add(booking)
        await db.flush()
        db.add(Appointment(booking_id=booking.id, room_id=spa.rooms[room].id))
    return booking.id


async def change(runtime: Runtime, device: Device) -> None:
    async with runtime.context(request_id="r", address="a").writing() as db:
        await announce(db, rooms.DeviceChanged(device))


async def test_devices_are_followed_by_those_who_may_set_them(
    server: str, runtime: Runtime, database: Database, people: Callable[..., Awaitable[SignedIn]], spa: Spa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    one, two = [await make_device(database, room.id, f"zone_{room.number}") for room in spa.rooms]
    guest, member, staff, stranger = await people(), await people(), await people(Role.SUPPORT), await people()
    await make_member(database, member.user)
    start = str(runtime.stream.cursor)
    await change(runtime, one)  # before the guest came
    await asyncio.sleep(0.3)
    visit = await make_visit(database, guest, spa, 0, began=timedelta(minutes=-15, seconds=0.1), length=timedelta(hours=1))
    async with AsyncExitStack() as stack:
        talks = {
            name: await stack.enter_async_context(talking(server, person.access_token))
            for name, person in {"guest": guest, "member": member, "staff": staff, "stranger": stranger}.items()
        }
        await talks["stranger"].ask(DEVICES)
        assert await talks["stranger"].refusal() == "FORBIDDEN"
        await talks["stranger"].ask(DEVICES, room=str(spa.rooms[0].id))
        assert await talks["stranger"].refusal() == "NOT_FOUND"
        await talks["guest"].ask(DEVICES, device=str(two.id))
        assert await talks["guest"].refusal() == "NOT_FOUND"
        await talks["guest"].ask(DEVICES, after=start)
        await talks["guest"].ask(DEVICES, "room", room=str(spa.rooms[0].id))
        for name in ("member", "staff"):
            await talks[name].ask(DEVICES, after=start)
            await talks[name].ask(DEVICES, "zone", zone="zone_2")
            assert (await talks[name].event())["device"]["name"] == "Lights of zone_1"
        await asyncio.sleep(0.2)
        await change(runtime, two)
        await change(runtime, one)
        for name in ("member", "staff"):
            heard = [await talks[name].hear() for _ in range(3)]
            assert sorted((each["id"], each["payload"]["data"]["deviceEvents"]["device"]["name"][-1]) for each in heard) == [
                ("1", "1"), ("1", "2"), ("zone", "2"),
            ]  # fmt: skip
        heard = [await talks["guest"].hear() for _ in range(2)]
        assert {each["id"] for each in heard} == {"1", "room"}
        assert all(each["payload"]["data"]["deviceEvents"]["device"]["name"][-1] == "1" for each in heard)
        assert await talks["guest"].is_silent(0.3)
        async with database.sessions.begin() as db:
            await db.execute(update(Booking).where(Booking.id == visit).values(status=BookingStatus.CANCELLED))
        await change(runtime, one)
        refused = [await talks["guest"].hear() for _ in range(2)]
        assert {each["type"] for each in refused} == {"error"}
        assert {each["payload"][0]["extensions"]["code"] for each in refused} == {"FORBIDDEN", "NOT_FOUND"}


def test_every_fact_about_bookings_and_devices_has_its_kind() -> None:
    facts: list[Any] = [*bookings.BookingFact.__subclasses__(), *rooms.DeviceFact.__subclasses__(), rooms.CommandAnswered]
    assert {each.kind for each in facts} == {*BookingEventKind, *DeviceEventKind}


async def test_graphiql_follows_with_the_client_that_browsers_use(
    client: httpx2.AsyncClient, server: str, runtime: Runtime, spa: Spa
) -> None:
    ann = await join(runtime.context(request_id="people", address="people"), email="user@example.com", password="password123")
    async with open_page(f"{server}/graphiql") as page:
        await page.until("document.querySelectorAll('.graphiql-tab').length > 1")
        await page.until("document.querySelector('.graphiql-query-editor').textContent.includes('signIn')")
        await page.value(RUN)
        await page.until(f"{ANSWER}.includes('accessToken')")
        await page.value(f"document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue({json.dumps(FOLLOW)})")
        await asyncio.sleep(0.5)
        await page.value(RUN)
        await until(lambda: f"user:{ann.user.id}" in runtime.stream._followers, 10)
        made = await book(client, ann, spa)
        await page.until(f"{ANSWER}.includes('REQUESTED') && {ANSWER}.includes('\"number\": {made['number']}')")
        assert page.complaints == []
