"""Reading the event log: in order, without gaps, from a cursor on. Why it cannot skip: docs/decisions/0003-event-log.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from prometheus_client import Gauge

from errors import BadUserInput, Resync
from models.database import Database

CURSOR = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})", re.ASCII)

OLDEST_TRANSACTION = Gauge("atrium_event_log_oldest_transaction_seconds", "Age of the oldest writing transaction, which readers wait for.")
WAITING_EVENTS = Gauge("atrium_event_log_waiting_events", "Events that are committed and not yet readable.")
WAITING_SECONDS = Gauge("atrium_event_log_waiting_seconds", "Age of the oldest event that is committed and not yet readable.")


@dataclass(frozen=True, order=True, slots=True)
class Cursor:
    """A place in the event log: everything up to it has been read. Clients see only its text."""

    epoch: int
    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.xid}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that a client sends back; raises BadUserInput for anything else."""
        match = CURSOR.fullmatch(text)
        if match is None:
            raise BadUserInput(after="This is not a cursor of the event log.")
        return cls(*map(int, match.groups()))


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it was announced, with its place in the log."""

    cursor: Cursor
    kind: str
    topics: tuple[str, ...]
    subject_id: int
    data: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, and the place from which to read on; `more` when the limit cut them off."""

    records: list[Record]
    through: Cursor
    more: bool


@dataclass(frozen=True, slots=True)
class Lag:
    """What keeps committed events from their readers."""

    oldest_transaction: float
    waiting_events: int
    waiting_seconds: float


# One statement, so that rows and horizon belong to one snapshot. Before the horizon no transaction is running any more.
HORIZON = "SELECT epoch, pg_snapshot_xmin(pg_current_snapshot()) AS xmin, pruned_through FROM event_epochs"
READ = f"""
SELECT horizon.epoch AS horizon_epoch, horizon.xmin AS horizon_xid, horizon.pruned_through, event.*
FROM ({HORIZON}) horizon LEFT JOIN LATERAL (
  SELECT epoch, xid, id, kind, topics, subject_id, data, at FROM event_log
  WHERE (epoch, xid, id) > ($1, $2, $3) AND (epoch, xid, id) <= ($4, $5, $6)
    AND (epoch, xid) < (horizon.epoch, horizon.xmin) AND ($7::text[] IS NULL OR topics && $7)
  ORDER BY epoch, xid, id LIMIT $8
) event ON true
"""  # noqa: S608 - constants
PRUNE = f"""
WITH horizon AS ({HORIZON}),
oldest AS (
  SELECT event_log.epoch, xid, event_log.id, at FROM event_log, horizon
  WHERE (event_log.epoch, xid) < (horizon.epoch, horizon.xmin) ORDER BY 1, 2, 3 LIMIT $2
),
old AS (SELECT id, bool_and(at < $1) OVER (ORDER BY epoch, xid, id) AS gone FROM oldest),
pruned AS (DELETE FROM event_log WHERE id IN (SELECT id FROM old WHERE gone) RETURNING epoch, xid, id),
newest AS (SELECT epoch, xid, id FROM pruned ORDER BY epoch DESC, xid DESC, id DESC LIMIT 1),
kept AS (UPDATE event_epochs SET pruned_through = concat_ws('.', newest.epoch, newest.xid, newest.id) FROM newest)
SELECT count(*) FROM pruned
"""  # noqa: S608 - constants
LAG = f"""
SELECT
  (SELECT extract(epoch FROM max(clock_timestamp() - began)) FROM (
    SELECT xact_start AS began FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
    UNION ALL SELECT prepared FROM pg_prepared_xacts
  ) holding) AS oldest_transaction,
  count(event_log.id) AS waiting_events,
  extract(epoch FROM clock_timestamp() - min(at)) AS waiting_seconds
FROM ({HORIZON}) horizon LEFT JOIN event_log ON (event_log.epoch, xid) >= (horizon.epoch, horizon.xmin)
"""  # noqa: S608 - constants
END = Cursor(2**62, 2**62, 0)


async def begin_epoch(database: Database) -> int:
    """The present epoch; in another cluster or after a failover a new one begins. Every process calls it at its start."""
    async with database.reading() as connection:
        epoch: int = await connection.fetchval("SELECT event_epoch()")
    return epoch


async def horizon(database: Database) -> Cursor:
    """The place up to which all events are readable now."""
    return (await read(database, END, limit=0)).through


async def read(database: Database, after: Cursor, *, through: Cursor = END, topics: Sequence[str] | None = None, limit: int = 500) -> Page:
    """Events after a cursor, in order; raises Resync when some of them are gone, or when the cursor is of another log."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            READ, after.epoch, after.xid, after.id, through.epoch, through.xid, through.id, None if topics is None else list(topics), limit
        )
    reached = Cursor(rows[0]["horizon_epoch"], rows[0]["horizon_xid"], 0)
    pruned = rows[0]["pruned_through"]
    if after is not END and ((pruned is not None and after < Cursor.parse(pruned)) or after > reached):
        raise Resync
    records = [
        Record(Cursor(row["epoch"], row["xid"], row["id"]), row["kind"], tuple(row["topics"]), row["subject_id"], row["data"], row["at"])
        for row in rows
        if row["id"] is not None
    ]
    more = bool(records) and len(records) == limit
    return Page(records, records[-1].cursor if more else min(reached, through), more)


async def prune(database: Database, before: datetime, *, batch: int = 5000) -> int:
    """Delete what happened before a moment, in short transactions, and remember how far; returns how many events are gone."""
    total = 0
    while True:
        async with database.reading() as connection:
            gone: int = await connection.fetchval(PRUNE, before, batch, timeout=database.longest_write)
        total += gone
        if gone < batch:
            return total


async def measure_lag(database: Database) -> Lag:
    """How far readers are behind, and for which transaction they wait; also shown as metrics."""
    async with database.reading() as connection:
        row = await connection.fetchrow(LAG)
    assert row is not None  # noqa: S101 - an aggregate without GROUP BY answers one row
    lag = Lag(float(row["oldest_transaction"] or 0), row["waiting_events"], float(row["waiting_seconds"] or 0))
    OLDEST_TRANSACTION.set(lag.oldest_transaction)
    WAITING_EVENTS.set(lag.waiting_events)
    WAITING_SECONDS.set(lag.waiting_seconds)
    return lag
