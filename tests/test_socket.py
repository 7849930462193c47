"""The protocol graphql-transport-ws, message by message, on a real server."""

import asyncio
import json
import random
import select
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus

import listening
from models.database import Database
from resolvers import sessions, tokens
from resolvers.tokens import Use
from settings import Mode, Settings
from tests.people import as_viewer, call, join, nobody
from tests.sockets import followed, talking, until

FOLLOW = "subscription { bookingEvents { cursor } }"
ROOMS = "{ rooms { totalCount } }"


@pytest.fixture
async def token(database: Database, settings: Settings) -> str:
    joined = await join(nobody(database, settings))
    return joined.access_token


@pytest.fixture
async def pruned(database: Database) -> AsyncIterator[None]:
    """A log whose first events are gone."""
    say = "UPDATE event_epochs SET pruned_through = $1"
    async with database.reading() as connection:
        await connection.execute(say, "1.1.2")
        yield
        await connection.execute(say, None)


@pytest.fixture
def quick(app: Starlette) -> Settings:
    """The server's own settings, to be changed by a test."""
    app.state.runtime.settings = app.state.runtime.settings.model_copy()
    changed: Settings = app.state.runtime.settings
    return changed


async def test_only_the_modern_protocol_is_spoken(server: str) -> None:
    for offered in (["graphql-ws"], None):
        async with talking(server, begun=False, subprotocols=offered) as talk:
            assert await talk.end() == 4406
    async with talking(server, begun=False, subprotocols=["graphql-ws", "graphql-transport-ws"]) as talk:
        assert talk.connection.subprotocol == "graphql-transport-ws"


async def test_whoever_says_nothing_is_sent_away(server: str, quick: Settings) -> None:
    quick.socket_init_timeout = 0.2
    async with talking(server, begun=False) as talk:
        await talk.say({"type": "ping"})
        assert await talk.hear() == {"type": "pong"}
        assert await talk.end(2) == 4408
    async with talking(server) as talk:
        await asyncio.sleep(0.4)
        await talk.say({"type": "ping", "payload": {"at": 1}})
        assert await talk.hear() == {"type": "pong", "payload": {"at": 1}}


async def test_a_token_is_taken_from_the_payload(server: str, token: str) -> None:
    bearer = f"Bearer {token}"
    for payload in (
        {"Authorization": bearer},
        {"authorization": token},
        {"token": token},
        {"Authorization": None, "token": bearer.lower()[:7] + token},
    ):
        async with talking(server, begun=False) as talk:
            await talk.say({"type": "connection_init", "payload": payload})
            assert await talk.hear() == {"type": "connection_ack"}
            await talk.ask("{ me { number } }")
            assert (await talk.hear())["payload"]["data"]["me"]["number"]


async def test_a_token_is_taken_from_the_handshake(server: str, token: str) -> None:
    async with talking(server, additional_headers={"Authorization": f"Bearer {token}"}) as talk:
        await talk.ask("{ me { number } }")
        assert (await talk.hear())["payload"]["data"]["me"]["number"]


async def test_a_bad_token_is_refused(server: str) -> None:
    for bad in ("", "nonsense", "Bearer a.b.c", "Bearer " + "x" * 5000, "ä"):
        async with talking(server, begun=False) as talk:
            await talk.say({"type": "connection_init", "payload": {"Authorization": bad}})
            assert await talk.end() == 4403, bad


async def test_nothing_runs_before_the_introduction(server: str) -> None:
    async with talking(server, begun=False) as talk:
        await talk.ask(ROOMS)
        assert await talk.end() == 4401


async def test_one_introduces_oneself_once(server: str) -> None:
    async with talking(server) as talk:
        await talk.say({"type": "connection_init"})
        assert await talk.end() == 4429


