"""Coming back to what one follows: nobody misses anything, and nobody hears anything twice."""

import asyncio
import random
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic

import httpx2
import pytest

from engine import audiences
from engine.runtime import Runtime
from errors import Unavailable
from migrations import ROOT
from models.bookings import Booking
from models.identity import Role
from resolvers.sessions import SignedIn
from settings import Settings
from subscriptions import bookings
from subscriptions.facts import announce
from subscriptions.log import Cursor
from tests.following import CANCEL, FOLLOW, another_process, book
from tests.people import join
from tests.program import free_port
from tests.sockets import Talk, post, talking, until
from tests.worlds import Spa


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
        another_process(database_url, settings) as other,
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
            async with another_process(database_url, settings, port):
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
            async with another_process(database_url, settings, port):
                while not (line := await program.stdout.readline()).startswith(b"CANCELLED {'reference'"):
                    assert line
        finally:
            if program is not None:
                program.kill()
                await program.wait()


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
