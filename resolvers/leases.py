"""Shares of a limit that one process holds, so that most calls are counted without asking the database."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from models.database import Database

MISSED = 20
"""All processes together hold at most this part of a limit unspent: the 5 % by which it may be missed."""
MOST_LEASES = 20_000

# Autocommitted, so that a call counts although its transaction fails. A window begins with its first call.
# Nobody waits for the disk: a crash of the database may forget what was counted in its last half second.
TAKE = """
INSERT INTO limit_counters AS counter (key, hits, holders, expires_at)
VALUES ($1, $3, 1, clock_timestamp() + $2 * interval '1 second')
ON CONFLICT (key) DO UPDATE SET
  hits = CASE WHEN counter.expires_at <= clock_timestamp() THEN 0 ELSE least(counter.hits, 1000000000) END + excluded.hits,
  holders = CASE WHEN counter.expires_at <= clock_timestamp() THEN 1
    ELSE counter.holders + (counter.expires_at IS DISTINCT FROM $4)::int END,
  expires_at = CASE WHEN counter.expires_at <= clock_timestamp() THEN excluded.expires_at ELSE counter.expires_at END
RETURNING hits, holders, expires_at, extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds,
  set_config('synchronous_commit', 'off', true)
"""
GIVE_BACK = "UPDATE limit_counters SET hits = hits - $2 WHERE key = $1 AND expires_at = $3"


@dataclass(slots=True)
class Lease:
    """What this process may still spend of one window."""

    window: datetime | None = None
    """When it ends by the database's clock, which is its name too."""
    place: int = 0
    """The how many-th process it was to ask in this window."""
    left: int = 0
    ends: float = 0.0
    step: int = 1
    unclaimed: int = 0
    """What nobody had taken yet when the database was last asked."""
    is_growing: bool = False
    """Whether somebody is taking more than a call needs just now; one at a time, or together they would hold too much."""

    def share(self, limit: int) -> int:
        """How much may be held: halves, sixths, twelfths … of what may be missed, which add up to one however many processes there are."""
        return limit // MISSED // (self.place * (self.place + 1)) if self.place else 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands under a limit after a call."""

    is_granted: bool
    remaining: int
    seconds: float


class Leases:
    """The leases of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[str, Lease] = {}

    def spend(self, key: str, points: int) -> Standing | None:
        """Count a call from what is held here; none when the database must be asked."""
        lease = self._held.get(key)
        seconds = lease.ends - time.monotonic() if lease else 0.0
        if lease is None or seconds <= 0:
            return None
        if lease.left >= points:
            lease.left -= points
            return Standing(True, lease.left + lease.unclaimed, seconds)
        free = lease.left + lease.unclaimed
        return None if free >= points else Standing(False, free, seconds)

    async def take(self, key: str, stored: str, limit: int, window: int, points: int) -> Standing:
        """Count a call, with another share of the window, counted under its stored name; the share doubles for whoever keeps asking."""
        lease = self._held.get(key)
        if lease is None or lease.ends <= time.monotonic():
            lease = self._remember(key)
        held, lease.left = lease.left, 0  # nobody else may count on it while the database is asked
        needed, before = points - held, lease.window
        wanted = max(needed, 0 if lease.is_growing else min(lease.step, lease.share(limit)))
        grows = wanted > needed
        lease.is_growing = lease.is_growing or grows
        try:
            async with self._database.reading() as connection:
                row = await connection.fetchrow(TAKE, stored, window, wanted, before)
                gained = self._gained(lease, row, limit, wanted)
                if gained < needed and gained:  # what does not suffice for this call may suffice for another one's
                    await connection.execute(GIVE_BACK, stored, wanted, lease.window)
                    lease.unclaimed = gained
        except BaseException:
            lease.left += held
            raise
        finally:
            lease.is_growing = lease.is_growing and not grows
        if held and lease.window != before:  # it was held in a window that has ended
            lease.left += gained if gained >= needed else 0
            return await self.take(key, stored, limit, window, points)
        is_granted = gained >= needed
        lease.left += held + gained - points if is_granted else held
        return Standing(is_granted, lease.left + lease.unclaimed, float(row["seconds"]))

    @staticmethod
    def _gained(lease: Lease, row: Any, limit: int, wanted: int) -> int:
        """What was there to be taken; the lease learns where the window stands."""
        if row["expires_at"] != lease.window:
            lease.window, lease.place = row["expires_at"], row["holders"]
        free = max(0, limit - (row["hits"] - wanted))
        lease.unclaimed = max(0, free - wanted)
        lease.ends = time.monotonic() + row["seconds"]
        lease.step *= 2
        return int(min(wanted, free))

    def _remember(self, key: str) -> Lease:
        if len(self._held) >= MOST_LEASES:
            now = time.monotonic()
            self._held = {name: each for name, each in self._held.items() if each.ends > now}
            if len(self._held) >= MOST_LEASES:
                self._held.clear()  # what was held is lost to its callers until their windows end
        lease = self._held[key] = Lease()
        return lease

    def forget(self) -> None:
        """Hold nothing any more."""
        self._held.clear()


_OF: WeakKeyDictionary[Database, Leases] = WeakKeyDictionary()


def leases_of(database: Database) -> Leases:
    """The leases that this process holds at a database."""
    found = _OF.get(database)
    if found is None:
        found = _OF[database] = Leases(database)
    return found
