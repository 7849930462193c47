"""How often an operation may be called: counted per call, in the database or from a share of it, so that processes count together."""

import hashlib
import ipaddress
import math
import time
from dataclasses import dataclass
from functools import cache

import asyncpg
from limits import RateLimitItem, parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from errors import RateLimited
from models.database import Database
from resolvers.context import Context
from resolvers.leases import leases_of

# Autocommitted, so that a call counts although its transaction fails.
HIT = """
INSERT INTO limit_counters AS counter (key, hits, expires_at)
VALUES ($1, $3, clock_timestamp() + $2 * interval '1 second')
ON CONFLICT (key) DO UPDATE SET
  hits = CASE WHEN counter.expires_at <= clock_timestamp() THEN 0 ELSE counter.hits END + excluded.hits,
  expires_at = CASE WHEN counter.expires_at <= clock_timestamp() THEN excluded.expires_at ELSE counter.expires_at END
RETURNING hits
"""
HITS = "SELECT hits FROM limit_counters WHERE key = $1 AND expires_at > clock_timestamp()"
EXPIRY = "SELECT extract(epoch FROM expires_at)::float8 FROM limit_counters WHERE key = $1"


class PostgresStorage(Storage):
    """Counters of the `limits` library as rows; a window begins with its first hit."""

    STORAGE_SCHEME = None

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What may go wrong below."""
        return (asyncpg.PostgresError,)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and tell how many there are now."""
        async with self._database.reading() as connection:
            return int(await connection.fetchval(HIT, key, expiry, amount))

    async def get(self, key: str) -> int:
        """How many were counted in the present window."""
        async with self._database.reading() as connection:
            return int(await connection.fetchval(HITS, key) or 0)

    async def get_expiry(self, key: str) -> float:
        """When the present window ends, in seconds since 1970."""
        async with self._database.reading() as connection:
            return float(await connection.fetchval(EXPIRY, key) or time.time())

    async def check(self) -> bool:
        """Whether the counters can be reached."""
        await self.get("")
        return True

    async def reset(self) -> int:
        """Forget every counter."""
        async with self._database.reading() as connection:
            return int((await connection.execute("DELETE FROM limit_counters")).split()[-1])

    async def clear(self, key: str) -> None:
        """Forget one counter."""
        async with self._database.reading() as connection:
            await connection.execute("DELETE FROM limit_counters WHERE key = $1", key)


EXACT = 10
"""Limits up to this are counted in the database call by call."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a caller may still do under one limit, as the doors tell it."""

    name: str
    limit: int
    window: int
    remaining: int
    seconds: int
    requested: int = 1
    is_exceeded: bool = False


async def limit(ctx: Context, name: str, rate: str, *, by: str | None = None) -> None:
    """Count one call by the viewer, else by the address, or by what is given; RateLimited beyond a rate such as "10/hour"."""
    item = _rate(rate)
    if item.amount > EXACT:
        quota = await spend(ctx, name, item.amount, item.get_expiry(), by=by)
        if quota.is_exceeded:
            raise RateLimited(quota.seconds)
        return
    subject = keyed(ctx, by or caller(ctx))
    limiter = FixedWindowRateLimiter(PostgresStorage(ctx.database))
    if not await limiter.hit(item, name, subject):
        window = await limiter.get_window_stats(item, name, subject)
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        ctx.quotas[name] = Quota(name, item.amount, item.get_expiry(), 0, seconds, is_exceeded=True)
        raise RateLimited(seconds)


async def spend(ctx: Context, name: str, limit: int, window: int, *, points: int = 1, by: str | None = None) -> Quota:
    """Count points under a limit of more than ten, mostly without the database; the answer says whether they were granted."""
    leases = leases_of(ctx.database)
    held = f"{name} {limit} {by or caller(ctx)}"
    standing = leases.spend(held, points)
    if standing is None:
        standing = await leases.take(held, f"{name} {limit} {keyed(ctx, by or caller(ctx))}", limit, window, points)
    seconds = max(1, math.ceil(standing.seconds))
    quota = Quota(name, limit, window, standing.remaining, seconds, points, not standing.is_granted)
    ctx.quotas[name] = quota
    return quota


@cache
def _rate(text: str) -> RateLimitItem:
    return parse(text)


async def forget_counters(database: Database) -> None:
    """Clear every limit and every lockout."""
    await PostgresStorage(database).reset()
    leases_of(database).forget()
    async with database.reading() as connection:
        await connection.execute("DELETE FROM sign_in_failures")


def caller(ctx: Context) -> str:
    """Who is counted: the viewer, or a stranger's network."""
    if ctx.viewer.kiosk_id:
        return f"kiosk:{ctx.viewer.kiosk_id}"
    if ctx.viewer.program:
        return f"program:{ctx.viewer.program}"
    return f"user:{ctx.viewer.user_id}" if ctx.viewer.user_id else network(ctx.address)


def network(address: str) -> str:
    """The address, or of IPv6 the network that one household has, so that nobody counts afresh with each address of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address}"
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False).network_address
    return f"address:{found}"


def keyed(ctx: Context, subject: str) -> str:
    """A hash under our own key, so that the counters hold no address of anybody."""
    secret = hashlib.sha256(ctx.settings.encryption_key.get_secret_value().encode()).digest()
    return hashlib.blake2b(subject.encode("utf-8", "replace"), key=secret, digest_size=20).hexdigest()
