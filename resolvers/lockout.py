"""Locking out whoever guesses: tries are counted before they are judged, so that parallel guesses count too."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from errors import InvalidCredentials, RateLimited
from models.database import Database
from resolvers.context import Context
from resolvers.limits import keyed, network

TRIES_PER_ACCOUNT, TRIES_PER_ADDRESS = 5, 50
PATIENCE, PAUSE = 5.0, 0.05

# Takes one of the tries that are left, or none. A window or a lock that is over starts the count anew.
TAKE = """
INSERT INTO sign_in_failures AS mine (subject, failures, window_ends_at)
VALUES ($1, 1, clock_timestamp() + interval '15 minutes')
ON CONFLICT (subject) DO UPDATE SET
  failures = CASE WHEN coalesce(mine.locked_until, mine.window_ends_at) <= clock_timestamp() THEN 1 ELSE mine.failures + 1 END,
  window_ends_at = CASE WHEN coalesce(mine.locked_until, mine.window_ends_at) <= clock_timestamp()
                        THEN excluded.window_ends_at ELSE mine.window_ends_at END,
  locked_until = NULL
WHERE coalesce(mine.locked_until, mine.window_ends_at) <= clock_timestamp() OR (mine.locked_until IS NULL AND mine.failures < $2)
RETURNING failures
"""
WAIT = "SELECT locked_until, window_ends_at FROM sign_in_failures WHERE subject = $1"
LOCK = """
UPDATE sign_in_failures SET locked_until = clock_timestamp() + interval '15 minutes'
WHERE subject = $1 AND failures >= $2 AND locked_until IS NULL
"""
FORGET = "DELETE FROM sign_in_failures WHERE subject = $1"
GIVE_BACK = "UPDATE sign_in_failures SET failures = failures - 1, locked_until = NULL WHERE subject = $1 AND failures > 0"


@asynccontextmanager
async def guarded(ctx: Context, account: str) -> AsyncIterator[None]:
    """Let one try at an account's secret happen inside; InvalidCredentials counts as a failure, RateLimited when none is left."""
    by_account, by_address = keyed(ctx, f"sign in {account}"), keyed(ctx, f"sign in {network(ctx.address)}")
    await _take(ctx.database, by_address, TRIES_PER_ADDRESS)
    try:
        await _take(ctx.database, by_account, TRIES_PER_ACCOUNT)
    except RateLimited:
        await _run(ctx.database, GIVE_BACK, by_address)
        raise
    try:
        yield
    except InvalidCredentials:
        await _run(ctx.database, LOCK, by_account, TRIES_PER_ACCOUNT)
        await _run(ctx.database, LOCK, by_address, TRIES_PER_ADDRESS)
        raise
    await _run(ctx.database, FORGET, by_account)
    await _run(ctx.database, GIVE_BACK, by_address)


async def _take(database: Database, subject: str, tries: int) -> None:
    """One of the tries; while others that are still being judged hold the rest, wait for how they end."""
    deadline = time.monotonic() + PATIENCE
    while not await _run(database, TAKE, subject, tries):
        held = await _run(database, WAIT, subject)
        if held and (held[0]["locked_until"] or time.monotonic() > deadline):
            until = held[0]["locked_until"] or held[0]["window_ends_at"]
            raise RateLimited(max(1, round((until - datetime.now(UTC)).total_seconds())))
        await asyncio.sleep(PAUSE)


async def _run(database: Database, statement: str, *arguments: object) -> list[dict[str, datetime]]:
    async with database.reading() as connection:
        return [dict(row) for row in await connection.fetch(statement, *arguments)]
