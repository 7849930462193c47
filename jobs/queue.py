"""The job queue as operations see it: putting jobs in, in the transaction whose commit they depend on, and looking after failed ones."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import asyncpg
import orjson
from prometheus_client import Gauge
from sqlalchemy import Interval, LargeBinary, Text, column, func, literal_column, select, table, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import UpdateBase

from errors import Unavailable
from models.database import Database
from models.together import Form, Parameter, Part, write_at_end

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
COLUMNS = ("id", "priority", "entrypoint", "payload", "execute_after", "dedupe_key", "headers", "status")
QUEUE = table("pgqueuer", *map(column, COLUMNS))
LOG = table("pgqueuer_log", *map(column, ("job_id", "status", "entrypoint", "priority")))
STILL_TO_DO = "status IN ('queued', 'picked') AND dedupe_key IS NOT NULL"
RINGS = "rings"
"""Under this name a transaction notes that the workers must be told of its jobs."""
# As pgqueuer's trigger would say it, but after the commit: of transactions that notify, each waits until the one before is on the disk.
RING = """
SELECT pg_notify('ch_pgqueuer', json_build_object(
  'channel', 'ch_pgqueuer', 'operation', 'insert', 'sent_at', now(), 'table', 'pgqueuer', 'type', 'table_changed_event'
)::text)
"""
RING_SECONDS = 0.01
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


def _enqueue(rows: Sequence[Parameter]) -> UpdateBase:
    """What pgqueuer's own enqueue() writes, as a part of a statement of ours."""
    job = (
        insert(QUEUE)
        .values([_job(each) for each in rows])
        .on_conflict_do_nothing(index_elements=[QUEUE.c.dedupe_key], index_where=text(STILL_TO_DO))
        .returning(QUEUE.c.id, QUEUE.c.entrypoint, QUEUE.c.priority)
        .cte()
    )
    queued = select(job.c.id, literal_column("'queued'::pgqueuer_status"), job.c.entrypoint, job.c.priority)
    return insert(LOG).from_select(["job_id", "status", "entrypoint", "priority"], queued)


def _job(parameter: Parameter) -> dict[str, Any]:
    return {
        "entrypoint": parameter("name", Text()),
        "payload": parameter("payload", LargeBinary()),
        "execute_after": func.now() + parameter("after", Interval()),
        "dedupe_key": parameter("key", Text()),
        "priority": literal_column("0"),
        "headers": literal_column("'null'::jsonb"),
        "status": literal_column("'queued'::pgqueuer_status"),
    }


ENQUEUE = Form(_enqueue)


async def enqueue(db: AsyncSession, name: str, payload: dict[str, Any], *, after: timedelta | None = None, key: str | None = None) -> None:
    """Have a job run once this transaction is committed; nothing happens while one with the same key waits or runs."""
    db.info[RINGS] = True
    values = {"name": name, "payload": orjson.dumps(payload), "after": after or timedelta(0), "key": key}
    await write_at_end(db, Part(ENQUEUE, values))


def ring(database: Database) -> None:
    """Tell the workers of jobs that were committed; those of a hundredth of a second are told together."""
    loop = asyncio.get_running_loop()
    if _bells.get(database) is not loop:
        _bells[database] = loop
        loop.call_later(RING_SECONDS, lambda: _ringing.add(asyncio.ensure_future(_ring(database))))


async def _ring(database: Database) -> None:
    _bells.pop(database, None)
    with contextlib.suppress(Unavailable, asyncpg.PostgresError):  # the workers look by themselves after some seconds
        await database.run(RING, [])


_bells: WeakKeyDictionary[Database, asyncio.AbstractEventLoop] = WeakKeyDictionary()
_ringing: WeakSet["asyncio.Task[None]"] = WeakSet()


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