async def test_an_id_names_one_operation_at_a_time(server: str, token: str) -> None:
    async with talking(server, token) as talk:
        await talk.ask(FOLLOW)
        await talk.ask(FOLLOW)
        assert await talk.end() == 4409
    async with talking(server) as talk:
        for _ in range(3):
            await talk.ask(ROOMS)
            assert (await talk.hear())["type"] == "next"
            assert await talk.hear() == {"id": "1", "type": "complete"}


SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": ROOMS}}


NO_MESSAGES: list[Any] = [
    "[]",
    '"text"',
    "1",
    "null",
    "true",
    "",
    "{",
    b"{}",
    "[" * 100_000,
    "1" * 100_000,
    "{}",
    {"type": 5},
    {"type": ["ping"]},
    {"type": "start"},
    {"type": "connection_init", "payload": 5},
    {"type": "ping", "payload": []},
    {"type": "complete"},
    {"type": "complete", "id": 1},
    SUBSCRIBE | {"id": 1},
    SUBSCRIBE | {"id": ["1"]},
    SUBSCRIBE | {"id": ""},
    SUBSCRIBE | {"id": "x" * 300},
    SUBSCRIBE | {"id": None},
    SUBSCRIBE | {"payload": "text"},
    SUBSCRIBE | {"payload": None},
    SUBSCRIBE | {"payload": {}},
    SUBSCRIBE | {"payload": {"query": 5}},
    SUBSCRIBE | {"payload": {"query": ROOMS, "variables": []}},
    SUBSCRIBE | {"payload": {"query": ROOMS, "operationName": 5}},
    SUBSCRIBE | {"payload": {"query": ROOMS, "extensions": "x"}},
]


async def test_what_is_no_message_closes_the_connection_and_nothing_else(server: str, caplog: pytest.LogCaptureFixture) -> None:
    for message in NO_MESSAGES:
        async with talking(server) as talk:
            await talk.say(message)
            assert await talk.end() == 4400, str(message)[:60]
    assert not [each for each in caplog.records if each.exc_info]


async def test_a_token_that_is_no_text_is_no_message(server: str) -> None:
    async with talking(server, begun=False) as talk:
        await talk.say({"type": "connection_init", "payload": {"token": ["x"]}})
        assert await talk.end() == 4400


async def test_text_that_is_no_utf_8_closes_the_connection_without_a_word_in_the_log(server: str, caplog: pytest.LogCaptureFixture) -> None:
    async with talking(server) as talk:
        await talk.connection.send(b"\xff\xfe", text=True)
        assert await talk.end() == 1007
    assert not [each for each in caplog.records if each.exc_info]


async def test_frames_over_a_megabyte_are_not_taken(server: str) -> None:
    async with talking(server) as talk:
        await talk.say({"type": "ping", "payload": {"x": "x" * 1_100_000}})
        assert await talk.end() == 1009


