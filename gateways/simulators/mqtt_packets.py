"""MQTT's packets as bytes, as far as a broker for one machine needs them: versions 3.1.1 and 5, QoS 0 and 1."""

import asyncio
from dataclasses import dataclass
from enum import IntEnum

LONGEST_PACKET = 1_000_000
VERSION_3_1_1, VERSION_5 = 4, 5


class Kind(IntEnum):
    """The type of a packet."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Malformed(Exception):
    """What came is not MQTT as it is understood here."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A message under a topic."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    packet_id: int = 0


@dataclass(frozen=True, slots=True)
class Connect:
    """How a client introduces itself."""

    version: int
    client_id: str
    keepalive: int
    will: Publication | None
    user: str | None
    password: bytes | None


class Reader:
    """Takes the fields of a packet off its bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        """Whether everything was taken."""
        return self._at >= len(self._data)

    def take(self, length: int) -> bytes:
        """So many bytes; Malformed when there are fewer."""
        found = self._data[self._at : self._at + length]
        if len(found) < length:
            raise Malformed("A packet ends too early.")
        self._at += length
        return found

    def number(self, length: int = 2) -> int:
        """A number of fixed length."""
        return int.from_bytes(self.take(length), "big")

    def size(self) -> int:
        """A number of one to four bytes."""
        value = 0
        for place in range(4):
            byte = self.number(1)
            value |= (byte & 0x7F) << 7 * place
            if not byte & 0x80:
                return value
        raise Malformed("A length has more than four bytes.")

    def binary(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.number())

    def text(self) -> str:
        """A text with its length before it."""
        try:
            return self.binary().decode()
        except UnicodeDecodeError:
            raise Malformed("A text is not UTF-8.") from None

    def rest(self) -> bytes:
        """Everything that was not taken."""
        return self.take(len(self._data) - self._at)

    def skip_properties(self, version: int) -> None:
        """Pass over what only version 5 has."""
        if version == VERSION_5:
            self.take(self.size())


def text(value: str) -> bytes:
    """A text with its length before it."""
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def packet(kind: Kind, body: bytes = b"", flags: int = 0) -> bytes:
    """A packet with its header."""
    header, size = bytearray([kind << 4 | flags]), len(body)
    while True:
        header.append(size & 0x7F | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            return bytes(header) + body


def properties(version: int) -> bytes:
    """The empty properties that version 5 wants and version 3.1.1 does not know."""
    return b"\0" if version == VERSION_5 else b""


async def read_packet(stream: asyncio.StreamReader) -> tuple[Kind, int, Reader]:
    """The next packet: kind, flags and fields."""
    [head] = await stream.readexactly(1)
    length = bytearray()
    while not length or length[-1] & 0x80:
        length += await stream.readexactly(1)
        if len(length) > 4:
            raise Malformed("A length has more than four bytes.")
    size = Reader(bytes(length)).size()
    if size > LONGEST_PACKET:
        raise Malformed("A packet is too long.")
    try:
        kind = Kind(head >> 4)
    except ValueError:
        raise Malformed(f"Packets of type {head >> 4} are not understood.") from None
    return kind, head & 0x0F, Reader(await stream.readexactly(size))


def read_connect(fields: Reader) -> Connect:
    """How a client introduces itself; Malformed for other protocols and versions."""
    if fields.text() != "MQTT" or (version := fields.number(1)) not in (VERSION_3_1_1, VERSION_5):
        raise Malformed("Only MQTT 3.1.1 and 5 are spoken here.")
    flags, keepalive = fields.number(1), fields.number()
    fields.skip_properties(version)
    client_id, will = fields.text(), None
    if flags & 0x04:
        fields.skip_properties(version)
        topic, payload = fields.text(), fields.binary()
        will = Publication(topic, payload, min(flags >> 3 & 3, 1), bool(flags & 0x20))
    user = fields.text() if flags & 0x80 else None
    password = fields.binary() if flags & 0x40 else None
    return Connect(version, client_id, keepalive, will, user, password)


def read_publish(flags: int, fields: Reader, version: int) -> Publication:
    """A message that a client publishes; Malformed for QoS 2 and for topics with wildcards."""
    qos, topic = flags >> 1 & 3, fields.text()
    if qos > 1 or not topic or "+" in topic or "#" in topic:
        raise Malformed("Messages are published with QoS 0 or 1 under a topic without wildcards.")
    packet_id = fields.number() if qos else 0
    fields.skip_properties(version)
    return Publication(topic, fields.rest(), qos, bool(flags & 1), packet_id)


def publish(message: Publication, version: int) -> bytes:
    """A message as it is sent to a client."""
    packet_id = message.packet_id.to_bytes(2, "big") if message.qos else b""
    body = text(message.topic) + packet_id + properties(version) + message.payload
    return packet(Kind.PUBLISH, body, message.qos << 1 | message.retain)


def matches(wanted: str, topic: str) -> bool:
    """Whether a topic is meant by a filter with + and #."""
    levels, parts = topic.split("/"), wanted.split("/")
    for place, part in enumerate(parts):
        if part == "#":
            return True
        if place >= len(levels) or part not in ("+", levels[place]):
            return False
    return len(parts) == len(levels)
