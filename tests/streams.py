"""A client of server-sent events for tests, that shows every event."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

PATIENCE = 5.0


@dataclass
class Event:
    """One event, or a comment."""

    name: str | None = None
    id: str | None = None
    data: Any = None
    lines: list[str] = field(default_factory=list)


class Listening:
    """One stream."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self.raw = b""
        self._parts = answer.aiter_raw()

    async def next(self, seconds: float = PATIENCE) -> Event | None:
        """The next event, None at the end of the stream."""
        async with asyncio.timeout(seconds):
            while b"\n\n" not in self.raw:
                part = await anext(self._parts, None)
                if part is None:
                    assert self.raw == b""
                    return None
                self.raw += part
        text, _, self.raw = self.raw.partition(b"\n\n")
        return _event(text.decode())

    async def event(self) -> Any:
        """What the next event tells of a subscription with one root field; comments and the beginning are passed over."""
        while True:
            heard = await self.next()
            assert heard, "the stream has ended"
            if heard.name:
                assert heard.name == "next", heard
                assert "errors" not in heard.data, heard
                [value] = heard.data["data"].values()
                assert heard.id == value.get("cursor", heard.id)
                return value

    async def refusal(self) -> str:
        """The code with which the stream ends."""
        told = [each async for each in self if each.name]
        assert [each.name for each in told[-2:]] == ["next", "complete"], told
        return str(told[-2].data["errors"][0]["extensions"]["code"])

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (each := await self.next()) is not None:
            yield each


def _event(text: str) -> Event:
    assert "\r" not in text
    event = Event(lines=text.split("\n"))
    for line in event.lines:
        name, _, value = line.partition(":")
        if name == "event":
            event.name = value.strip()
        elif name == "id":
            event.id = value.strip()
        elif name == "data" and value.strip():
            event.data = json.loads(value)
    return event


@asynccontextmanager
async def listening_to(
    server: str, query: str, token: str | None = None, *, resume: str | None = None, method: str = "POST", **variables: Any
) -> AsyncIterator[Listening]:
    """A stream of what an operation tells."""
    headers = {"Accept": "text/event-stream", **({"Authorization": f"Bearer {token}"} if token else {})}
    if resume:
        headers["Last-Event-ID"] = resume
    given: dict[str, Any] = {"json": {"query": query, "variables": variables}}
    if method == "GET":
        given = {"params": {"query": query, "variables": json.dumps(variables)}}
    async with httpx2.AsyncClient(timeout=10) as client, client.stream(method, f"{server}/graphql", headers=headers, **given) as answer:
        yield Listening(answer)
