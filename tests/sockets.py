"""A client of graphql-transport-ws for tests, that shows every message."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from subscriptions.sessions import AUTHORITY
from subscriptions.stream import EventStream

PATIENCE = 5.0
Message = dict[str, Any]


class Talk:
    """One connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: Any) -> None:
        """Send a message, or whatever stands for one."""
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def hear(self, seconds: float = PATIENCE) -> Message:
        """The next message."""
        async with asyncio.timeout(seconds):
            heard: Message = json.loads(await self.connection.recv())
        return heard

    async def begin(self, token: str | None = None) -> None:
        """Introduce oneself."""
        await self.say({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"} if token else None})
        assert await self.hear() == {"type": "connection_ack"}

    async def ask(self, query: str, named: str = "1", **variables: Any) -> None:
        """Start an operation."""
        await self.say({"id": named, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def event(self, id: str = "1") -> Any:
        """The next answer of a subscription with one root field."""
        heard = await self.hear()
        assert (heard["id"], heard["type"]) == (id, "next"), heard
        assert "errors" not in heard["payload"], heard
        [value] = heard["payload"]["data"].values()
        return value

    async def refusal(self, id: str = "1") -> str:
        """The code of the error that ended an operation."""
        heard = await self.hear()
        assert (heard["id"], heard["type"]) == (id, "error"), heard
        return str(heard["payload"][0]["extensions"]["code"])

    async def is_silent(self, seconds: float = 0.5) -> bool:
        """Whether nothing comes for a while."""
        try:
            await self.hear(seconds)
        except TimeoutError:
            return True
        return False

    async def end(self, seconds: float = PATIENCE) -> int | None:
        """The code with which the server closes, whatever it says before."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.connection.recv()
        except ConnectionClosed:
            return self.connection.close_code


@asynccontextmanager
async def talking(server: str, token: str | None = None, *, begun: bool = True, **options: Any) -> AsyncIterator[Talk]:
    """A connection that has introduced itself."""
    options = {"subprotocols": ["graphql-transport-ws"], "compression": None, "proxy": None, **options}
    async with connect(f"{server.replace('http', 'ws', 1)}/graphql", **options) as connection:
        talk = Talk(connection)
        if begun:
            await talk.begin(token)
        yield talk


async def post(client: httpx2.AsyncClient, token: str | None, query: str, **variables: Any) -> Any:
    """The data that the HTTP door answers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = (await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
    assert "errors" not in answer, answer
    return answer["data"]


def followed(stream: EventStream) -> set[str]:
    """The topics that clients follow; the server itself follows what changes their rights."""
    return set(stream._followers) - {AUTHORITY}


async def until(is_true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not is_true():  # noqa: ASYNC110 - what it asks about knows no events
            await asyncio.sleep(0.01)
