"""Putting jobs into the queue: in the transaction whose commit they depend on."""

from datetime import timedelta
from typing import Any

import orjson
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def enqueue(db: AsyncSession, name: str, payload: dict[str, Any], *, after: timedelta | None = None, key: str | None = None) -> None:
    """Have a job run after this transaction's commit; under a key that is queued already, nothing happens."""
    await db.flush()
    connection = await db.connection()
    await connection.execute(text("SELECT 1"))  # SQLAlchemy begins the transaction only with its first statement
    raw = (await connection.get_raw_connection()).driver_connection
    if raw is None:
        raise RuntimeError("the session has lost its connection")
    await Queries(AsyncpgDriver(raw)).enqueue(name, orjson.dumps(payload), execute_after=after, dedupe_key=key, on_conflict="skip")
