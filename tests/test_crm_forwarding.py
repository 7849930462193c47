"""Notices are sent on to another CRM, over real HTTP: what it does not take is kept, seen, tried again, and counted once there."""

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from prometheus_client import REGISTRY
from starlette.responses import PlainTextResponse

from gateways.all import open_gateways
from gateways.crm import Crm
from models.bookings import Booking
from models.crm import CrmNoticeStatus
from models.database import Database
from models.events import Event
from models.identity import Role
from resolvers import crm_forwarding
from resolvers.context import Context, Viewer
from resolvers.crm_forwarding import forward_crm_backlog, forward_crm_notice
from resolvers.crm_noting import note_event_for_crm, note_for_crm
from settings import Settings
from subscriptions.crm import measure_backlog
from tests.attending import attend, make_event, make_facilitator
from tests.crm_double import TOKEN, OtherCrm, gateway
from tests.people import call
from tests.sql import sql, value
from tests.worlds import make_person

DUE = "UPDATE crm_dispatches SET next_try_at = now()"


@pytest.fixture
def other() -> OtherCrm:
    return OtherCrm()


@pytest.fixture
async def address(other: OtherCrm) -> AsyncIterator[str]:
    """Where the other CRM listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(other.app(), log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@pytest.fixture
async def ctx(database: Database, settings: Settings, address: str) -> AsyncIterator[Context]:
    """The context of a job of a house that has another CRM."""
    async with open_gateways(settings, database) as gateways, gateway(address) as crm:
        gateways.crm = crm
        yield Context(settings, database, gateways)


@pytest.fixture
async def event(database: Database) -> Event:
    return await make_event(database, await make_facilitator(database))


async def booked(database: Database, event: Event, name: str = "ann") -> Booking:
    return await attend(database, event, await make_person(database, name), special_requests="By the window")


async def waiting(database: Database) -> list[tuple[int, str | None]]:
    rows = await sql(database, "SELECT tries, error FROM crm_dispatches WHERE waiting_since IS NOT NULL ORDER BY id")
    return [(each["tries"], each["error"]) for each in rows]


async def test_a_booking_is_told_as_documented_once_its_transaction_is_committed(
    ctx: Context, database: Database, other: OtherCrm, event: Event
) -> None:
    booking = await booked(database, event)
    assert await value(database, "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'forward_crm_notice'") == 1
    await forward_crm_notice(ctx, 1)
    assert other.notices == {
        booking.id: {
            "booking_id": booking.id,
            "user": {"id": booking.customer_id, "email": "ann@example.com", "name": "Ann", "phone": None},
            "event": {
                "id": event.id, "title": event.title, "type": "session", "location": "Wellness Center",
                "start_datetime": event.starts_at.isoformat()[:19],
            },
            "facilitator_id": event.facilitator_id,
            "booking_date": other.notices[booking.id]["booking_date"],
            "notes": "By the window",
            "status": "received",
        }
    }  # fmt: skip
    assert await waiting(database) == []
    await forward_crm_notice(ctx, 1)
    assert len(other.keys) == 1, "a job that runs twice says nothing twice"


async def test_a_cancelled_booking_and_a_changed_event_are_told_too(
    ctx: Context, database: Database, other: OtherCrm, event: Event
) -> None:
    first, second = await booked(database, event), await booked(database, event, "bob")
    await forward_crm_backlog(ctx)
    async with database.sessions.begin() as db:
        await note_for_crm(db, first, CrmNoticeStatus.CANCELLED)
    async with database.sessions.begin() as db:
        changed = await db.get_one(Event, event.id)
        changed.title = "Evening Meditation"
        await note_event_for_crm(db, changed)
    await forward_crm_backlog(ctx)
    assert (other.notices[first.id]["status"], other.notices[first.id]["event"]["title"]) == ("cancelled", event.title)
    assert (other.notices[second.id]["status"], other.notices[second.id]["event"]["title"]) == ("received", "Evening Meditation")
    assert len(set(other.keys)) == 4
    kinds = [each["kind"] for each in await sql(database, "SELECT kind FROM event_log ORDER BY id")]
    assert kinds == ["crm.received", "crm.received", "crm.changed", "crm.changed"]


async def test_what_a_broken_crm_does_not_take_waits_in_sight_and_is_tried_later(
    ctx: Context, database: Database, other: OtherCrm, event: Event
) -> None:
    for name in ("ann", "bob", "cid"):
        await booked(database, event, name)
    other.answers = lambda: PlainTextResponse("broken", 503)
    await forward_crm_backlog(ctx)
    assert await waiting(database) == [(1, "The CRM answered 503."), (0, None), (0, None)], "one try tells that it is away"
    staff = dataclasses.replace(ctx, viewer=Viewer(1, frozenset({Role.SUPPORT})))
    assert len(await ctx.fetch(crm_forwarding.list_crm_backlog(staff))) == 3
    async with database.reading() as connection:
        await measure_backlog(connection)
    assert REGISTRY.get_sample_value("atrium_crm_waiting_notices") == 3
    other.answers = lambda: None
    await forward_crm_backlog(ctx)
    assert len(other.notices) == 2, "the one that failed pauses"
    await call(crm_forwarding.retry_crm_backlog, staff)
    await forward_crm_backlog(ctx)
    assert len(other.notices) == 3
    assert await waiting(database) == []


async def test_one_refused_notice_does_not_hold_up_the_others(ctx: Context, database: Database, other: OtherCrm, event: Event) -> None:
    for name in ("ann", "bob", "cid"):
        await booked(database, event, name)
    refusals = [PlainTextResponse("no", 400)]
    other.answers = lambda: refusals.pop() if refusals else None
    await forward_crm_backlog(ctx)
    assert len(other.notices) == 2
    assert await waiting(database) == [(1, "The CRM answered 400.")]


async def test_a_late_answer_counts_once_there(ctx: Context, database: Database, other: OtherCrm, event: Event) -> None:
    await booked(database, event)
    other.pause = 1
    await forward_crm_backlog(ctx)
    assert await waiting(database) == [(1, "The CRM cannot be reached: ReadTimeout.")]
    other.pause = 0
    await sql(database, DUE)
    await forward_crm_backlog(ctx)
    assert await waiting(database) == []
    assert (len(other.keys), len(set(other.keys)), len(other.notices)) == (2, 1, 1)


async def test_pauses_grow_to_an_hour(ctx: Context, database: Database, other: OtherCrm, event: Event) -> None:
    await booked(database, event)
    other.answers = lambda: PlainTextResponse("broken", 500)
    pauses = []
    for _ in range(14):
        await sql(database, DUE)
        await forward_crm_backlog(ctx)
        pauses.append(float(await value(database, "SELECT extract(epoch FROM next_try_at - now()) FROM crm_dispatches")))
    assert 3 < pauses[0] < 7
    assert 2000 < pauses[-1] < 4600
    assert pauses[0] < pauses[4] < pauses[9]


@pytest.mark.parametrize("break_it", ["gone", "token", "nobody"])
async def test_whatever_is_wrong_with_the_line_is_told_and_nothing_is_lost(
    ctx: Context, database: Database, other: OtherCrm, event: Event, address: str, break_it: str
) -> None:
    await booked(database, event)
    other.is_gone = break_it == "gone"
    where = "http://127.0.0.1:1" if break_it == "nobody" else address
    async with gateway(where, token="wrong" if break_it == "token" else TOKEN) as line:
        ctx.gateways.crm = line
        await forward_crm_backlog(ctx)
    [(tries, error)] = await waiting(database)
    assert tries == 1
    assert error
    assert error.startswith("The CRM ")


async def test_ten_jobs_at_once_tell_each_notice_once(ctx: Context, database: Database, other: OtherCrm, event: Event) -> None:
    for number in range(12):
        await booked(database, event, f"person{number}")
    await asyncio.gather(*[forward_crm_backlog(ctx) for _ in range(10)])
    while await waiting(database):
        await forward_crm_backlog(ctx)
    assert (len(other.notices), len(other.keys)) == (12, 12)


async def test_what_is_said_while_it_is_being_sent_is_sent_too(ctx: Context, database: Database, other: OtherCrm, event: Event) -> None:
    booking = await booked(database, event)
    other.pause = 0.3
    sending = asyncio.create_task(forward_crm_notice(ctx, 1))
    await asyncio.sleep(0.15)
    async with database.sessions.begin() as db:
        await note_for_crm(db, booking, CrmNoticeStatus.CANCELLED)
    await sending
    assert len(await waiting(database)) == 1
    await forward_crm_backlog(ctx)
    assert other.notices[booking.id]["status"] == "cancelled"


async def test_a_house_without_another_crm_keeps_no_backlog(ctx: Context, database: Database, event: Event) -> None:
    await booked(database, event)
    ctx.gateways.crm = None
    await forward_crm_notice(ctx, 1)
    assert await value(database, "SELECT count(*) FROM crm_dispatches") == 0


async def test_a_booking_that_is_not_made_is_not_told(ctx: Context, database: Database, event: Event) -> None:
    booking = await attend(database, event, await make_person(database, "ann"), is_noted=False)
    async with database.sessions() as db:
        await note_for_crm(db, booking)
        await db.rollback()
    assert await value(database, "SELECT count(*) FROM crm_notices") == 0
    assert await value(database, "SELECT count(*) FROM pgqueuer") == 0


def test_the_double_is_what_the_settings_would_open(settings: Settings) -> None:
    assert Crm.of(settings) is None
    make: Callable[..., Settings] = settings.model_copy
    assert isinstance(Crm.of(make(update={"crm_service_url": "http://crm.example"})), Crm)
