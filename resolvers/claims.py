"""Tasks that only one process at a time may have: taken by a row with an end, so that nobody waits for the dead."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from errors import Conflict
from models.database import Database
from resolvers.turns import turn

POLL_SECONDS = 0.05
TAKE = """
INSERT INTO claims AS claim (name, holder, good_until) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, good_until = excluded.good_until
WHERE claim.holder = excluded.holder OR claim.good_until < clock_timestamp()
RETURNING id
"""
GIVE_UP = "DELETE FROM claims WHERE name = $1 AND holder = $2"


async def take(database: Database, name: str, holder: UUID, seconds: float) -> bool:
    """Take a task for some seconds, or keep it longer; false while somebody else has it."""
    async with database.reading() as connection:
        return await connection.fetchval(TAKE, name, holder, seconds) is not None


async def give_up(database: Database, name: str, holder: UUID) -> None:
    """Leave a task to the others."""
    async with database.reading() as connection:
        await connection.execute(GIVE_UP, name, holder)


@asynccontextmanager
async def claimed(database: Database, name: str, *, seconds: float, patience: float, refusal: str) -> AsyncIterator[None]:
    """Be the only one in any process inside the block, for at most some seconds; Conflict when one's turn does not come in time."""
    holder, deadline = uuid4(), time.monotonic() + patience
    async with turn((id(database), name)):  # only the first of each process asks the database
        while not await take(database, name, holder, seconds):
            if time.monotonic() > deadline:
                raise Conflict(refusal)
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            await give_up(database, name, holder)
