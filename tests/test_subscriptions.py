"""Following bookings and devices on real servers: who sees what, and that nobody misses anything."""

import asyncio
import json
import random
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, update
from starlette.applications import Starlette

import clock
from engine import audiences, watching
from engine.runtime import Runtime
from errors import Unavailable
from listening import Server, bind
from main import create_app
from migrations import ROOT
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.database import Database
from models.identity import Role, User, UserRole
from models.rooms import Device, DeviceType
from resolvers.bookings import BookingEventKind
from resolvers.device_events import DeviceEventKind
from resolvers.sessions import SignedIn
from settings import Settings
from subscriptions import bookings, rooms
from subscriptions.facts import announce
from subscriptions.log import Cursor
from tests.browser import open_page
from tests.conftest import in_one_task
from tests.people import join
from tests.program import free_port
from tests.sockets import Talk, followed, post, talking, until
from tests.worlds import Spa, make_member, make_spa, soon

FOLLOW = "subscription($after: String) { bookingEvents(after: $after) { cursor kind at booking { number status room { name } } } }"
FOLLOW = FOLLOW.replace("room { name }", "... on Appointment { room { name } }")
FOLLOW_ONE = "subscription($id: ID!) { bookingEvents(bookingId: $id) { kind booking { number } } }"
DEVICES = """subscription($after: String, $room: ID, $device: ID, $zone: String) {
  deviceEvents(after: $after, roomId: $room, deviceId: $device, zone: $zone) { cursor kind device { name state } command { status } }
}"""
BOOK = """mutation($service: ID!, $at: DateTime!, $room: ID!) {
  bookAppointment(serviceId: $service, startsAt: $at, roomId: $room) { id number }
}"""
RUN, ANSWER = "document.querySelector('.graphiql-execute-button').click()", "document.querySelector('.graphiql-response').textContent"
CANCEL = "mutation($id: ID!) { cancelBooking(id: $id) { number } }"


@pytest.fixture
async def spa(database: Database) -> Spa:
    return await make_spa(database)


@pytest.fixture
def runtime(app: Starlette) -> Runtime:
    runtime: Runtime = app.state.runtime
    return runtime


@pytest.fixture
def people(runtime: Runtime) -> Callable[..., Awaitable[SignedIn]]:
    """Somebody new, signed in, with the roles."""

    async def person(*roles: Role) -> SignedIn:
        return await join(runtime.context(request_id="people", address="people"), *roles)

    return person


async def book(client: httpx2.AsyncClient, person: SignedIn, spa: Spa, *, days: int = 7, hour: int = 14, room: int = 0) -> Any:
    """An appointment, through the HTTP door."""
    told = {"service": spa.service.id, "at": soon(days, hour).isoformat(), "room": spa.rooms[room].id}
    return (await post(client, person.access_token, BOOK, **told))["bookAppointment"]


@asynccontextmanager
async def serving(database_url: str, settings: Settings, port: int = 0) -> AsyncIterator[str]:
    """One more server on a database, with everything of its own."""
    app, started = create_app(settings, database_url), asyncio.Event()
    running = Server(app, settings, started.set)
    async with in_one_task(app.router.lifespan_context(app)):
        with bind("127.0.0.1", port, "PORT") as listener:
            task = asyncio.create_task(running.serve(sockets=[listener]))
            await asyncio.wait_for(started.wait(), 5)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            running.should_exit = True
            await task


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


async def test_whoever_comes_back_misses_nothing_and_hears_nothing_twice(
    server: str, runtime: Runtime, client: httpx2.AsyncClient, people: Callable[..., Awaitable[SignedIn]], spa: Spa
) -> None:
    ann, staff = await people(), await people(Role.ADMIN)
    made = await book(client, ann, spa)
    seen: list[str] = []
    after = str(runtime.stream.cursor)
    total = 300

    async def go_on() -> None:
        for number in range(total):
            async with runtime.context(request_id="r", address="a").writing() as db:
                booking = await db.get_one(Booking, made["number"])
                booking.special_requests = str(number)
                await announce(db, bookings.BookingPaid(booking))

    async def some(talk: Talk) -> None:
        nonlocal after
        while len(seen) < total:
            event = await talk.event()
            after = event["cursor"]
            seen.append(after)

    going, cuts = asyncio.create_task(go_on()), 0
    chance = random.Random(5)  # noqa: S311
    while len(seen) < total:
        async with talking(server, chance.choice([ann, staff]).access_token) as talk:
            await talk.ask(FOLLOW, after=after)
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0, 0.12)):
                    await some(talk)
            cuts += 1
            if chance.random() < 0.5:
                talk.connection.transport.abort()
    await going
    assert len(seen) == len(set(seen)) == total
    assert seen == [str(each) for each in sorted(map(Cursor.parse, seen))]
    assert cuts > 5


