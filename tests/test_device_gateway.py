"""The gateway to devices over real sockets: commands and answers, broken lines, and which process hears what."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import orjson
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from starlette.applications import Starlette

import diagnosis
from gateways.device_messages import Answer, Beat, Command, Farewell, NotUnderstood, State, Topics
from gateways.devices import BrokerAddress, Devices
from gateways.simulators.broker import Broker
from gateways.simulators.mqtt_packets import Publication
from settings import Mode, MqttVersion, Settings
from startup import CannotStart

USER, PASSWORD = "spa", "correct horse"
TOPICS = Topics("house/one")
PATIENCE = 5.0


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker(user=USER, password=PASSWORD) as broker:
        yield broker


def address(broker: Broker, version: MqttVersion = MqttVersion.V5, *, password: str = PASSWORD) -> BrokerAddress:
    return BrokerAddress("127.0.0.1", broker.port, prefix=TOPICS.prefix, user=USER, password=password, version=version)


def order(device_id: int = 7) -> Command:
    return Command(uuid4(), device_id, {"brightness": 80}, 12)


def obeying(broker: Broker, *, settings: dict[str, int] | None = None) -> list[dict[str, object]]:
    """Let every device obey at once; returns what they were told."""
    told: list[dict[str, object]] = []

    def obey(message: Publication) -> None:
        said = orjson.loads(message.payload)
        told.append(said)
        device_id, _ = TOPICS.split(message.topic)
        answer = {"command": said["command"], "settings": settings or said["settings"]}
        broker.publish(Publication(TOPICS.of(device_id, "answer"), orjson.dumps(answer), qos=1))

    broker.listen(TOPICS.of("+", "set"), obey)
    return told


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - a broker tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", list(MqttVersion))
async def test_a_command_comes_back_with_its_answer(broker: Broker, version: MqttVersion) -> None:
    told = obeying(broker)
    async with Devices(address(broker, version)) as devices:
        command = order()
        assert await devices.send(command, PATIENCE) == Answer(7, command.id, {"brightness": 80})
    assert [(each["number"], each["settings"]) for each in told] == [(12, {"brightness": 80})]


async def test_a_refusal_comes_back_in_words(broker: Broker) -> None:
    def refuse(message: Publication) -> None:
        said = {"command": orjson.loads(message.payload)["command"], "refused": "too bright"}
        broker.publish(Publication(TOPICS.of(7, "answer"), orjson.dumps(said)))

    broker.listen(TOPICS.of("+", "set"), refuse)
    async with Devices(address(broker)) as devices:
        command = order()
        assert await devices.send(command, PATIENCE) == Answer(7, command.id, {}, "too bright")


async def test_whoever_may_not_in_waits_no_longer_than_for_a_silent_device(broker: Broker) -> None:
    obeying(broker)
    async with Devices(address(broker, password="guessed")) as devices:
        assert await devices.send(order(), 0.3) is None
        assert not devices.is_connected


async def test_a_broken_line_is_mended_and_reports_are_heard_again(broker: Broker) -> None:
    obeying(broker)
    async with Devices(address(broker)) as devices:
        await devices.connected()
        await devices.hear_reports(True)
        await broker.close()
        await until(lambda: not devices.is_connected)
        assert await devices.send(order(), 0.2) is None
        await broker.open()
        async with asyncio.timeout(PATIENCE):
            await devices.connected()
        assert await devices.send(order(), PATIENCE) is not None
        broker.publish(Publication(TOPICS.of(7, "alive"), b"online"))
        assert await devices.heard(0.05) == [Beat(7)]


async def test_of_two_processes_each_gets_its_answers_and_one_the_reports(broker: Broker) -> None:
    obeying(broker)
    async with Devices(address(broker)) as one, Devices(address(broker)) as other:
        await asyncio.gather(one.connected(), other.connected())
        await one.hear_reports(True)
        assert all(await asyncio.gather(one.send(order(), PATIENCE), other.send(order(), PATIENCE)))
        broker.publish(Publication(TOPICS.of(7, "state"), b'{"brightness": 5}'))
        broker.publish(Publication(TOPICS.of(8, "alive"), b"offline"))
        heard = await one.heard(0.1)
        assert [each for each in heard if not isinstance(each, Answer)] == [State(7, {"brightness": 5}), Farewell(8)]
        assert [each.device_id for each in heard if isinstance(each, Answer)] == [7]  # the other's, in case it dies before writing it down
        await one.hear_reports(False)
        await other.hear_reports(True)
        broker.publish(Publication(TOPICS.of(9, "alive"), b"online"))
        assert await other.heard(0.05) == [Beat(9)]


async def test_states_of_before_are_remembered_and_prove_no_life(broker: Broker) -> None:
    broker.publish(Publication(TOPICS.of(7, "state"), b'{"brightness": 5}', retain=True))
    broker.publish(Publication(TOPICS.of(7, "alive"), b"online", retain=True))
    async with Devices(address(broker)) as devices:
        await devices.hear_reports(True)
        assert await devices.heard(0.1) == [State(7, {"brightness": 5}, is_remembered=True)]


NONSENSE = [
    ("devices/7/state", b"{"),
    ("devices/7/state", b"[]"),
    ("devices/7/state", b'{"brightness": {"deep": 1}}'),
    ("devices/7/state", b'{"Brightness!": 1}'),
    ("devices/7/state", b'{"brightness": 9007199254740993}'),
    ("devices/7/state", b'{"mode": "' + b"x" * 5000 + b'"}'),
    ("devices/7/state", b'{"mode": "\xff"}'),
    ("devices/7/answer", b'{"settings": {}}'),
    ("devices/7/answer", b'{"command": 5, "settings": {}}'),
    ("devices/7/answer", b'{"command": "0191e2a0-0000-7000-8000-000000000000"}'),
    ("devices/x/state", b"{}"),
    ("devices/99999999999999999999/state", b"{}"),
    ("devices/7/other", b"{}"),
    ("other/7/state", b"{}"),
]


@pytest.mark.parametrize(("topic", "payload"), NONSENSE)
def test_what_is_no_message_is_not_understood(topic: str, payload: bytes) -> None:
    with pytest.raises(NotUnderstood):
        TOPICS.read(f"{TOPICS.prefix}/{topic}", payload)


def test_what_postgresql_cannot_keep_is_left_out() -> None:
    assert TOPICS.read(TOPICS.of(7, "state"), rb'{"mode": "a\u0000b"}') == State(7, {"mode": "ab"})
    said = orjson.dumps({"command": str(UUID(int=5)), "refused": "a\0" + "b" * 500})
    assert TOPICS.read(TOPICS.of(7, "answer"), said) == Answer(7, UUID(int=5), {}, ("a" + "b" * 500)[:200])


async def test_nonsense_is_counted_and_what_follows_is_heard(broker: Broker) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("atrium_device_messages_not_understood_total") or 0.0

    async with Devices(address(broker)) as devices:
        await devices.connected()
        await devices.hear_reports(True)
        before = counted()
        for payload in (b"\xff\x00", b"null", b"{" * 1000, b""):
            broker.publish(Publication(TOPICS.of(7, "state"), payload))
        broker.publish(Publication(TOPICS.of(7, "alive"), b"online"))
        assert await devices.heard(0.05) == [Beat(7)]
        assert counted() - before == 4


async def test_the_settings_name_the_broker(settings: Settings) -> None:
    assert BrokerAddress.of(settings) is None
    changed = {"mqtt_url": "mqtts://broker.example.com", "mqtt_user": "atrium", "mqtt_prefix": "house/two", "mqtt_version": "3.1.1"}
    found = BrokerAddress.of(Settings(_env_file=None, **changed))  # type: ignore[call-arg, arg-type]
    assert found is not None
    assert (found.host, found.port, found.prefix, found.user) == ("broker.example.com", 8883, "house/two", "atrium")
    assert found.version is MqttVersion.V311
    assert found.tls is not None
    for wrong in ({"mqtt_url": "http://broker"}, {"mqtt_prefix": "a/+"}, {"mqtt_prefix": "$SYS"}, {"mqtt_prefix": "/a"}):
        with pytest.raises(ValueError):
            Settings(_env_file=None, **wrong)  # type: ignore[call-arg, arg-type]


async def test_readiness_tells_whether_the_broker_is_there(app: Starlette, client: httpx2.AsyncClient) -> None:
    gateways = app.state.runtime.gateways
    async with asyncio.timeout(PATIENCE):
        await gateways.devices.connected()
    assert (await client.get("/readyz")).json()["devices"] == "connected"
    await gateways.simulators.devices.broker.close()
    await until(lambda: not gateways.devices.is_connected)
    away = await client.get("/readyz")
    assert (away.status_code, away.json()["devices"]) == (200, "away")


async def test_doctor_tries_to_get_in(broker: Broker, settings: Settings) -> None:
    def changed(**about: Any) -> Settings:
        return settings.model_copy(update={"mqtt_url": f"mqtt://127.0.0.1:{broker.port}", "mqtt_user": USER, **about})

    assert diagnosis._broker(settings) == ("Broker", "simulated devices")
    fine = await asyncio.to_thread(diagnosis._broker, changed(mqtt_password=SecretStr(PASSWORD)))
    assert fine == ("Broker", f"127.0.0.1:{broker.port} lets us in, MQTT 5")
    with pytest.raises(CannotStart, match="does not let us in"):
        await asyncio.to_thread(diagnosis._broker, changed(mqtt_password=SecretStr("guessed")))
    assert "devices cannot be set" in diagnosis._broker(settings.model_copy(update={"mode": Mode.PRODUCTION}))[1]
