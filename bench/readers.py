"""Many readers of one subscription, in a process of their own: `python -m bench.readers` speaks graphql-transport-ws over plain sockets.

It reads its orders from the standard input, one JSON object, connects, says "ready", and for each line with a number waits until each
reader has got so many more events; then it says how long the slowest waited, how many events came, and whether all got the same.
"""

import asyncio
import base64
import os
import sys
import time
import zlib
from contextlib import AsyncExitStack, closing
from typing import Any, cast

import orjson
import uvloop

SHORT, MEDIUM = 126, 127
PATIENCE = 120.0
CONNECTING_AT_ONCE = 50


class Reader(asyncio.Protocol):
    """One connection, that counts its events and sums up their bytes."""

    def __init__(self, about: dict[str, Any], token: str) -> None:
        self._about, self._token = about, token
        self._buffer = b""
        self._is_open = False
        self.events = 0
        self.sum = 0
        self.last = 0.0
        self.wanted = 0
        self.has_begun = asyncio.get_running_loop().create_future()
        self.has_all = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the protocol."""
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            f"GET {self._about['path']} HTTP/1.1",
            f"Host: 127.0.0.1:{self._about['port']}",
            "Upgrade: websocket",
            "Connection: Upgrade",
        ]
        head += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: graphql-transport-ws"]
        self._transport.write("\r\n".join([*head, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        """Read frame by frame."""
        self._buffer += data
        if not self._is_open:
            head, end, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            if b" 101 " not in head:
                self._fail(head.decode())
            self._is_open = True
            self._say({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"} if self._token else {}})
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            length, begins = buffer[at + 1], at + 2
            if length == SHORT:
                length, begins = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            if len(buffer) < begins + length or length == MEDIUM:
                break
            self._heard(buffer[at] & 15, buffer[begins : begins + length])
            at = begins + length
        self._buffer = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        """A reader that is cut off has lost events."""
        self._fail("A reader was cut off.")

    def expect(self, count: int) -> None:
        """Wait for so many more."""
        self.wanted = self.events + count
        self.has_all = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Leave."""
        self._transport.close()

    def _heard(self, opcode: int, message: bytes) -> None:
        if opcode == 9:
            self._write(10, message)
        elif opcode == 1 and b'"next"' in message:
            self.events += 1
            self.sum = zlib.crc32(message, self.sum)
            if self.events == self.wanted:
                self.last = time.perf_counter()
                self.has_all.set_result(None)
        elif opcode == 1 and b'"connection_ack"' in message:
            self._say({"id": "1", "type": "subscribe", "payload": {"query": self._about["query"]}})
            self.has_begun.set_result(None)
        elif b'"error"' in message or opcode == 8:
            self._fail(message.decode(errors="replace"))

    def _fail(self, why: str) -> None:
        for each in (self.has_begun, self.has_all):
            if not each.done():
                each.set_exception(ConnectionError(why))

    def _say(self, message: Any) -> None:
        self._write(1, orjson.dumps(message))

    def _write(self, opcode: int, body: bytes) -> None:
        length = bytes([128 | len(body)]) if len(body) < SHORT else bytes([128 | SHORT]) + len(body).to_bytes(2, "big")
        self._transport.write(bytes([128 | opcode]) + length + bytes(4) + body)  # a mask of zeros changes nothing


async def main() -> None:
    """Do as the standard input says."""
    loop = asyncio.get_running_loop()
    about = orjson.loads(await loop.run_in_executor(None, sys.stdin.readline))
    readers: list[Reader] = []
    async with AsyncExitStack() as stack:
        for at in range(0, len(about["tokens"]), CONNECTING_AT_ONCE):
            tokens = about["tokens"][at : at + CONNECTING_AT_ONCE]
            opened = [loop.create_connection(lambda token=each: Reader(about, token), "127.0.0.1", about["port"]) for each in tokens]  # type: ignore[misc]
            joined = [protocol for _, protocol in await asyncio.gather(*opened)]
            for each in joined:
                stack.enter_context(closing(each))
            await asyncio.wait_for(asyncio.gather(*[each.has_begun for each in joined]), PATIENCE)
            readers += joined
        print("ready", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            for each in readers:
                each.expect(int(line))
            print("expecting", flush=True)
            await asyncio.wait_for(asyncio.gather(*[each.has_all for each in readers]), PATIENCE)
            same = len({(each.events, each.sum) for each in readers}) == 1
            told = {"last": max(each.last for each in readers), "first": min(each.last for each in readers), "same": same}
            print(orjson.dumps(told).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
