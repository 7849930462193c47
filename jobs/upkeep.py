"""Jobs of the calendar that keep the tables small; each works in short transactions, so that the event log never waits."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, delete, exists, func, or_, select

from models.base import Model
from models.faces import FaceCheck
from models.idempotency import IdempotencyKey
from models.identity import EmailChange, Session, SignInFailure
from models.limits import LimitCounter
from models.notifications import OutboxMessage
from models.passkeys import PasskeyChallenge
from models.scheduling import Hold, Reservation
from resolvers.context import Context
from resolvers.waitlist_offers import offer_slot
from subscriptions.bookings import HoldReleased
from subscriptions.facts import announce
from subscriptions.log import prune

BATCH, HOLDS_AT_ONCE = 1000, 50
KEY_HOURS = 24
SESSION_DAYS = 1
FINISHED_DAYS = 30
FORGET_FINISHED = """
DELETE FROM pgqueuer_log WHERE id IN (
  SELECT id FROM pgqueuer_log WHERE created < $1 AND NOT EXISTS (SELECT FROM pgqueuer WHERE pgqueuer.id = job_id) ORDER BY created LIMIT $2
)
"""


async def prune_events(ctx: Context) -> None:
    """Delete events that are older than the log promises to keep them."""
    await prune(ctx.database, _ago(days=ctx.settings.event_days))


async def release_expired_holds(ctx: Context) -> None:
    """Give the time of expired holds back, and tell whoever held it."""
    is_reserved = exists().where(Reservation.hold_id == Hold.id)
    expired = (
        select(Hold, is_reserved)
        .where(Hold.expires_at <= ctx.now())
        .order_by(Hold.id)
        .limit(HOLDS_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    is_full = True
    while is_full:
        async with ctx.writing() as db:
            found = (await db.execute(expired)).all()
            for hold, was_reserved in found:
                await db.delete(hold)
                if was_reserved:
                    await announce(db, HoldReleased(hold))
                    await db.flush()
                    await offer_slot(ctx, db, hold.room_id, hold.starts_at, hold.ends_at)
        is_full = len(found) == HOLDS_AT_ONCE


async def forget_idempotency_keys(ctx: Context) -> None:
    """Delete keys after the 24 hours for which they are promised."""
    await _forget(ctx, IdempotencyKey, select(IdempotencyKey.id).where(IdempotencyKey.created_at < _ago(hours=KEY_HOURS)))


async def forget_limit_counters(ctx: Context) -> None:
    """Delete counters whose window has ended."""
    await _forget(ctx, LimitCounter, select(LimitCounter.id).where(LimitCounter.expires_at < _ago()))


async def forget_sign_in_failures(ctx: Context) -> None:
    """Delete failures that count no more and lock nobody out."""
    is_over = SignInFailure.window_ends_at < _ago(), func.coalesce(SignInFailure.locked_until, SignInFailure.window_ends_at) < _ago()
    await _forget(ctx, SignInFailure, select(SignInFailure.id).where(*is_over))


async def forget_sessions(ctx: Context) -> None:
    """Delete sessions that ended or expired a day ago or longer; no token of theirs can be good any more."""
    is_over = or_(Session.ended_at < _ago(days=SESSION_DAYS), Session.expires_at < _ago(days=SESSION_DAYS))
    await _forget(ctx, Session, select(Session.id).where(is_over))


async def forget_email_changes(ctx: Context) -> None:
    """Delete addresses that nobody confirmed in time."""
    await _forget(ctx, EmailChange, select(EmailChange.id).where(EmailChange.expires_at < _ago()))


async def forget_passkey_challenges(ctx: Context) -> None:
    """Delete challenges that nobody answered in time."""
    await _forget(ctx, PasskeyChallenge, select(PasskeyChallenge.id).where(PasskeyChallenge.expires_at < _ago()))


async def forget_face_checks(ctx: Context) -> None:
    """Delete comparisons of faces after the days for which they are kept."""
    await _forget(ctx, FaceCheck, select(FaceCheck.id).where(FaceCheck.at < _ago(days=ctx.settings.face_check_days)))


async def forget_sent_messages(ctx: Context) -> None:
    """Delete messages after the days for which they are kept, sent or given up; what is still to be sent stays."""
    ended = func.coalesce(OutboxMessage.sent_at, OutboxMessage.failed_at)
    await _forget(ctx, OutboxMessage, select(OutboxMessage.id).where(ended < _ago(days=ctx.settings.outbox_days)))


async def forget_finished_jobs(ctx: Context) -> None:
    """Delete the log of jobs that ended well long ago; what is said of failed ones stays as long as they do."""
    before = _ago(days=FINISHED_DAYS)
    is_full = True
    while is_full:
        async with ctx.database.reading() as connection:
            gone = await connection.execute(FORGET_FINISHED, before, BATCH, timeout=ctx.database.longest_write)
        is_full = gone == f"DELETE {BATCH}"


def _ago(**time: float) -> datetime:
    """A moment in the past by the real clock, as a demo's clock ends nothing early that a promise protects."""
    return datetime.now(UTC) - timedelta(**time)


async def _forget(ctx: Context, table: type[Model], which: Select[int]) -> None:
    """Delete rows in short transactions, passing over those that somebody is changing just now."""
    batch = which.order_by(table.id).limit(BATCH).with_for_update(skip_locked=True)
    is_full = True
    while is_full:
        async with ctx.writing() as db:
            gone = await db.scalars(delete(table).where(table.id.in_(batch)).returning(table.id))
            is_full = len(gone.all()) == BATCH
