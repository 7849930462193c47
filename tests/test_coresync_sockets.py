"""CoreSync's sockets: who may listen, what they hear, and when they are shown out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, select
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from models.database import Database
from models.identity import Role, User, UserRole
from models.memberships import Membership
from models.rooms import Device, DeviceType
from subscriptions.facts import announce
from subscriptions.rooms import DeviceChanged
from tests.documented import Contract, differences
from tests.sockets import talking, until
from tests.worlds import Spa, make_member, make_spa

CONTRACT = Contract("coresync")
PATIENCE = 5.0
DAY = (datetime.now(UTC).date() + timedelta(days=9)).isoformat()


@dataclass
class World:
    """A server with a spa, a member, a customer and a clerk."""

    url: str
    spa: Spa
    http: httpx2.AsyncClient
    tokens: dict[str, str]
    device_id: int

    @asynccontextmanager
    async def listening(self, path: str, token: str | None = None, **details: Any) -> AsyncIterator[ClientConnection]:
        """A connection to a socket."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = self.url.replace("http", "ws", 1) + path
        async with connect(address, additional_headers=headers, open_timeout=PATIENCE, **details) as socket:
            yield socket

    async def post(self, who: str, path: str, body: Any) -> Any:
        """A call of an old client."""
        answer = await self.http.post(f"{self.url}/coresync{path}", json=body, headers={"Authorization": f"Bearer {self.tokens[who]}"})
        assert answer.status_code < 400, answer.text
        return answer.json()

    async def book(self, who: str, hour: str) -> int:
        """The number of a new booking."""
        wanted = {"service_id": self.spa.service.id, "date": DAY, "start_time": hour}
        return int((await self.post(who, "/api/bookings/create/", wanted))["id"])

    async def dim(self, brightness: int) -> None:
        """The member sets the light."""
        wanted = {"action": "set_brightness", "value": brightness}
        await self.post("member", f"/api/iot/devices/{self.device_id}/control/", wanted)


async def heard(socket: ClientConnection) -> Any:
    """The next message."""
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))


async def code(socket: ClientConnection) -> int | None:
    """The code with which the server closes."""
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(socket.recv(), PATIENCE)
    return closed.value.rcvd.code if closed.value.rcvd else None


@pytest.fixture
async def world(server: str, database: Database) -> AsyncIterator[World]:
    spa = await make_spa(database)
    async with database.sessions.begin() as db:
        device = Device(room_id=spa.rooms[0].id, name="Lights", device_type=DeviceType.LIGHTING, zone="main", state={"brightness": 5})
        db.add(device)
    async with httpx2.AsyncClient(timeout=PATIENCE) as http:
        tokens = {}
        for number, name in enumerate(("member", "ann", "clerk")):
            person = {"email": f"{name}@example.com", "password": "password123", "phone": f"+1555000111{number}"}
            tokens[name] = (await http.post(f"{server}/coresync/api/auth/register/", json=person)).json()["access"]
        async with database.sessions.begin() as db:
            people = {each.email: each for each in await db.scalars(select(User))}
            db.add(UserRole(user_id=people["clerk@example.com"].id, role=Role.SUPPORT))
        await make_member(database, people["member@example.com"])
        yield World(server, spa, http, tokens, device.id)


async def test_without_a_good_token_a_socket_is_accepted_and_closed_with_4401(world: World) -> None:
    for path in ("/ws/bookings/", "/ws/iot/room-1/", "/coresync/ws/bookings/", "/coresync/ws/iot/room-1"):
        for token in (None, "nonsense"):
            async with world.listening(path, token) as socket:
                assert await code(socket) == 4401, (path, token)


async def test_a_token_may_come_by_header_query_or_subprotocol(world: World) -> None:
    token = world.tokens["ann"]
    for hour, path, header, protocols in (
        ("10:00", "/ws/bookings/", token, None),
        ("13:00", f"/ws/bookings/?token={token}", None, None),
        ("15:00", "/ws/bookings/", None, [token]),
        ("17:00", "/ws/bookings/", None, ["bearer", token]),
    ):
        async with world.listening(path, header, subprotocols=protocols) as socket:
            booked = await world.book("ann", hour)
            assert (await heard(socket))["booking_id"] == booked
            assert socket.subprotocol == (protocols[0] if protocols else None)


