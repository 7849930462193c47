"""Keys that somebody publishes to prove signatures by: fetched when they are needed, and kept for as long as their publisher says."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Self

import httpx2
import jwt

from errors import Unavailable

TIMEOUT = httpx2.Timeout(5, connect=3)
SHORTEST, USUAL, LONGEST = 60.0, 3600.0, 86_400.0
PAUSE = 10.0
"""Seconds between two fetches for the sake of keys that nobody knows, or after one that failed."""
MAX_AGE = re.compile(r"max-age=(\d{1,9})")
LARGEST = 200_000


class Jwks:
    """One publisher's keys, by their ids. When the publisher is away, the keys that were known stay good."""

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._client = httpx2.AsyncClient(timeout=TIMEOUT, transport=transport, follow_redirects=False)
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._good_until = self._next_try = float("-inf")
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id, none if its publisher knows none; Unavailable when that cannot be found out."""
        if key_id not in self._keys or self._clock() >= self._good_until:
            async with self._lock:
                is_old = key_id not in self._keys or self._clock() >= self._good_until
                if is_old and self._clock() >= self._next_try:
                    await self._fetch()
        if not self._keys:
            raise Unavailable("The keys that prove this sign-in cannot be fetched now. Try again shortly.")
        return self._keys.get(key_id)

    async def _fetch(self) -> None:
        self._next_try = self._clock() + PAUSE
        try:
            answer = await self._client.get(self._url)
            if answer.status_code != 200 or len(answer.content) > LARGEST:
                return
            keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        except (httpx2.HTTPError, ValueError, TypeError, AttributeError, jwt.PyJWTError):
            return
        self._keys = {each.key_id: each for each in keys if each.key_id}
        said = MAX_AGE.search(answer.headers.get("cache-control", ""))
        self._good_until = self._clock() + min(max(float(said[1]) if said else USUAL, SHORTEST), LONGEST)
