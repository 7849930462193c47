"""A small MQTT broker on this machine: what the devices of demo mode, of tests and of the bench meet at."""

import asyncio
import contextlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from gateways.simulators.mqtt_packets import (
    VERSION_5,
    Connect,
    Kind,
    Malformed,
    Publication,
    Reader,
    matches,
    packet,
    properties,
    publish,
    read_connect,
    read_packet,
    read_publish,
)

HELLO_SECONDS = 3
MOST_UNSENT = 1_000_000
"""Bytes that a client may leave unread before it is let go."""
REFUSED = {4: 5, 5: 0x87}
"""How each version says that name or password are wrong."""
GONE = (OSError, EOFError, TimeoutError, Malformed)

Listener = Callable[[Publication], None]


@dataclass(eq=False)
class Client:
    """One connection."""

    writer: asyncio.StreamWriter
    hello: Connect
    filters: dict[str, int] = field(default_factory=dict)
    sent: int = 0

    def send(self, message: Publication, *, is_retained: bool = False) -> None:
        """Hand a message on if the client asked for its topic."""
        wanted = [qos for each, qos in self.filters.items() if matches(each, message.topic)]
        if not wanted or self.writer.is_closing():
            return
        self.sent = self.sent % 65_535 + 1
        qos = min(message.qos, max(wanted))
        out = Publication(message.topic, message.payload, qos, is_retained, self.sent if qos else 0)
        self.writer.write(publish(out, self.hello.version))
        if self.writer.transport.get_write_buffer_size() > MOST_UNSENT:
            self.writer.transport.abort()


class Broker:
    """Hands messages from whoever publishes to whoever subscribed; keeps nothing but the retained ones."""

    def __init__(self, *, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._listeners: list[tuple[str, Listener]] = []
        self.subscribed = asyncio.Event()
        """Set whenever somebody subscribes."""
        self._retained: dict[str, Publication] = {}
        self._clients: set[Client] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen on a free port of this machine; on the same one when it is opened again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Let everybody go."""
        if self._server:
            self._server.close()
        self.drop_clients()
        if self._serving:
            await asyncio.wait(self._serving)

    def drop_clients(self) -> None:
        """Cut every connection, as a broken network does."""
        for client in self._clients:
            client.writer.transport.abort()
        for task in self._serving:
            task.cancel()

    @property
    def clients(self) -> list[str]:
        """The names of those who are connected."""
        return sorted(each.hello.client_id for each in self._clients)

    def listen(self, wanted: str, listener: Listener) -> None:
        """Call a function of this process with every message of some topics."""
        self._listeners.append((wanted, listener))

    def publish(self, message: Publication) -> None:
        """Hand a message to all who asked for its topic."""
        if message.retain:
            if message.payload:
                self._retained[message.topic] = message
            else:
                self._retained.pop(message.topic, None)
        for wanted, listener in self._listeners:
            if matches(wanted, message.topic):
                listener(message)
        for client in list(self._clients):
            client.send(message)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is a task
        self._serving.add(task)
        try:
            await self._attend(reader, writer)
        except GONE:
            pass
        except asyncio.CancelledError:
            pass  # the connection was cut; nobody else waits for this task
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._serving.discard(task)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HELLO_SECONDS):
            kind, _, fields = await read_packet(reader)
        if kind is not Kind.CONNECT:
            raise Malformed("The first packet introduces the client.")
        hello = read_connect(fields)
        if not self._knows(hello):
            writer.write(packet(Kind.CONNACK, bytes([0, REFUSED[hello.version]]) + properties(hello.version)))
            await writer.drain()
            return
        writer.write(packet(Kind.CONNACK, b"\0\0" + properties(hello.version)))
        client, will = Client(writer, hello), hello.will
        self._clients.add(client)
        try:
            patience = hello.keepalive * 1.5 or None
            while True:
                async with asyncio.timeout(patience):
                    kind, flags, fields = await read_packet(reader)
                if kind is Kind.DISCONNECT:
                    will = None
                    return
                self._answer(client, kind, flags, fields)
        finally:
            self._clients.discard(client)
            if will is not None:
                self.publish(will)

    def _knows(self, hello: Connect) -> bool:
        is_user = hmac.compare_digest((hello.user or "").encode(), self._user.encode())
        return hmac.compare_digest(hello.password or b"", self._password.encode()) and is_user

    def _answer(self, client: Client, kind: Kind, flags: int, fields: Reader) -> None:
        version, write = client.hello.version, client.writer.write
        if kind is Kind.PUBLISH:
            message = read_publish(flags, fields, version)
            if message.qos:
                write(packet(Kind.PUBACK, message.packet_id.to_bytes(2, "big")))
            self.publish(message)
        elif kind is Kind.SUBSCRIBE:
            self._subscribe(client, fields)
        elif kind is Kind.UNSUBSCRIBE:
            packet_id, codes = fields.take(2), b""
            fields.skip_properties(version)
            while not fields.is_at_end:
                client.filters.pop(fields.text(), None)
                codes += b"\0"
            write(packet(Kind.UNSUBACK, packet_id + properties(version) + (codes if version == VERSION_5 else b"")))
        elif kind is Kind.PINGREQ:
            write(packet(Kind.PINGRESP))
        elif kind is not Kind.PUBACK:
            raise Malformed("A client does not send this.")

    def _subscribe(self, client: Client, fields: Reader) -> None:
        version, packet_id = client.hello.version, fields.take(2)
        fields.skip_properties(version)
        asked: list[tuple[str, int]] = []
        while not fields.is_at_end:
            asked.append((fields.text(), min(fields.number(1) & 3, 1)))
        client.filters.update(asked)
        self.subscribed.set()
        client.writer.write(packet(Kind.SUBACK, packet_id + properties(version) + bytes(qos for _, qos in asked)))
        for wanted, _ in asked:
            for message in self._retained.values():
                if matches(wanted, message.topic):
                    client.send(message, is_retained=True)
