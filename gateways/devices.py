"""The devices of the house over MQTT: commands out to them, and what they say back."""

import asyncio
import math
import random
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from prometheus_client import Counter, Gauge

from gateways.device_messages import Answer, Command, Message, NotUnderstood, Topics, write_command
from settings import MqttVersion, Settings

LONGEST_QUEUE = 10_000
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
ANSWER_SECONDS = 10
"""How long the broker may take for a packet of its own."""
KEEPALIVE = 30
REFUSED = 0x80
"""From here on the broker's code says that it does not let us subscribe."""
PORTS = {"mqtt": 1883, "mqtts": 8883}
LOST = (aiomqtt.MqttError, OSError)

logger = structlog.get_logger()
CONNECTED = Gauge("atrium_broker_connected", "Whether this process is connected to the devices' broker.")
MEANINGLESS = Counter("atrium_device_messages_not_understood", "What devices said that could not be understood.")
DROPPED = Counter("atrium_device_messages_dropped", "What devices said faster than it could be written down.")


@dataclass(frozen=True)
class BrokerAddress:
    """Where the devices' broker is, and how one gets in."""

    host: str
    port: int
    prefix: str = "atrium"
    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    version: MqttVersion = MqttVersion.V5

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The one that the settings name, if any."""
        if settings.mqtt_url is None:
            return None
        url = urlsplit(settings.mqtt_url)
        password = settings.mqtt_password.get_secret_value() if settings.mqtt_password else None
        return cls(
            host=url.hostname or "localhost",
            port=url.port or PORTS[url.scheme],
            prefix=settings.mqtt_prefix,
            user=settings.mqtt_user,
            password=password,
            tls=_tls(settings) if url.scheme == "mqtts" else None,
            version=settings.mqtt_version,
        )

    def client(self, name: str) -> aiomqtt.Client:
        """A client that is not connected yet."""
        client = aiomqtt.Client(
            self.host,
            self.port,
            identifier=name,
            username=self.user,
            password=self.password,
            tls_context=self.tls,
            protocol=aiomqtt.ProtocolVersion.V5 if self.version is MqttVersion.V5 else aiomqtt.ProtocolVersion.V311,
            clean_session=None if self.version is MqttVersion.V5 else True,
            keepalive=KEEPALIVE,
            timeout=ANSWER_SECONDS,
        )
        client.pending_calls_threshold = LONGEST_QUEUE  # a scene of many devices is no reason for a warning
        return client


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.mqtt_ca_file)
    if settings.mqtt_certificate_file:
        context.load_cert_chain(settings.mqtt_certificate_file, settings.mqtt_key_file)
    return context


class Devices:
    """The devices, as one process reaches them. Of several processes all hear answers, and one hears everything else."""

    def __init__(self, broker: BrokerAddress) -> None:
        self._broker = broker
        self._topics = Topics(broker.prefix)
        self._name = f"atrium-{uuid4().hex[:16]}"
        self._waiting: dict[UUID, asyncio.Future[Answer]] = {}
        self._heard: asyncio.Queue[Message] = asyncio.Queue(LONGEST_QUEUE)
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()
        self._hears_reports = False
        self._connection: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._connection = asyncio.create_task(self._stay_connected(), name="devices")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._connection:
            await end({self._connection})

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self._connected.is_set()

    async def connected(self) -> None:
        """Wait for the broker."""
        await self._connected.wait()

    async def send(self, command: Command, seconds: float) -> Answer | None:
        """Send a command and wait for the device's answer; nothing when there is none in time."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[command.id] = answer
        try:
            async with asyncio.timeout(seconds):
                await self._publish(command, seconds)
                return await answer
        except (TimeoutError, *LOST):
            return None
        finally:
            del self._waiting[command.id]

    async def _publish(self, command: Command, seconds: float) -> None:
        await self._connected.wait()
        assert self._client is not None  # noqa: S101 - there is one while connected
        about = None
        if self._broker.version is MqttVersion.V5:
            about = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            about.MessageExpiryInterval = math.ceil(seconds)
        said = write_command(command, time.time() + seconds)
        await self._client.publish(self._topics.of(command.device_id, "set"), said, qos=1, properties=about)

    async def heard(self, seconds: float) -> list[Message]:
        """What devices said that nobody waits for; the first message is kept back a while, so that more come with it."""
        messages = [await self._heard.get()]
        await asyncio.sleep(seconds)
        while not self._heard.empty():
            messages.append(self._heard.get_nowait())
        return messages

    async def hear_reports(self, wanted: bool) -> None:
        """Hear from now on what devices say by themselves, or leave that to another process."""
        if wanted is self._hears_reports:
            return
        self._hears_reports = wanted
        client = self._client
        if client is None:
            return  # the next connection begins with it
        try:
            if wanted:
                await _subscribe(client, self._topics.reports)
            else:
                await client.unsubscribe(list(self._topics.reports))
        except LOST as error:
            logger.warning("broker_did_not_follow", error=str(error))

    async def _stay_connected(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._connection_open() as client:
                    pause = FIRST_PAUSE
                    async for message in client.messages:
                        self._take(message)
            except LOST as error:
                logger.warning("broker_away", host=self._broker.host, error=str(error), seconds=pause)
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - spreads the tries, keeps no secret
            pause = min(pause * 2, LONGEST_PAUSE)

    @asynccontextmanager
    async def _connection_open(self) -> AsyncIterator[aiomqtt.Client]:
        async with self._broker.client(self._name) as client:
            self._client = client
            try:
                await _subscribe(client, [self._topics.answers])
                if self._hears_reports:
                    await _subscribe(client, self._topics.reports)
                self._connected.set()
                CONNECTED.set(1)
                yield client
            finally:
                self._connected.clear()
                self._client = None
                CONNECTED.set(0)

    def _take(self, said: aiomqtt.Message) -> None:
        payload = said.payload if isinstance(said.payload, bytes) else b""
        try:
            message = self._topics.read(said.topic.value, payload, is_remembered=bool(said.retain))
        except NotUnderstood:
            MEANINGLESS.inc()
            return
        if message is None:
            return
        if isinstance(message, Answer) and (waiting := self._waiting.get(message.command_id)) is not None:
            if not waiting.done():
                waiting.set_result(message)
        elif self._hears_reports:
            if self._heard.full():
                self._heard.get_nowait()  # the newest word of a device counts
                DROPPED.inc()
            self._heard.put_nowait(message)


async def _subscribe(client: aiomqtt.Client, topics: Iterable[str]) -> None:
    codes = await client.subscribe([(each, 1) for each in topics])
    if any((code if isinstance(code, int) else code.value) >= REFUSED for code in codes):
        raise aiomqtt.MqttError("The broker does not let us subscribe.")


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended: on Python 3.11 a cancellation is lost that comes just when what is waited for is there."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=1)
