"""A spa full of devices that are not there: they obey, refuse, send heartbeats, and two of them sometimes fall silent."""

import asyncio
import contextlib
import random
import time
from secrets import token_urlsafe
from typing import Any, Self
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import select

from errors import Unavailable
from gateways.device_messages import OFFLINE, ONLINE, Answer, Topics, write_answer
from gateways.devices import BrokerAddress, end
from gateways.simulators.broker import Broker
from gateways.simulators.mqtt_packets import Publication
from models.database import Database
from models.rooms import Device, DeviceType

SCENTS = frozenset({"alpine", "cedar", "citrus", "eucalyptus", "jasmine", "lavender", "ocean", "peppermint", "rose", "sandalwood", "none"})
"""The cartridges in every scent device."""

HEARTBEAT_SECONDS = 30
SLEEPER_EVERY, SLEEPER_REST = 24, 23
"""Each 24th device has a bad cable."""
CYCLE_SECONDS, SILENT_SECONDS = 1200, 300
USER = "spa"


def is_silent(device_id: int, at: float) -> bool:
    """Whether a device says nothing at a moment (in seconds since 1970); every process agrees on it."""
    return device_id % SLEEPER_EVERY == SLEEPER_REST and (at + device_id * 60) % CYCLE_SECONDS < SILENT_SECONDS


class SimulatedDevices:
    """The devices of the database's rooms, at a broker of their own on this machine; they know their own limits."""

    def __init__(self, database: Database, *, heartbeat_seconds: float = HEARTBEAT_SECONDS, delay: float = 0.08) -> None:
        self._database = database
        self._heartbeat_seconds = heartbeat_seconds
        self._delay = delay
        self._password = token_urlsafe()
        self._topics = Topics("atrium")
        self._tasks: set[asyncio.Task[None]] = set()
        self._newest: dict[int, int] = {}
        self.broker = Broker(user=USER, password=self._password)
        self.deaf: set[int] = set()

    async def __aenter__(self) -> Self:
        await self.broker.open()
        self.broker.listen(self._topics.of("+", "set"), self._take)
        self._begin(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        await self.broker.close()

    @property
    def address(self) -> BrokerAddress:
        """Where they can be met."""
        return BrokerAddress("127.0.0.1", self.broker.port, user=USER, password=self._password)

    def say(self, device_id: int, what: str, payload: bytes, *, retain: bool = False) -> None:
        """Let a device say something."""
        self.broker.publish(Publication(self._topics.of(device_id, what), payload, qos=1, retain=retain))

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, message: Publication) -> None:
        device_id, _ = self._topics.split(message.topic)
        self._begin(self._obey(device_id, orjson.loads(message.payload)))

    async def _obey(self, device_id: int, said: dict[str, Any]) -> None:
        await asyncio.sleep(random.uniform(0.5, 1.5) * self._delay)  # noqa: S311 - no secret
        if device_id in self.deaf or is_silent(device_id, time.time()) or said["until"] < time.time():
            return
        try:
            rows = await self._database.fetch(select(Device).where(Device.id == device_id, ~Device.in_maintenance))
        except Unavailable:
            return  # what a device does not know of itself, it does not answer
        if not rows:
            return
        settings, number = said["settings"], said["number"]
        refusal = "a later command came before" if number < self._newest.get(device_id, 0) else _refusal(rows[0], settings)
        self.say(device_id, "answer", write_answer(Answer(device_id, UUID(said["command"]), settings, refusal)))
        if refusal is None:
            self._newest[device_id] = number
            self.say(device_id, "state", orjson.dumps(settings))

    async def _beat(self) -> None:
        silent: set[int] = set()
        while True:
            try:
                rows = await self._database.fetch(select(Device.id).where(~Device.in_maintenance))
            except Unavailable:
                rows = []  # the database is away for a moment; the next heartbeat comes
            for number in (row["id"] for row in rows):
                if number not in self.deaf and not is_silent(number, time.time()):
                    self.say(number, "alive", ONLINE)
                    silent.discard(number)
                elif number not in silent:
                    self.say(number, "alive", OFFLINE)  # as a broker tells by the last will
                    silent.add(number)
            # Whoever begins to hear shall not think for half a minute that nobody is there.
            self.broker.subscribed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self.broker.subscribed.wait()


def _refusal(device: asyncpg.Record, settings: dict[str, Any]) -> str | None:
    """What the device itself objects to."""
    for name, value in settings.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and not device["min_value"] <= value <= device["max_value"]:
            return f"{name} must be from {device['min_value']} to {device['max_value']}"
        if device["device_type"] == DeviceType.SCENT and name == "type" and value not in SCENTS:
            return f"there is no cartridge for {value}"
    return None
