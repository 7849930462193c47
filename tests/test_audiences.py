"""Many who follow at once: what they share, what they do not, and that nothing stays behind."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import update

from engine.audiences import Subscription, Told
from engine.observing import ALONE, observed
from engine.runtime import Runtime
from engine.watching import Watcher
from models.bookings import Booking
from models.database import Database
from models.identity import Role
from resolvers import bookings as resolver
from resolvers.context import Context, Viewer
from resolvers.sessions import SignedIn
from subscriptions import bookings
from subscriptions.facts import announce
from subscriptions.log import Record
from tests.following import FOLLOW, FOLLOW_ONE, book
from tests.people import as_viewer
from tests.sockets import followed, talking, until
from tests.streams import listening_to
from tests.worlds import Spa


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
    await until(lambda: not followed(runtime.stream) and not runtime.seats.count)
    await until(lambda: not readers.taken)
    async with talking(server, ann.access_token) as talk:
        await talk.ask("{ me { email } }")
        assert (await talk.hear())["payload"]["data"]["me"]["email"] == ann.user.email


async def pay(runtime: Runtime, number: int, times: int = 1) -> None:
    """Something happens to a booking."""
    async with runtime.context(request_id="r", address="a").writing() as db:
        for _ in range(times):
            await announce(db, bookings.BookingPaid(await db.get_one(Booking, number)))


async def joined(runtime: Runtime, topic: str, count: int) -> None:
    await until(lambda: runtime.engine.audiences.size(topic) == count)


@pytest.fixture
def statements(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read for answers from now on."""
    found: list[str] = []
    run = runtime.database.run

    async def noted(text: str, arguments: list[Any]) -> Any:
        found.append(text)
        return await run(text, arguments)

    monkeypatch.setattr(runtime.database, "run", noted)
    return found


async def test_who_may_see_the_same_is_told_from_one_reading_over_any_transport(
    server: str,
    runtime: Runtime,
    client: httpx2.AsyncClient,
    people: Callable[..., Awaitable[SignedIn]],
    spa: Spa,
    statements: list[str],
) -> None:
    made = await book(client, await people(), spa)
    support = [await people(Role.SUPPORT) for _ in range(3)]
    start = str(runtime.stream.cursor)
    async with AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(talking(server, each.access_token)) for each in support]
        for number, talk in enumerate(talks):
            await talk.ask(FOLLOW, f"mine-{number}", **({"after": start} if number else {}))
        stream = await stack.enter_async_context(listening_to(server, FOLLOW, support[0].access_token))
        await joined(runtime, "bookings", 4)
        statements.clear()
        await pay(runtime, made["number"])
        told = [await talk.event(f"mine-{number}") for number, talk in enumerate(talks)]
        assert told == [await stream.event()] * 3
        assert told[0]["booking"]["number"] == made["number"]
        assert len(statements) == 1


async def test_who_may_see_different_things_never_shares_an_answer(
    server: str,
    runtime: Runtime,
    database: Database,
    client: httpx2.AsyncClient,
    people: Callable[..., Awaitable[SignedIn]],
    spa: Spa,
    statements: list[str],
) -> None:
    ann, eve, bob = await people(), await people(), await people(Role.SUPPORT)
    made = await book(client, ann, spa)
    async with (
        talking(server, ann.access_token) as hers,
        talking(server, ann.access_token) as again,
        talking(server, bob.access_token) as his,
    ):
        for talk in (his, hers, again):
            await talk.ask(FOLLOW_ONE, id=made["id"])
        await joined(runtime, f"booking:{made['number']}", 3)
        statements.clear()
        await pay(runtime, made["number"])
        assert [(await talk.event())["booking"] for talk in (his, hers, again)] == [{"number": made["number"]}] * 3
        assert len(statements) == 2  # one for the staff, one for Ann, however many connections she has
        async with database.sessions.begin() as db:  # within the seconds for which rights are not asked for anew
            await db.execute(update(Booking).where(Booking.id == made["number"]).values(customer_id=eve.user.id))
        await pay(runtime, made["number"])
        assert (await his.event())["booking"] == {"number": made["number"]}
        assert [(await talk.event())["booking"] for talk in (hers, again)] == [None, None]


def test_looking_at_a_person_is_noticed_and_looking_at_roles_is_not(runtime: Runtime) -> None:
    viewer = Viewer(7, frozenset({Role.SUPPORT}), session=uuid4())
    ctx = runtime.context(request_id="r", address="192.0.2.1").with_viewer(viewer)
    looks: list[tuple[Callable[[Context], Any], set[str]]] = [
        (lambda each: each.viewer.is_staff and each.viewer.roles and each.now() and each.settings and each.database, set()),
        (lambda each: each.viewer.id, {"user_id"}),
        (lambda each: each.viewer == viewer, {"user_id", "session", "token_ends_at"}),
        (lambda each: hash(each.viewer), {"user_id", "session", "token_ends_at"}),
        (lambda each: f"{each.viewer}", {"user_id", "session", "token_ends_at"}),
        (lambda each: each.address, {"address"}),
        (lambda each: each.with_viewer(each.viewer), {ALONE}),
        (lambda each: each.quotas, {ALONE}),
    ]
    for look, expected in looks:
        watched, facts = observed(ctx)
        look(watched)
        assert set(facts) >= expected, facts
        assert bool(facts) == bool(expected), facts