async def test_customers_hear_of_their_own_bookings_and_staff_of_all(world: World) -> None:
    async with (
        world.listening("/ws/bookings/", world.tokens["ann"]) as hers,
        world.listening("/ws/bookings/", world.tokens["clerk"]) as all_,
    ):
        other = await world.book("member", "10:00")
        own = await world.book("ann", "15:00")
        message = await heard(hers)
        assert (message["type"], message["booking_id"]) == ("booking_requested", own)
        assert list(differences(CONTRACT.sockets["coresync.ws.bookings"], message)) == []
        assert [(await heard(all_))["booking_id"] for _ in range(2)] == [other, own]


async def test_a_rooms_socket_streams_what_its_devices_report(world: World) -> None:
    async with world.listening("/ws/iot/room-1/", world.tokens["member"]) as socket:
        await world.dim(80)
        message = await heard(socket)
        assert (message["device_id"], message["status"]["brightness"]) == (world.device_id, 80)
        assert list(differences({**CONTRACT.sockets["coresync.ws.iot"], "status": {"$any": "object"}}, message)) == []


async def test_a_room_in_which_one_may_set_nothing_is_as_unknown_as_any_other(world: World) -> None:
    for number in ("1", "99", "x", "9" * 20):
        async with world.listening(f"/ws/iot/room-{number}/", world.tokens["ann"]) as socket:
            assert await code(socket) == 4404, number


async def test_who_may_not_set_devices_any_more_hears_no_more_of_them(world: World, database: Database) -> None:
    async with world.listening("/ws/iot/room-1/", world.tokens["member"]) as socket:
        await world.dim(80)
        await heard(socket)
        async with world.listening("/ws/iot/room-1/", world.tokens["clerk"]) as other:
            async with database.sessions.begin() as db:
                await db.execute(delete(Membership))
            async with database.sessions.begin() as db:
                device = await db.get_one(Device, world.device_id)
                device.state = {"brightness": 1}
                await announce(db, DeviceChanged(device))
            assert await code(socket) == 4401
            assert (await heard(other))["status"] == {"brightness": 1}


async def test_a_session_that_ends_ends_its_socket_with_the_next_event(world: World) -> None:
    async with world.listening("/ws/bookings/", world.tokens["ann"]) as socket:
        text = "mutation { signOut { ended } }"
        await world.http.post(f"{world.url}/graphql", json={"query": text}, headers={"Authorization": f"Bearer {world.tokens['ann']}"})
        async with world.listening("/ws/bookings/", world.tokens["clerk"]) as all_:
            await world.book("member", "10:00")
            await heard(all_)
        again = {"email": "ann@example.com", "password": "password123"}
        world.tokens["ann"] = (await world.http.post(f"{world.url}/coresync/api/auth/login/", json=again)).json()["access"]
        await world.book("ann", "15:00")
        assert await code(socket) == 4401


async def test_what_a_client_says_changes_nothing(world: World) -> None:
    async with world.listening("/ws/bookings/", world.tokens["ann"]) as socket:
        for said in ("", "null", "[" * 1000, b"\x00\xff", json.dumps({"type": "subscribe", "topics": ["bookings"]})):
            await socket.send(said)
        own = await world.book("ann", "15:00")
        assert (await heard(socket))["booking_id"] == own


async def test_sockets_take_seats_as_those_of_graphql_do(app: Starlette, world: World) -> None:
    runtime = app.state.runtime
    runtime.settings = runtime.settings.model_copy(update={"sockets_per_user": 1, "sockets_per_address": 3})
    ann, clerk = world.tokens["ann"], world.tokens["clerk"]
    async with world.listening("/ws/bookings/", ann) as first:
        await until(lambda: runtime.seats.count == 2)  # one of the address, one of the person
        async with world.listening("/ws/bookings/", ann) as second:
            assert await code(second) == 1013
        async with talking(world.url, ann, begun=False) as other:
            await other.say({"type": "connection_init", "payload": {"token": ann}})
            assert await other.end() == 1013
        await until(lambda: runtime.seats.count == 2)
        async with world.listening("/ws/bookings/", clerk), world.listening("/ws/bookings/", world.tokens["member"]):
            await until(lambda: runtime.seats.count == 6)
            with pytest.raises(InvalidStatus) as refused:
                async with world.listening("/ws/bookings/", clerk):
                    pass
            assert refused.value.response.status_code == 429
            assert json.loads(refused.value.response.body)["error"]["code"] == "TOO_MANY_CONNECTIONS"
        number = await world.book("ann", "10:00")
        assert (await heard(first))["booking_id"] == number
    await until(lambda: not runtime.seats.count)
