"""GraphQL over server-sent events, on a real server: what is told, from where on, and what ends it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from engine import sse
from models.database import Database
from models.identity import Role
from resolvers import sessions, tokens
from resolvers.sessions import SignedIn
from resolvers.tokens import Use
from settings import Settings
from tests.following import another_process, book
from tests.people import as_viewer, call, join, nobody
from tests.sockets import followed, until
from tests.streams import listening_to
from tests.worlds import Spa

FOLLOW = "subscription($after: String) { bookingEvents(after: $after) { cursor kind booking { number } } }"
ROOMS = "{ rooms { totalCount } }"


@pytest.fixture
async def ann(database: Database, settings: Settings) -> SignedIn:
    return await join(nobody(database, settings))


@pytest.fixture
def quick(app: Starlette) -> Settings:
    """The server's own settings, to be changed by a test."""
    app.state.runtime.settings = app.state.runtime.settings.model_copy()
    changed: Settings = app.state.runtime.settings
    return changed


def nobody_listens(app: Starlette) -> bool:
    runtime = app.state.runtime
    return not runtime.seats.count and not followed(runtime.stream)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_query_is_one_event_and_the_end(server: str, method: str) -> None:
    async with listening_to(server, ROOMS, method=method) as stream:
        assert stream.answer.status_code == 200
        assert stream.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.answer.headers["cache-control"] == "no-store"
        assert [each.lines async for each in stream] == [
            ["event: next", 'data: {"data":{"rooms":{"totalCount":0}}}'],
            ["event: complete", "data:"],
        ]


async def test_a_mutation_is_told_by_post_and_refused_by_get(server: str, ann: SignedIn) -> None:
    mutation = "mutation { signOut { ended } }"
    async with listening_to(server, mutation, ann.access_token, method="GET") as stream:
        assert await stream.refusal() == "METHOD_NOT_ALLOWED"
    async with listening_to(server, mutation, ann.access_token) as stream:
        assert (await stream.event())["ended"] == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [("{", "GRAPHQL_PARSE_FAILED"), ("{ no }", "GRAPHQL_VALIDATION_FAILED"), (FOLLOW, "UNAUTHENTICATED")],
)
async def test_what_is_wrong_with_an_operation_is_told_in_the_stream(server: str, query: str, code: str) -> None:
    async with listening_to(server, query) as stream:
        assert stream.answer.status_code == 200
        assert await stream.refusal() == code


