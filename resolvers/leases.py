"""Shares of a limit that one process holds, so that most calls are counted without asking the database."""

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from models.database import Database

SHARE = 20
"""A process never holds more than this part of what is left: the 5 % by which processes may be wrong together."""
MOST_LEASES = 20_000

# Autocommitted, so that a call counts although its transaction fails. A window begins with its first call.
# Nobody waits for the disk: a crash of the database may forget what was counted in its last half second.
TAKE = """
INSERT INTO limit_counters AS counter (key, hits, expires_at)
VALUES ($1, $3, clock_timestamp() + $2 * interval '1 second')
ON CONFLICT (key) DO UPDATE SET
  hits = CASE WHEN counter.expires_at <= clock_timestamp() THEN 0 ELSE least(counter.hits, 1000000000) END + excluded.hits,
  expires_at = CASE WHEN counter.expires_at <= clock_timestamp() THEN excluded.expires_at ELSE counter.expires_at END
RETURNING hits, extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds, set_config('synchronous_commit', 'off', true)
"""


@dataclass(slots=True)
class Lease:
    """What this process may still spend of one window."""

    left: int = 0
    ends: float = 0.0
    step: int = 1
    unclaimed: int = 0
    """What nobody had taken yet when the database was last asked."""


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
        return None if lease.unclaimed else Standing(False, lease.left, seconds)

    async def take(self, key: str, stored: str, limit: int, window: int, points: int) -> Standing:
        """Count a call, with another share of the window, counted under its stored name; the share doubles for whoever keeps asking."""
        lease = self._held.get(key)
        if lease is None or lease.ends <= time.monotonic():
            lease = self._remember(key)
        wanted = max(points - lease.left, min(lease.step, lease.unclaimed // SHARE))
        [row] = await self._database.run(TAKE, [stored, window, wanted])
        taken = int(row["hits"])
        if taken == wanted:  # this call has begun a window
            lease.left = 0
        lease.left += max(0, min(wanted, limit - (taken - wanted)))
        lease.unclaimed = max(0, limit - taken)
        lease.ends = time.monotonic() + row["seconds"]
        lease.step *= 2
        is_granted = lease.left >= points
        if is_granted:
            lease.left -= points
        return Standing(is_granted, lease.left + lease.unclaimed, float(row["seconds"]))

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
