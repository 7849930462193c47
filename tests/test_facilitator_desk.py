"""A facilitator's figures, as they are and as they change."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx2
from sqlalchemy import select

from models.database import Database
from models.events import Facilitator
from models.identity import Role
from resolvers.sessions import SignedIn
from tests.sockets import post, talking
from tests.worlds import soon

CREATE = """mutation($at: DateTime!, $until: DateTime!) {
  createEvent(input: { title: "Morning Meditation Session", startsAt: $at, endsAt: $until, maxParticipants: 20, price: "25.00" }) { number }
}"""
BOOK = "mutation($event: ID!) { bookEvent(eventId: $event) { crmNotified booking { number seats event { title } } } }"
LEAVE = "mutation($id: ID!) { cancelEventBooking(id: $id) { status } }"
DESK = (
    "facilitatorName totalBookings sessionBookings retreatBookings recentBookings uniqueUsers uniqueEvents eventsAhead seatsTaken seatsFree"
)
FOLLOW = f"subscription {{ facilitatorDesk {{ cursor kind event {{ title }} desk {{ {DESK} }} }} }}"
FOLLOW_ONE = "subscription($id: ID!) { facilitatorDesk(facilitatorId: $id) { kind } }"
ATTENDANCES = """query($event: ID!) { eventAttendances(eventId: $event) { nodes { bookingNumber status notes customer { email } } } }"""


async def test_a_facilitator_sees_bookings_come_and_go_and_nobody_else_does(
    server: str, client: httpx2.AsyncClient, database: Database, people: Callable[..., Awaitable[SignedIn]]
) -> None:
    jane, mara, ann = await people(Role.FACILITATOR), await people(Role.FACILITATOR), await people()
    async with database.sessions.begin() as db:
        db.add_all([Facilitator(user_id=jane.user.id), Facilitator(user_id=mara.user.id)])
    until = (soon() + timedelta(hours=1)).isoformat()
    event = (await post(client, jane.access_token, CREATE, at=soon().isoformat(), until=until))["createEvent"]["number"]
    async with (
        talking(server, jane.access_token) as hers,
        talking(server, mara.access_token) as others,
        talking(server, ann.access_token) as his,
    ):
        await hers.ask(FOLLOW)
        await others.ask(FOLLOW)
        await others.ask(FOLLOW_ONE, "one", id="1")
        assert await others.refusal("one") == "NOT_FOUND"
        await his.ask(FOLLOW)
        assert await his.refusal() == "FORBIDDEN"
        await asyncio.sleep(0.1)
        made = (await post(client, ann.access_token, BOOK, event=event))["bookEvent"]["booking"]
        told = await hers.event()
        assert (told["kind"], told["event"]) == ("BOOKED", {"title": "Morning Meditation Session"})
        figures = told["desk"]
        assert [figures[name] for name in ("totalBookings", "sessionBookings", "recentBookings", "uniqueUsers", "eventsAhead")] == [1] * 5
        assert (figures["seatsTaken"], figures["seatsFree"], figures["retreatBookings"]) == (1, 19, 0)
        await post(client, ann.access_token, LEAVE, id=made["number"])
        told = await hers.event()
        assert (told["kind"], told["desk"]["totalBookings"], told["desk"]["seatsFree"]) == ("BOOKING_CANCELLED", 0, 20)
        assert await others.is_silent()
    read = await post(client, jane.access_token, f"{{ facilitatorDesk {{ {DESK} }} }}")
    assert read["facilitatorDesk"] == told["desk"]


async def test_who_comes_is_for_the_facilitator_and_the_staff(
    client: httpx2.AsyncClient, database: Database, people: Callable[..., Awaitable[SignedIn]]
) -> None:
    jane, mara, ann, bob = await people(Role.FACILITATOR), await people(Role.FACILITATOR), await people(), await people(Role.SUPPORT)
    async with database.sessions.begin() as db:
        db.add_all([Facilitator(user_id=jane.user.id), Facilitator(user_id=mara.user.id)])
    until = (soon() + timedelta(hours=1)).isoformat()
    event = (await post(client, jane.access_token, CREATE, at=soon().isoformat(), until=until))["createEvent"]["number"]
    await post(client, ann.access_token, BOOK, event=event)
    async with database.sessions() as db:
        assert await db.scalar(select(Facilitator.id).where(Facilitator.user_id == jane.user.id)) == 1
    for who, count in ((jane, 1), (bob, 1), (mara, 0)):
        found = (await post(client, who.access_token, ATTENDANCES, event=event))["eventAttendances"]["nodes"]
        assert [each["customer"]["email"] for each in found] == [ann.user.email] * count
