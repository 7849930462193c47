"""What the heads of the house do about jobs that failed for good."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput
from jobs.queue import FailedJob, drop, failed_jobs, requeue
from models.history import Change
from models.identity import Role
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.operations import allow

HEADS = (Role.SUPER_ADMIN, Role.ADMIN)
MOST = 100


@dataclass(frozen=True)
class JobsChanged:
    """The failed jobs that something was done about."""

    numbers: list[int]


@allow(*HEADS)
async def list_failed_jobs(ctx: Context, *, limit: int = MOST, before: int | None = None) -> list[FailedJob]:
    """Jobs that were given up after their last try, newest first."""
    if not 0 < limit <= MOST:
        raise BadUserInput(limit=f"From 1 to {MOST}.")
    return await failed_jobs(ctx.database, limit=limit, before=before)


@allow(*HEADS)
async def requeue_jobs(ctx: Context, *, numbers: list[int]) -> JobsChanged:
    """Let failed jobs run again, with all their tries; others among these numbers are passed over."""
    return await _change(ctx, numbers, requeue, "update")


@allow(*HEADS)
async def drop_jobs(ctx: Context, *, numbers: list[int]) -> JobsChanged:
    """Give failed jobs up for good; others among these numbers are passed over."""
    return await _change(ctx, numbers, drop, "delete")


async def _change(
    ctx: Context, numbers: list[int], do: Callable[[AsyncSession, Sequence[int]], Awaitable[list[int]]], action: str
) -> JobsChanged:
    if len(numbers) > MOST:
        raise BadUserInput(numbers=f"At most {MOST} at once.")
    async with ctx.writing() as db:
        done = JobsChanged(await do(db, numbers))
        # The queue's own table is not followed by the history: it would be filled with the work of the workers.
        after = {"status": "queued"} if action == "update" else None
        who = {"actor_id": ctx.viewer.id, "request_id": ctx.request_id, "table_name": "pgqueuer", "action": action}
        db.add_all(Change(**who, row_id=each, before={"status": "failed"}, after=after) for each in done.numbers)
        answers(db, done)
    return done
