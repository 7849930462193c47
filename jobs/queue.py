"""The job queue as operations see it: putting jobs in, in the transaction whose commit they depend on, and looking after failed ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.database import Database

FAILED = """
SELECT job.id, job.entrypoint AS name, job.payload, job.attempts, job.created, job.updated,
  (SELECT traceback ->> 'exception_message' FROM pgqueuer_log
   WHERE job_id = job.id AND traceback IS NOT NULL ORDER BY id DESC LIMIT 1) AS error
FROM pgqueuer job WHERE job.status = 'failed' AND ($2::bigint IS NULL OR job.id < $2) ORDER BY job.id DESC LIMIT $1
"""
COUNT = """
SELECT count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS waiting, count(*) FILTER (WHERE status = 'failed') AS failed
FROM pgqueuer
"""
WAITING = Gauge("atrium_jobs_waiting", "Jobs that are due and wait for a worker.")
FAILED_JOBS = Gauge("atrium_jobs_failed", "Jobs that were given up and wait for somebody to look at them.")


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that was given up after its last try; it is kept until somebody lets it run again or drops it."""

    number: int
    name: str
    payload: dict[str, Any]
    tries: int
    queued_at: datetime
    failed_at: datetime
    error: str


async def enqueue(db: AsyncSession, name: str, payload: dict[str, Any], *, after: timedelta | None = None, key: str | None = None) -> None:
    """Have a job run once this transaction is committed; nothing happens while one with the same key waits or runs."""
    await db.flush()
    queries = Queries(AsyncpgDriver(await _raw(db)))
    await queries.enqueue(name, orjson.dumps(payload), execute_after=after, dedupe_key=key, on_conflict="skip")


async def failed_jobs(database: Database, *, limit: int = 100, before: int | None = None) -> list[FailedJob]:
    """Jobs that were given up, newest first; `before` is the number after which to read on."""
    async with database.reading() as connection:
        rows = await connection.fetch(FAILED, limit, before)
    return [
        FailedJob(
            row["id"], row["name"], orjson.loads(row["payload"]), row["attempts"] + 1, row["created"], row["updated"], row["error"] or ""
        )
        for row in rows
    ]


async def measure_jobs(connection: asyncpg.Connection | asyncpg.Pool) -> None:
    """Count waiting and failed jobs for the metrics."""
    counted = await connection.fetchrow(COUNT)
    assert counted is not None  # noqa: S101 - an aggregate without GROUP BY answers one row
    WAITING.set(counted["waiting"])
    FAILED_JOBS.set(counted["failed"])


async def requeue(db: AsyncSession, ids: Sequence[int]) -> list[int]:
    """Let failed jobs run again, with all their tries; returns which of these were failed."""
    return await _change(
        db, "UPDATE pgqueuer SET status = 'queued', attempts = 0, execute_after = now(), updated = now() WHERE {failed} RETURNING id", ids
    )


async def drop(db: AsyncSession, ids: Sequence[int]) -> list[int]:
    """Give failed jobs up for good; returns which of these were failed."""
    return await _change(db, "DELETE FROM pgqueuer WHERE {failed} RETURNING id", ids)


async def _change(db: AsyncSession, statement: str, ids: Sequence[int]) -> list[int]:
    changed = await db.execute(text(statement.format(failed="status = 'failed' AND id = ANY(:ids)")), {"ids": list(ids)})
    return sorted(changed.scalars())


async def _raw(db: AsyncSession) -> asyncpg.Connection:
    connection = await db.connection()
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None  # noqa: S101 - a connection in use has one
    if not raw.is_in_transaction():
        await connection.execute(text("SELECT 1"))  # SQLAlchemy begins the transaction only with its first statement
    return raw
