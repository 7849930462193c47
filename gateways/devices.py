"""Commands out to devices, and what devices say back.

A `DeviceLine` is the wire: an MQTT client, or the simulator of demo mode. `Devices` stands between it and the operations:
it gives each answer to whoever waits for it, and keeps everything else until it is asked for.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import UUID

LONGEST_QUEUE = 10_000
COALESCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Command:
    """An order to one device: settings to change, under an id that the answer repeats."""

    id: UUID
    device_id: int
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """Settings that a device has changed, by itself or on a command; or why it refused one."""

    device_id: int
    settings: dict[str, Any]
    command_id: UUID | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """A device is alive."""

    device_id: int


class DeviceLine(Protocol):
    """The wire to the devices."""

    async def publish(self, command: Command) -> None:
        """Hand a command to the wire; raises OSError when it is cut."""

    def messages(self) -> AsyncIterator[Report | Beat]:
        """Everything the devices say, for as long as the line is open."""


class Devices:
    """The devices of the house, as one process reaches them."""

    def __init__(self, line: DeviceLine) -> None:
        self._line = line
        self._waiting: dict[UUID, asyncio.Future[Report]] = {}
        self._heard: asyncio.Queue[Report | Beat] = asyncio.Queue(LONGEST_QUEUE)
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen(), name="devices")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def send(self, command: Command, seconds: float) -> Report | None:
        """Send a command and wait for the device's answer; nothing when there is none in time."""
        answer: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._waiting[command.id] = answer
        try:
            async with asyncio.timeout(seconds):
                await self._line.publish(command)
                return await answer
        except (TimeoutError, OSError):
            return None
        finally:
            del self._waiting[command.id]

    async def heard(self) -> list[Report | Beat]:
        """What devices said that nobody waits for; the first message is kept back a moment, so that more come with it."""
        messages = [await self._heard.get()]
        await asyncio.sleep(COALESCE_SECONDS)
        while not self._heard.empty():
            messages.append(self._heard.get_nowait())
        return messages

    async def _listen(self) -> None:
        async for message in self._line.messages():
            answer = self._waiting.get(message.command_id) if isinstance(message, Report) and message.command_id else None
            if answer is not None and isinstance(message, Report):
                if not answer.done():
                    answer.set_result(message)
                continue
            if self._heard.full():
                self._heard.get_nowait()  # the newest word of a device counts
            self._heard.put_nowait(message)