REFUSED = [
    ("{", "GRAPHQL_PARSE_FAILED"),
    ("", "GRAPHQL_PARSE_FAILED"),
    ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
    ("subscription { bookingEvents { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
    ("subscription { a: bookingEvents { cursor } b: bookingEvents { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
    ("query A { me { number } } query B { me { number } }", "BAD_USER_INPUT"),
    ("subscription($id: ID!) { bookingEvents(bookingId: $id) { cursor } }", "BAD_USER_INPUT"),
    ('subscription { bookingEvents(bookingId: "?") { cursor } }', "BAD_USER_INPUT"),
    ('subscription { bookingEvents(bookingId: "77") { cursor } }', "NOT_FOUND"),
    ('subscription { bookingEvents(after: "yesterday") { cursor } }', "BAD_USER_INPUT"),
    ('subscription { bookingEvents(after: "1.1.1") { cursor } }', "RESYNC"),
    ('subscription { bookingEvents(after: "99999999999.1.1") { cursor } }', "RESYNC"),
    ("subscription { deviceEvents { cursor } }", "FORBIDDEN"),
    ('subscription { deviceEvents(roomId: "1") { cursor } }', "NOT_FOUND"),
    ("subscription { bookingEvents @skip(if: true) { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
]


async def test_a_bad_operation_is_told_so_and_the_others_go_on(
    server: str, pruned: None, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with talking(server, token) as talk:
        for query, code in REFUSED:
            await talk.ask(query)
            assert await talk.refusal() == code, query
        await talk.ask(ROOMS)
        assert (await talk.hear())["type"] == "next"
    assert not [each for each in caplog.records if each.exc_info]


async def test_at_most_twenty_operations_run_at_once(server: str, token: str) -> None:
    async with talking(server, token) as talk:
        for number in range(20):
            await talk.ask(FOLLOW, str(number))
        await talk.ask(FOLLOW, "one more")
        assert await talk.refusal("one more") == "TOO_MANY_OPERATIONS"
        await talk.say({"id": "3", "type": "complete"})
        await talk.say({"id": "never asked for", "type": "complete"})
        await asyncio.sleep(0.05)
        await talk.ask(ROOMS, "one more")
        assert (await talk.hear())["type"] == "next"


async def test_strangers_may_read_what_anybody_may_read(server: str) -> None:
    async with talking(server) as talk:
        await talk.ask(ROOMS)
        assert (await talk.hear())["payload"]["data"] == {"rooms": {"totalCount": 0}}
        assert (await talk.hear())["type"] == "complete"
        await talk.ask(FOLLOW)
        assert await talk.refusal() == "UNAUTHENTICATED"


async def test_nothing_is_left_running_when_a_client_goes(app: Starlette, server: str, token: str) -> None:
    stream = app.state.runtime.stream
    before = len(asyncio.all_tasks())
    async with talking(server, token) as talk:
        for number in range(5):
            await talk.ask(FOLLOW, str(number))
        await until(lambda: len(followed(stream)) == 2)
        for number in range(5):
            await talk.say({"id": str(number), "type": "complete"})
        await until(lambda: len(followed(stream)) == 1)
        await talk.ask(FOLLOW, "again")
        await until(lambda: len(followed(stream)) == 2)
    await until(lambda: not followed(stream) and not app.state.runtime.seats._taken)
    await until(lambda: len(asyncio.all_tasks()) <= before)


ORIGINS = [
    ("{server}", True),
    ("http://localhost:5173", True),
    ("https://app.example.com", True),
    ("https://evil.example.com", False),
    ("https://app.example.com.evil.com", False),
    ("null", False),
    ("http://localhost.evil.com", False),
    ("http://[", False),
    ("file://", False),
    ("", False),
]


async def test_pages_of_other_origins_may_not_connect(server: str, quick: Settings) -> None:
    quick.allowed_origins = "https://other.example.com, https://app.example.com"
    for origin, is_welcome in ORIGINS:
        if is_welcome:
            async with talking(server, origin=origin.format(server=server)):
                continue
        with pytest.raises(InvalidStatus) as refused:
            async with talking(server, origin=origin):
                pass
        assert refused.value.response.status_code == 403, origin
        assert json.loads(refused.value.response.body)["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_in_production_a_page_on_localhost_is_a_stranger_too(server: str, quick: Settings) -> None:
    quick.mode = Mode.PRODUCTION
    with pytest.raises(InvalidStatus):
        async with talking(server, origin="http://localhost:5173"):
            pass
    async with talking(server, origin=server):
        pass


async def test_connections_per_user_and_address_are_limited(server: str, quick: Settings, token: str) -> None:
    quick.sockets_per_user, quick.sockets_per_address = 2, 3
    async with talking(server, token), talking(server, token), talking(server, begun=False) as third:
        await third.say({"type": "connection_init", "payload": {"token": token}})
        assert await third.end() == 1013
        await asyncio.sleep(0.05)
        async with talking(server):
            with pytest.raises(InvalidStatus) as refused:
                async with talking(server):
                    pass
            assert refused.value.response.status_code == 429
    await asyncio.sleep(0.05)
    async with talking(server, token):
        pass


async def test_signing_out_closes_every_connection_of_the_session(server: str, database: Database, settings: Settings) -> None:
    joined = await join(nobody(database, settings))
    async with talking(server, joined.access_token) as one, talking(server, joined.access_token) as other:
        await other.ask(FOLLOW)
        await one.ask("mutation { signOut { ended } }")
        assert (await one.hear())["payload"] == {"data": {"signOut": {"ended": 1}}}
        assert await one.end(1) == 4401
        assert await other.end(1) == 4401
    async with talking(server, begun=False) as again:
        await again.say({"type": "connection_init", "payload": {"token": joined.access_token}})
        assert await again.end() == 4403


async def test_a_token_that_ends_closes_its_connection(
    server: str, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = await join(nobody(database, settings))
    ctx = await as_viewer(nobody(database, settings), joined)
    assert ctx.viewer.session
    now = tokens.moment()
    with monkeypatch.context() as patch:
        patch.setattr(tokens, "moment", lambda: now - timedelta(minutes=settings.access_minutes) + timedelta(seconds=1.5))
        short = tokens.issue(settings, Use.ACCESS, ctx.viewer.id, ctx.viewer.session).text
    async with talking(server, short) as talk:
        assert await talk.end(3) == 4403


async def test_a_reader_that_does_not_read_is_cut_off(
    app: Starlette, server: str, quick: Settings, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "GOODBYE_SECONDS", 0.1)
    quick.socket_send_timeout = 0.3
    host, port = server.removeprefix("http://").split(":")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect((host, int(port)))
    deaf.setblocking(False)
    async with talking(server, token, sock=deaf) as talk:
        talk.connection.transport.pause_reading()
        echoed = json.dumps({"type": "ping", "payload": {"x": "x" * 200_000}})
        with suppress(TimeoutError, ConnectionClosed):
            for _ in range(100):
                async with asyncio.timeout(0.2):
                    await talk.say(echoed)
        await until(lambda: not app.state.runtime.seats._taken)
        poll = select.poll()
        poll.register(deaf, 0)
        await until(lambda: bool(poll.poll(0)))  # hung up, although it has read nothing
        talk.connection.transport.abort()


async def test_a_write_that_nobody_waits_for_is_done_all_the_same(server: str, database: Database, settings: Settings) -> None:
    joined = await join(nobody(database, settings))
    ctx = await as_viewer(nobody(database, settings), joined)
    async with talking(server, joined.access_token) as talk:
        await talk.ask("mutation { signOutEverywhere { ended } }")
        await talk.say({"id": "1", "type": "complete"})
        assert await talk.end(2) == 4401
    assert (await call(sessions.sign_out_everywhere, ctx)).ended == 0


async def test_whatever_is_said_in_whatever_order_has_an_answer_or_a_code(
    server: str, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(11)  # noqa: S311 - repeats the same nonsense
    leaves: list[Any] = [None, True, 0, -1.5, 2**63, "", "1", "x" * 300, "\0", "é", [], {}, [[]], ROOMS, FOLLOW, "{", token]

    def some(*likely: Any) -> Any:
        return chance.choice(likely if chance.random() < 0.8 else leaves)

    def message() -> Any:
        payload = {"query": some(ROOMS, FOLLOW, "{ me { email } }"), "variables": some(None, {}, {"after": some("1.1.1")})}
        shaped = {
            "type": some("subscribe", "subscribe", "complete", "ping", "pong", "connection_init"),
            "id": some("1", "2", "3"),
            "payload": some(payload, {"token": token}, None),
        }
        return (
            {name: value for name, value in shaped.items() if chance.random() < 0.95} if chance.random() < 0.98 else chance.choice(leaves)
        )

    codes = set()
    for _ in range(60):
        async with talking(server, token) as talk:
            with suppress(ConnectionClosed):
                for _ in range(20):
                    await talk.say(json.dumps(message()))
                await talk.say({"type": "connection_init"})
            codes.add(await talk.end())
    assert codes <= {4400, 4409, 4429}
    assert not [each for each in caplog.records if each.exc_info]
