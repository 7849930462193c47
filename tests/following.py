"""What tests of subscriptions share: what is followed, something to follow, and a second server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from main import create_app
from resolvers.sessions import SignedIn
from settings import Settings
from tests.conftest import in_one_task, serving
from tests.sockets import post
from tests.worlds import Spa, soon

FOLLOW = "subscription($after: String) { bookingEvents(after: $after) { cursor kind at booking { number status room { name } } } }"
FOLLOW = FOLLOW.replace("room { name }", "... on Appointment { room { name } }")
FOLLOW_ONE = "subscription($id: ID!) { bookingEvents(bookingId: $id) { kind booking { number } } }"
DEVICES = """subscription($after: String, $room: ID, $device: ID, $zone: String) {
  deviceEvents(after: $after, roomId: $room, deviceId: $device, zone: $zone) { cursor kind device { name state } command { status } }
}"""
BOOK = """mutation($service: ID!, $at: DateTime!, $room: ID!) {
  bookAppointment(serviceId: $service, startsAt: $at, roomId: $room) { id number }
}"""
CANCEL = "mutation($id: ID!) { cancelBooking(id: $id) { number } }"


async def book(client: httpx2.AsyncClient, person: SignedIn, spa: Spa, *, days: int = 7, hour: int = 14, room: int = 0) -> Any:
    """An appointment, through the HTTP door."""
    told = {"service": spa.service.id, "at": soon(days, hour).isoformat(), "room": spa.rooms[room].id}
    return (await post(client, person.access_token, BOOK, **told))["bookAppointment"]


@asynccontextmanager
async def another_process(database_url: str, settings: Settings, port: int = 0) -> AsyncIterator[str]:
    """One more server on a database, with everything of its own."""
    app = create_app(settings, database_url)
    async with in_one_task(app.router.lifespan_context(app)), serving(app, settings, port) as server:
        yield server