async def test_what_is_booked_at_one_process_is_seen_at_another_within_a_second(
    server: str, database_url: str, settings: Settings, client: httpx2.AsyncClient, people: Callable[..., Awaitable[SignedIn]], spa: Spa
) -> None:
    ann = await people()
    async with (
        serving(database_url, settings) as other,
        talking(other, ann.access_token) as there,
        talking(server, ann.access_token) as here,
    ):
        for talk in (there, here):
            await talk.ask(FOLLOW)
        await asyncio.sleep(0.1)
        for hour in range(9, 14):
            began = monotonic()
            made = await book(client, ann, spa, hour=hour)
            event = await there.event()
            assert monotonic() - began < 1
            assert event["booking"]["number"] == made["number"]
            assert (await here.event())["cursor"] == event["cursor"]
        async with talking(server, ann.access_token) as again:
            await again.ask(FOLLOW, after=event["cursor"])
            assert await again.is_silent(0.3)
        await post(client, ann.access_token, "mutation { signOut { ended } }")
        assert await there.end(1) == 4401


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


async def test_two_hundred_connections_hear_of_one_booking(
    server: str, runtime: Runtime, client: httpx2.AsyncClient, people: Callable[..., Awaitable[SignedIn]], spa: Spa
) -> None:
    ann, staff = await people(), [await people(Role.SUPPORT) for _ in range(8)]
    async with AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(talking(server, each.access_token)) for each in staff for _ in range(25)]
        for talk in talks:
            await talk.ask(FOLLOW)
        await until(lambda: runtime.engine.audiences.size("bookings") == 200)
        began = monotonic()
        made = await book(client, ann, spa)
        events = await asyncio.gather(*[talk.event() for talk in talks])
        print(f"200 connections: {monotonic() - began:.2f} s")
        assert {each["booking"]["number"] for each in events} == {made["number"]}
    await until(lambda: not followed(runtime.stream))


async def test_the_documented_client_follows_and_comes_back_after_a_restart(
    client: httpx2.AsyncClient, database_url: str, settings: Settings, runtime: Runtime, spa: Spa
) -> None:
    ann = await join(runtime.context(request_id="people", address="people"), email="user@example.com", password="password123")
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/subscriptions.md").read_text(), re.DOTALL)
    port = free_port()
    code = code.replace("http://localhost:8000", f"http://127.0.0.1:{port}").replace("min(1 + attempt, 10)", "0.1")
    program: asyncio.subprocess.Process | None = None
    async with asyncio.timeout(30):
        try:
            async with serving(database_url, settings, port):
                program = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
                assert program.stdout
                shown = asyncio.create_task(program.stdout.readline())
                hour, first = 9, None
                while not shown.done():  # from when on it follows is not known here, so there is something to see every second
                    first = await book(client, ann, spa, hour=hour)
                    hour += 1
                    await asyncio.wait([shown], timeout=1)
                assert shown.result().startswith(b"REQUESTED {'reference'")
            assert first
            await post(client, ann.access_token, CANCEL, id=first["id"])
            async with serving(database_url, settings, port):
                while not (line := await program.stdout.readline()).startswith(b"CANCELLED {'reference'"):
                    assert line
        finally:
            if program is not None:
                program.kill()
                await program.wait()


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


async def test_clients_that_come_and_go_at_any_moment_leave_nothing_behind(
    server: str, runtime: Runtime, client: httpx2.AsyncClient, people: Callable[..., Awaitable[SignedIn]], spa: Spa
) -> None:
    ann, staff = await people(), await people(Role.ADMIN)
    made = await book(client, ann, spa)
    chance = random.Random(7)  # noqa: S311
    is_over = False

    async def go_on() -> None:
        while not is_over:
            async with runtime.context(request_id="r", address="a").writing() as db:
                await announce(db, bookings.BookingPaid(await db.get_one(Booking, made["number"])))
            await asyncio.sleep(0.005)

    async def come_and_go() -> None:
        for _ in range(15):
            async with talking(server, chance.choice([ann, staff]).access_token) as talk:
                for number in range(chance.randrange(4)):
                    query = chance.choice([FOLLOW, "{ myBookings { nodes { reference service { name } } } }", "{ me { email } }"])
                    await talk.ask(query, str(number))
                    if chance.random() < 0.5:
                        await asyncio.sleep(chance.uniform(0, 0.03))
                        await talk.say({"id": str(number), "type": "complete"})
                await asyncio.sleep(chance.uniform(0, 0.05))
                if chance.random() < 0.5:
                    talk.connection.transport.abort()

    going = asyncio.create_task(go_on())
    await asyncio.gather(*[come_and_go() for _ in range(12)])
    is_over = True
    await going
    readers = runtime.database.readers
    await until(lambda: not followed(runtime.stream) and not runtime.seats._taken)
    await until(lambda: not readers.taken)
    async with talking(server, ann.access_token) as talk:
        await talk.ask("{ me { email } }")
        assert (await talk.hear())["payload"]["data"]["me"]["email"] == ann.user.email


async def test_a_follower_waits_while_the_log_cannot_be_read_and_misses_nothing(
    server: str,
    runtime: Runtime,
    client: httpx2.AsyncClient,
    people: Callable[..., Awaitable[SignedIn]],
    spa: Spa,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = await people()
    async with talking(server, ann.access_token) as talk:
        await talk.ask(FOLLOW)
        await until(lambda: f"user:{ann.user.id}" in runtime.stream._followers)
        monkeypatch.setattr(audiences, "PAUSE_SECONDS", 0.2)
        runtime.stream._refuse_all(Unavailable())
        made = await book(client, ann, spa)
        assert (await talk.event())["booking"]["number"] == made["number"]
        assert await talk.is_silent(0.3)