async def test_what_is_wrong_with_a_request_is_told_by_its_status(server: str) -> None:
    headers = {"Accept": "text/event-stream"}
    async with httpx2.AsyncClient() as client:
        for body, status in (({"query": 1}, 400), ([], 400)):
            answer = await client.post(f"{server}/graphql", json=body, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json; charset=utf-8")


async def test_events_bear_their_cursors_as_ids(server: str, client: httpx2.AsyncClient, ann: SignedIn, spa: Spa) -> None:
    async with listening_to(server, FOLLOW, ann.access_token) as stream:
        begins = await stream.next()
        assert begins is not None
        assert (begins.name, begins.lines) == (None, [f"id: {begins.id}"])
        made = await book(client, ann, spa)
        event = await stream.event()  # compares id and cursor
        assert (event["kind"], event["booking"]["number"]) == ("REQUESTED", made["number"])


async def test_who_comes_back_with_the_last_id_misses_nothing_and_hears_nothing_twice(
    server: str, client: httpx2.AsyncClient, ann: SignedIn, spa: Spa
) -> None:
    async with listening_to(server, FOLLOW, ann.access_token) as stream:
        beginning = await stream.next()
        assert beginning is not None
    first, second = await book(client, ann, spa), await book(client, ann, spa, hour=16)
    async with listening_to(server, FOLLOW, ann.access_token, resume=beginning.id) as stream:
        told = await stream.event()
        assert told["booking"]["number"] == first["number"]
    heard: list[tuple[str, int]] = []
    # the id of the connection is newer than the `after` that its document was written with
    async with listening_to(server, FOLLOW, ann.access_token, resume=told["cursor"], after=beginning.id) as stream:
        while not heard or heard[-1][1] != second["number"]:
            event = await stream.event()
            assert event["cursor"] != told["cursor"]
            heard.append((event["kind"], event["booking"]["number"]))
    assert len(set(heard)) == len(heard)
    assert ("REQUESTED", first["number"]) not in heard


async def test_another_process_goes_on_where_one_stopped(
    server: str, client: httpx2.AsyncClient, database_url: str, settings: Settings, ann: SignedIn, spa: Spa
) -> None:
    async with listening_to(server, FOLLOW, ann.access_token) as stream:
        beginning = await stream.next()
        assert beginning is not None
    made = await book(client, ann, spa)
    async with (
        another_process(database_url, settings) as other,
        listening_to(other, FOLLOW, ann.access_token, resume=beginning.id) as stream,
    ):
        assert (await stream.event())["booking"]["number"] == made["number"]


@pytest.fixture
async def pruned(database: Database) -> AsyncIterator[None]:
    """A log whose first events are gone."""
    say = "UPDATE event_epochs SET pruned_through = $1"
    async with database.reading() as connection:
        await connection.execute(say, "1.1.2")
        yield
        await connection.execute(say, None)


@pytest.mark.usefixtures("pruned")
@pytest.mark.parametrize(("resume", "code"), [("1.1.1", "RESYNC"), ("nonsense", "BAD_USER_INPUT")])
async def test_an_id_that_is_too_old_or_none_is_refused(server: str, ann: SignedIn, resume: str, code: str) -> None:
    async with listening_to(server, FOLLOW, ann.access_token, resume=resume) as stream:
        assert await stream.refusal() == code


async def test_a_quiet_stream_shows_that_it_lives(server: str, quick: Settings, ann: SignedIn) -> None:
    quick.stream_pause = 0.05
    async with listening_to(server, FOLLOW, ann.access_token) as stream:
        await stream.next()
        assert [(await stream.next()).lines for _ in range(3)] == [[":"]] * 3  # type: ignore[union-attr]


async def test_signing_out_ends_the_streams_of_the_session(
    app: Starlette, server: str, database: Database, settings: Settings, ann: SignedIn
) -> None:
    ctx = await as_viewer(nobody(database, settings, wake=app.state.runtime.stream.wake), ann)
    async with listening_to(server, FOLLOW, ann.access_token) as stream:
        await stream.next()
        await call(sessions.sign_out, ctx)
        assert await stream.refusal() == "UNAUTHENTICATED"
    async with listening_to(server, FOLLOW, ann.access_token) as stream:
        assert stream.answer.status_code == 401
    await until(lambda: nobody_listens(app))


async def test_a_token_that_ends_ends_its_streams(
    server: str, database: Database, settings: Settings, ann: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = await as_viewer(nobody(database, settings), ann)
    assert ctx.viewer.session
    now = tokens.moment()
    with monkeypatch.context() as patch:
        patch.setattr(tokens, "moment", lambda: now - timedelta(minutes=settings.access_minutes) + timedelta(seconds=1.5))
        short = tokens.issue(settings, Use.ACCESS, ctx.viewer.id, ctx.viewer.session).text
    async with listening_to(server, FOLLOW, short) as stream:
        assert await stream.refusal() == "UNAUTHENTICATED"


async def test_events_of_others_are_not_told(
    server: str, client: httpx2.AsyncClient, database: Database, settings: Settings, ann: SignedIn, spa: Spa
) -> None:
    eve = await join(nobody(database, settings), Role.PROVIDER)
    async with listening_to(server, FOLLOW, eve.access_token) as hers:
        await hers.next()
        await book(client, ann, spa)
        with pytest.raises(TimeoutError):
            await hers.next(0.7)


async def test_streams_per_user_and_address_are_limited(app: Starlette, server: str, quick: Settings, ann: SignedIn) -> None:
    quick.sockets_per_user, quick.sockets_per_address = 1, 2
    headers = {"Accept": "text/event-stream"}
    async with listening_to(server, FOLLOW, ann.access_token) as stream, httpx2.AsyncClient() as client:
        await stream.next()
        mine = {**headers, "Authorization": f"Bearer {ann.access_token}"}
        answer = await client.post(f"{server}/graphql", json={"query": FOLLOW}, headers=mine)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (429, "TOO_MANY_CONNECTIONS")
        quick.sockets_per_address = 1
        assert (await client.post(f"{server}/graphql", json={"query": ROOMS}, headers=headers)).status_code == 429
        assert (await client.post(f"{server}/graphql", json={"query": ROOMS})).status_code == 200
    await until(lambda: nobody_listens(app))
    async with listening_to(server, FOLLOW, ann.access_token) as stream:
        assert await stream.next()


async def test_nothing_is_left_running_when_a_client_goes(app: Starlette, server: str, ann: SignedIn) -> None:
    for _ in range(5):
        async with listening_to(server, FOLLOW, ann.access_token) as stream:
            await stream.next()
            await until(lambda: bool(followed(app.state.runtime.stream)))
    await until(lambda: nobody_listens(app))


async def test_a_reader_that_does_not_read_is_cut_off(
    app: Starlette, server: str, quick: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quick.socket_send_timeout, quick.stream_pause = 0.3, 0.0001
    monkeypatch.setattr(sse, "ALIVE", b":" + b"x" * 500_000 + b"\n\n")
    monkeypatch.setattr(sse.Stream, "_tell", lambda _: asyncio.sleep(60))
    host, port = server.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, (host, int(port)))
        request = "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
        await loop.sock_sendall(deaf, request.encode())
        await until(lambda: bool(app.state.runtime.seats._taken))
        await until(lambda: not app.state.runtime.seats._taken)
        with pytest.raises(ConnectionResetError):  # noqa: PT012 - after what had reached this side already
            while True:
                async with asyncio.timeout(5):
                    await loop.sock_recv(deaf, 1_000_000)
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


async def test_a_server_that_stops_ends_its_streams_without_a_word(database_url: str, settings: Settings, ann: SignedIn) -> None:
    told: list[Any] = []

    async def listen(server: str, began: asyncio.Event) -> None:
        async with listening_to(server, FOLLOW, ann.access_token) as stream:
            told.append(await stream.next())
            began.set()
            told.append(await stream.next(20))

    began, clock = asyncio.Event(), asyncio.get_running_loop()
    async with another_process(database_url, settings) as server:
        listener = asyncio.create_task(listen(server, began))
        await began.wait()
        stops = clock.time()
    await listener
    assert told[1] is None  # not even "complete": the client shall come back
    assert clock.time() - stops < 4


async def test_a_write_that_nobody_waits_for_is_done_all_the_same(
    app: Starlette, server: str, database: Database, settings: Settings, ann: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = await as_viewer(nobody(database, settings), ann)
    began = asyncio.Event()
    run = app.state.runtime.engine.run

    async def slowly(*given: Any, **named: Any) -> Any:
        began.set()
        await asyncio.sleep(0.3)
        return await run(*given, **named)

    monkeypatch.setattr(app.state.runtime.engine, "run", slowly)
    body = json.dumps({"query": "mutation { signOutEverywhere { ended } }"}).encode()
    host, port = server.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/json\r\n"
    writer.write(f"{head}Authorization: Bearer {ann.access_token}\r\n\r\n".encode() + body)
    await began.wait()
    writer.transport.abort()
    await until(lambda: not app.state.runtime.seats._taken)
    assert (await call(sessions.sign_out_everywhere, ctx)).ended == 0
