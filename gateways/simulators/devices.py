"""A spa full of devices that are not there: they obey, refuse, send heartbeats, and two of them sometimes fall silent."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import asyncpg
from sqlalchemy import select

from errors import Unavailable
from gateways.devices import Beat, Command, Report
from models.database import Database
from models.rooms import Device, DeviceType

SCENTS = frozenset({"alpine", "cedar", "citrus", "eucalyptus", "jasmine", "lavender", "ocean", "peppermint", "rose", "sandalwood", "none"})
"""The cartridges in every scent device."""

HEARTBEAT_SECONDS = 30
SLEEPER_EVERY, SLEEPER_REST = 24, 23
"""Each 24th device has a bad cable."""
CYCLE_SECONDS, SILENT_SECONDS = 1200, 300


def is_silent(device_id: int, at: float) -> bool:
    """Whether a device says nothing at a moment (in seconds since 1970); every process agrees on it."""
    return device_id % SLEEPER_EVERY == SLEEPER_REST and (at + device_id * 60) % CYCLE_SECONDS < SILENT_SECONDS


class SimulatedDevices:
    """The line to them. They stand in the database's rooms, and know their own limits."""

    def __init__(self, database: Database, *, heartbeat_seconds: float = HEARTBEAT_SECONDS, delay: float = 0.08) -> None:
        self._database = database
        self._heartbeat_seconds = heartbeat_seconds
        self._delay = delay
        self._said: asyncio.Queue[Report | Beat] = asyncio.Queue()
        self._answering: set[asyncio.Task[None]] = set()
        self.deaf: set[int] = set()

    async def publish(self, command: Command) -> None:
        """Take a command; the device answers a moment later, if it is awake."""
        task = asyncio.create_task(self._answer(command))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def messages(self) -> AsyncIterator[Report | Beat]:
        """Answers and heartbeats."""
        beating = asyncio.create_task(self._beat())
        try:
            while True:
                yield await self._said.get()
        finally:
            for task in (beating, *self._answering):
                task.cancel()

    async def _answer(self, command: Command) -> None:
        await asyncio.sleep(random.uniform(0.5, 1.5) * self._delay)  # noqa: S311 - no secret
        if command.device_id in self.deaf or is_silent(command.device_id, time.time()):
            return
        rows = await self._database.fetch(select(Device).where(Device.id == command.device_id, ~Device.in_maintenance))
        if rows:
            refusal = _refusal(rows[0], command)
            self._said.put_nowait(Report(command.device_id, {} if refusal else command.settings, command.id, refusal))

    async def _beat(self) -> None:
        while True:
            try:
                for row in await self._database.fetch(select(Device.id).where(~Device.in_maintenance)):
                    if row["id"] not in self.deaf and not is_silent(row["id"], time.time()):
                        self._said.put_nowait(Beat(row["id"]))
            except Unavailable:
                pass  # the database is away for a moment; the next heartbeat comes
            await asyncio.sleep(self._heartbeat_seconds)


def _refusal(device: asyncpg.Record, command: Command) -> str | None:
    """What the device itself objects to."""
    for name, value in command.settings.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and not device["min_value"] <= value <= device["max_value"]:
            return f"{name} must be from {device['min_value']} to {device['max_value']}"
        if device["device_type"] == DeviceType.SCENT and name == "type" and value not in SCENTS:
            return f"there is no cartridge for {value}"
    return None