class Reader:
    """A listener that holds so many events at once, each for a moment."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._left = asyncio.Event()
        self.heard: list[str] = []
        self.bodies: list[bytes] = []
        self.refused = 0

    def tell(self, told: Told) -> bool:
        if self._room <= 0:
            self.refused += 1
            return False
        self.heard.append(told.cursor)
        self.bodies.append(told.body)
        self._room -= 1
        asyncio.get_running_loop().call_later(0.02, self._leave)
        return True

    async def wait_and_tell(self, told: Told) -> None:
        while self._room <= 0:
            self._left.clear()
            await self._left.wait()
        self.tell(told)

    def _leave(self) -> None:
        self._room += 1
        self._left.set()


async def test_a_slow_reader_goes_on_from_the_log_and_holds_nobody_up(
    runtime: Runtime, client: httpx2.AsyncClient, people: Callable[..., Awaitable[SignedIn]], spa: Spa
) -> None:
    made, total = await book(client, await people(), spa), 300
    ctx = runtime.context(request_id="r", address="a")
    staff = [await as_viewer(ctx, await people(Role.SUPPORT)) for _ in range(3)]
    readers = [Reader(1000), Reader(3), Reader(1000)]
    async with asyncio.TaskGroup() as tasks:
        running = []
        for each, reader in zip(staff, readers, strict=True):
            begun = await runtime.engine.subscribe(FOLLOW, Watcher(each, runtime.stream))
            assert isinstance(begun, Subscription)
            running.append(tasks.create_task(begun.run(reader)))
        await joined(runtime, "bookings", 3)
        for _ in range(total // 10):
            await pay(runtime, made["number"], 10)
        await until(lambda: len(readers[0].heard) == len(readers[2].heard) == total)
        await until(lambda: len(readers[1].heard) == total, 20)
        for task in running:
            task.cancel()
    assert readers[0].heard == readers[1].heard == readers[2].heard
    assert len(set(readers[0].heard)) == total
    assert readers[1].refused
    assert not readers[0].refused


async def test_who_loses_a_role_while_an_event_is_told_does_not_get_the_answer_of_those_who_have_it(
    runtime: Runtime, client: httpx2.AsyncClient, people: Callable[..., Awaitable[SignedIn]], spa: Spa
) -> None:
    made = await book(client, await people(), spa)
    ctx = runtime.context(request_id="r", address="a")
    watchers = [Watcher(await as_viewer(ctx, await people(Role.SUPPORT)), runtime.stream) for _ in range(2)]
    readers = [Reader(10), Reader(10)]
    tell = readers[0].tell

    def tell_and_demote(told: Told) -> bool:
        other = watchers[1].ctx.viewer
        watchers[1].ctx = watchers[1].ctx.with_viewer(replace(other, roles=frozenset({Role.CUSTOMER})))
        return tell(told)

    readers[0].tell = tell_and_demote  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        running = []
        for watcher, reader in zip(watchers, readers, strict=True):
            begun = await runtime.engine.subscribe(FOLLOW, watcher)
            assert isinstance(begun, Subscription)
            running.append(tasks.create_task(begun.run(reader)))
            await joined(runtime, "bookings", len(running))
        await pay(runtime, made["number"])
        await until(lambda: len(readers[0].heard) == len(readers[1].heard) == 1)
        for task in running:
            task.cancel()
    bookings_told = [json.loads(each.bodies[0])["data"]["bookingEvents"]["booking"] for each in readers]
    assert bookings_told[0]["number"] == made["number"]
    assert bookings_told[1] is None


SHOWN = resolver._shown


def _knows_quotas(ctx: Context, record: Record) -> Any:
    assert ctx.quotas is not None
    return SHOWN(ctx, record)


async def test_what_depends_on_one_connection_alone_is_read_for_each(
    runtime: Runtime,
    client: httpx2.AsyncClient,
    people: Callable[..., Awaitable[SignedIn]],
    spa: Spa,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the text of an event knew what a request has spent."""
    made = await book(client, await people(), spa)
    viewer = await as_viewer(runtime.context(request_id="r", address="a"), await people(Role.SUPPORT))
    readers = [Reader(10) for _ in range(3)]
    monkeypatch.setattr(resolver, "_shown", _knows_quotas)
    async with asyncio.TaskGroup() as tasks:
        running = []
        for reader in readers:
            begun = await runtime.engine.subscribe(FOLLOW, Watcher(viewer, runtime.stream))
            assert isinstance(begun, Subscription)
            running.append(tasks.create_task(begun.run(reader)))
        await joined(runtime, "bookings", 3)
        statements.clear()
        await pay(runtime, made["number"])
        await until(lambda: all(len(each.heard) == 1 for each in readers))
        for task in running:
            task.cancel()
    assert len(statements) == 3
