"""Jobs of the calendar that keep the tables small; each works in short transactions, so that the event log never waits."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, select

from models.idempotency import IdempotencyKey
from models.limits import LimitCounter
from models.scheduling import Hold, Reservation
from resolvers.context import Context
from subscriptions.bookings import HoldReleased
from subscriptions.facts import announce
from subscriptions.log import prune

BATCH = 1000
KEY_HOURS = 24
FINISHED_DAYS = 30
FORGET_FINISHED = """
DELETE FROM pgqueuer_log WHERE id IN (
  SELECT id FROM pgqueuer_log WHERE created < $1 AND NOT EXISTS (SELECT FROM pgqueuer WHERE pgqueuer.id = job_id) ORDER BY created LIMIT $2
)
"""


async def prune_events(ctx: Context) -> None:
    """Delete events that are older than the log promises to keep them."""
    await prune(ctx.database, datetime.now(UTC) - timedelta(days=ctx.settings.event_days))


async def release_expired_holds(ctx: Context) -> None:
    """Give the time of expired holds back, and tell whoever held it."""
    is_reserved = exists().where(Reservation.hold_id == Hold.id)
    expired = select(Hold, is_reserved).where(Hold.expires_at <= ctx.now()).order_by(Hold.id).limit(BATCH).with_for_update(skip_locked=True)
    is_full = True
    while is_full:
        async with ctx.writing() as db:
            found = (await db.execute(expired)).all()
            for hold, was_reserved in found:
                await db.delete(hold)
                if was_reserved:
                    await announce(db, HoldReleased(hold))
        is_full = len(found) == BATCH


async def forget_idempotency_keys(ctx: Context) -> None:
    """Delete keys after the 24 hours for which they are promised."""
    old = select(IdempotencyKey.id).where(IdempotencyKey.created_at < datetime.now(UTC) - timedelta(hours=KEY_HOURS)).limit(BATCH)
    is_full = True
    while is_full:
        async with ctx.writing() as db:
            gone = await db.scalars(delete(IdempotencyKey).where(IdempotencyKey.id.in_(old)).returning(IdempotencyKey.id))
            is_full = len(gone.all()) == BATCH


async def forget_limit_counters(ctx: Context) -> None:
    """Delete counters whose window has ended."""
    over = select(LimitCounter.id).where(LimitCounter.expires_at < datetime.now(UTC)).limit(BATCH)
    is_full = True
    while is_full:
        async with ctx.writing() as db:
            gone = await db.scalars(delete(LimitCounter).where(LimitCounter.id.in_(over)).returning(LimitCounter.id))
            is_full = len(gone.all()) == BATCH


async def forget_finished_jobs(ctx: Context) -> None:
    """Delete the log of jobs that ended well long ago; what is said of failed ones stays as long as they do."""
    before = datetime.now(UTC) - timedelta(days=FINISHED_DAYS)
    is_full = True
    while is_full:
        async with ctx.database.reading() as connection:
            is_full = await connection.execute(FORGET_FINISHED, before, BATCH) == f"DELETE {BATCH}"
