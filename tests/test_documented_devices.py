"""docs/devices.md: its operations run, its device answers, and it names every setting."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from background import alongside
from engine.audiences import Subscription, Told
from engine.execute import Engine
from engine.watching import Watcher
from gateways.device_messages import Command
from gateways.devices import BrokerAddress, Devices
from gateways.simulators.broker import Broker
from gateways.simulators.mqtt_packets import Publication
from migrations import ROOT
from models.database import Database
from models.identity import Role
from models.rooms import DeviceAction, DeviceType
from settings import Settings
from subscriptions.bus import Bus
from subscriptions.stream import EventStream
from tests.suite import Suite, opened_suite

PAGE = (ROOT / "docs/devices.md").read_text()
OPERATIONS = [found.replace("mensuite_main", "suite") for found in re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)]
PATIENCE = 10.0


@pytest.fixture
async def spa(database: Database, settings: Settings) -> AsyncIterator[Suite]:
    async with opened_suite(database, settings) as suite:
        yield suite


class Ear:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Told] = asyncio.Queue()

    def tell(self, told: Told) -> bool:
        self.heard.put_nowait(told)
        return True

    async def wait_and_tell(self, told: Told) -> None:
        self.heard.put_nowait(told)


async def followed(engine: Engine, spa: Suite, text: str) -> Any:
    """The event that a subscription shows when a device is set."""
    ear = Ear()
    async with Bus(spa.ctx.database.url) as bus, EventStream(spa.ctx.database, bus) as stream:
        begun = await engine.subscribe(text, Watcher(spa.by(spa.member), stream))
        assert isinstance(begun, Subscription), begun
        async with alongside(begun.run(ear)):
            await asyncio.sleep(0.1)
            await spa.control(DeviceAction.SET_BRIGHTNESS, 70, DeviceType.SCREEN)
            async with asyncio.timeout(PATIENCE):
                told = await ear.heard.get()
    return orjson.loads(told.body)["data"]["deviceEvents"]


async def test_every_operation_of_the_page_runs(spa: Suite, settings: Settings) -> None:
    engine, staff = Engine(settings), spa.by(spa.member, Role.ADMIN)
    device, scene = str(next(iter(spa.devices.values()))), ""
    shown = set()
    for text in OPERATIONS:
        is_scene = any(name in text for name in ("updateScene", "activateScene", "deleteScene"))
        wanted = {"id": scene if is_scene else device, "settings": {"lighting": {"brightness": 30}}}
        variables = {name: each for name, each in wanted.items() if f"${name}" in text}
        if text.startswith("subscription"):
            assert (await followed(engine, spa, text))["device"]["state"] == {"brightness": 70}
        else:
            answer = await engine.run(text, staff, variables=variables)
            assert answer.errors == [], text
            assert answer.data
            if "createScene" in text:
                scene = answer.data["createScene"]["id"]
        shown |= set(re.findall(r"[{]\s*([a-z]\w+)", text.partition("{")[1] + text.partition("{")[2])[:1])
    assert shown == {
        "rooms", "devices", "device", "controlDevice", "scenes", "createScene", "updateScene", "activateScene", "deleteScene",
        "createDevice", "updateDevice", "deviceEvents",
    }  # fmt: skip


async def test_the_device_of_the_page_lives_obeys_and_is_missed(tmp_path: Path) -> None:
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "device.py").write_text(program)
    said: asyncio.Queue[Publication] = asyncio.Queue()
    async with Broker(user="7", password="secret") as broker:
        broker.listen("atrium/devices/7/+", said.put_nowait)
        arguments = [str(tmp_path / "device.py"), "127.0.0.1", str(broker.port), "7", "secret", "7"]
        device = await asyncio.create_subprocess_exec(sys.executable, *arguments)
        try:
            async with asyncio.timeout(PATIENCE), Devices(BrokerAddress("127.0.0.1", broker.port, user="7", password="secret")) as devices:
                first = {(await said.get()).topic.rpartition("/")[2] for _ in range(2)}
                assert first == {"state", "alive"}
                told = await devices.send(Command(uuid4(), 7, {"brightness": 80}, 2), PATIENCE)
                assert told is not None
                assert (told.settings, told.refusal) == ({"brightness": 80}, None)
                late = await devices.send(Command(uuid4(), 7, {"brightness": 10}, 1), PATIENCE)
                assert late is not None
                assert late.refusal == "a later command came before"
                device.kill()
                while (message := await said.get()).payload != b"offline":
                    assert message.topic != "atrium/devices/7/alive"
        finally:
            if device.returncode is None:
                device.kill()
            await device.wait()


def test_the_page_names_every_setting_of_devices() -> None:
    about = {name.upper() for name in Settings.model_fields if name.startswith(("mqtt_", "device_"))}
    assert {name for name in about if f"`{name}`" not in PAGE} == set()
