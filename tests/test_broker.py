"""The small broker of demo mode, as a client that others wrote sees it."""

import asyncio
from collections.abc import AsyncIterator

import aiomqtt
import pytest

from gateways.simulators.broker import Broker
from gateways.simulators.mqtt_packets import Kind, Publication, matches, packet, text
from settings import MqttVersion

USER, PASSWORD = "spa", "correct horse"
PROTOCOLS = {MqttVersion.V311: aiomqtt.ProtocolVersion.V311, MqttVersion.V5: aiomqtt.ProtocolVersion.V5}
PATIENCE = 5


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker(user=USER, password=PASSWORD) as broker:
        yield broker


@pytest.fixture(params=PROTOCOLS.values(), ids=list(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> aiomqtt.ProtocolVersion:
    found: aiomqtt.ProtocolVersion = request.param
    return found


def client(
    broker: Broker, protocol: aiomqtt.ProtocolVersion, *, password: str = PASSWORD, will: aiomqtt.Will | None = None
) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", broker.port, username=USER, password=password, protocol=protocol, timeout=PATIENCE, will=will)


async def next_of(client: aiomqtt.Client) -> tuple[str, bytes, bool]:
    async with asyncio.timeout(PATIENCE):
        message = await anext(client.messages)
    assert isinstance(message.payload, bytes)
    return message.topic.value, message.payload, bool(message.retain)


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_message_reaches_whoever_asked_for_its_topic(broker: Broker, protocol: aiomqtt.ProtocolVersion, qos: int) -> None:
    async with client(broker, protocol) as hearing, client(broker, protocol) as saying:
        await hearing.subscribe("atrium/devices/+/state", qos=1)
        await saying.publish("atrium/devices/7/answer", b"not asked for", qos=qos)
        await saying.publish("atrium/devices/7/state", b"x" * 300, qos=qos)
        assert await next_of(hearing) == ("atrium/devices/7/state", b"x" * 300, False)
        await hearing.unsubscribe("atrium/devices/+/state")
        await hearing.subscribe("atrium/#")
        await saying.publish("atrium/devices/7/state", b"once", qos=qos)
        await saying.publish("atrium/end", b"", qos=qos)
        assert [(await next_of(hearing))[1] for _ in range(2)] == [b"once", b""]


async def test_the_newest_retained_message_is_kept_until_it_is_emptied(broker: Broker, protocol: aiomqtt.ProtocolVersion) -> None:
    async with client(broker, protocol) as one:
        for payload in (b"old", b"new"):
            await one.publish("a/state", payload, qos=1, retain=True)
        await one.publish("b/state", b"gone", qos=1, retain=True)
        await one.publish("b/state", b"", qos=1, retain=True)
    async with client(broker, protocol) as other:
        await other.subscribe("+/state")
        assert await next_of(other) == ("a/state", b"new", True)
        broker.publish(Publication("b/state", b"live"))
        assert await next_of(other) == ("b/state", b"live", False)


async def test_a_wrong_password_is_refused(broker: Broker, protocol: aiomqtt.ProtocolVersion) -> None:
    with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori|bad user"):
        async with client(broker, protocol, password="guessed"):
            pass
    assert broker.clients == []


async def test_a_last_will_is_told_when_the_connection_breaks_and_not_when_it_ends(
    broker: Broker, protocol: aiomqtt.ProtocolVersion
) -> None:
    told: list[bytes] = []
    broker.listen("+/alive", lambda message: told.append(message.payload))
    async with client(broker, protocol, will=aiomqtt.Will("1/alive", b"offline", qos=1)):
        pass
    await asyncio.sleep(0.05)
    assert told == []

    async def cut() -> None:
        async with client(broker, protocol, will=aiomqtt.Will("1/alive", b"offline", qos=1)) as hearing:
            broker.drop_clients()
            await next_of(hearing)

    with pytest.raises(aiomqtt.MqttError):
        await cut()
    assert told == [b"offline"]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        packet(Kind.PUBLISH, text("a") + b"x"),
        packet(Kind.CONNECT, text("MQIsdp") + b"\x03\0\0\0" + text("a")),
        packet(Kind.CONNECT, text("MQTT")[:3]),
        bytes([Kind.CONNECT << 4, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
        bytes([Kind.CONNECT << 4, 0xFF, 0xFF, 0xFF, 0x7F]),
    ],
)
async def test_what_is_not_mqtt_ends_only_its_own_connection(broker: Broker, nonsense: bytes) -> None:
    async with client(broker, aiomqtt.ProtocolVersion.V5) as other:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(nonsense)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await other.publish("a/state", b"still here", qos=1)
        assert len(broker.clients) == 1


@pytest.mark.parametrize(
    ("wanted", "topic", "is_meant"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/d", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/b/c", "a/b", False),
    ],
)
def test_filters_mean_topics(wanted: str, topic: str, is_meant: bool) -> None:
    assert matches(wanted, topic) is is_meant
