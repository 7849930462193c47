"""The HTTP server has patience, but not for ever."""

import asyncio
import json
import socket
from collections.abc import Awaitable

import httpx2
import pytest
from starlette.applications import Starlette

import listening
from settings import Settings
from startup import CannotStart
from tests.conftest import serving
from tests.sockets import talking

GET = b"GET /livez HTTP/1.1\r\nHost: atrium\r\n"
POST = b"POST /graphql HTTP/1.1\r\nHost: atrium\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"


@pytest.fixture(autouse=True)
def _impatience(app: Starlette, settings: Settings) -> None:
    app.state.settings = settings.model_copy(update={"header_timeout": 0.4, "body_timeout": 0.4})


async def connect(server: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(server.rsplit(":", 1)[1]))


def assert_too_late(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["error"]["code"] == "REQUEST_TIMEOUT"


async def in_time(work: Awaitable[bytes]) -> bytes:
    return await asyncio.wait_for(work, 5)


@pytest.mark.parametrize("said", [GET, b"GET /livez HT", POST, POST + b'{"query": '])
async def test_a_client_that_does_not_finish_is_told_so_and_disconnected(server: str, said: bytes) -> None:
    reader, writer = await connect(server)
    writer.write(said)
    assert_too_late(await in_time(reader.read()))
    writer.close()


async def test_a_client_that_says_nothing_is_disconnected(server: str) -> None:
    reader, writer = await connect(server)
    assert await in_time(reader.read()) == b""
    writer.close()


async def test_a_client_that_drips_headers_is_disconnected(server: str) -> None:
    reader, writer = await connect(server)
    writer.write(GET)
    closed = asyncio.create_task(reader.read())
    for number in range(40):
        if closed.done():
            break
        writer.write(f"X-{number}: drip\r\n".encode())
        await asyncio.sleep(0.05)
    assert_too_late(await in_time(closed))
    writer.close()


async def test_a_second_request_has_its_own_time(server: str) -> None:
    reader, writer = await connect(server)
    for _ in range(3):
        writer.write(GET + b"\r\n")
        assert b"200 OK" in await in_time(reader.readuntil(b"}"))
        await asyncio.sleep(0.25)
    writer.write(GET)
    assert_too_late(await in_time(reader.read()))
    writer.close()


async def test_a_message_over_a_websocket_may_be_as_long_as_is_set(app: Starlette, settings: Settings) -> None:
    small = settings.model_copy(update={"max_message": 2000})
    async with serving(app, small) as server:
        for length, code in ((1900, 4400), (2100, 1009)):
            async with talking(server, begun=False) as talk:
                await talk.say("x" * length)
                assert await talk.end() == code


async def test_answers_do_not_name_the_server_program(server: str) -> None:
    async with httpx2.AsyncClient() as client:
        assert "server" not in (await client.get(f"{server}/livez")).headers


def test_only_one_program_gets_a_port() -> None:
    with listening.bind("127.0.0.1", 0, "PORT") as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"^Port {port} is already taken"):
            listening.bind("127.0.0.1", port, "PORT")


def test_a_port_can_be_taken_again_at_once() -> None:
    with listening.bind("127.0.0.1", 0, "PORT") as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            first.accept()[0].close()
    listening.bind("127.0.0.1", port, "PORT").close()
