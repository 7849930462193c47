"""What people are told: messages are queued in the transaction that gives reason for them, and sent after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import NotFound
from jobs.queue import enqueue
from models.identity import STAFF
from models.keys import Key
from models.notifications import Channel, Notification, NotificationKind, OutboxMessage
from resolvers.context import Context
from resolvers.following import Following
from resolvers.idempotency import answers
from resolvers.inputs.scalars import Json
from resolvers.letters import Letter, write_letter
from resolvers.operations import SIGNED_IN, allow
from resolvers.samples import SAMPLES
from subscriptions.facts import announce
from subscriptions.notifications import NotificationCreated, NotificationRead

if TYPE_CHECKING:
    from subscriptions.log import Record

Facts = Mapping[str, str | int | bool | list[str] | None]
"""What a template is filled with, spelled already: days, hours and amounts as resolvers/letters.py spells them."""


class NotificationEventKind(StrEnum):
    """What happened to a notification.

    CREATED: Somebody is told something.
    READ: Somebody has read what they were told; after reading all, the newest of it.
    """

    CREATED = "notification.created"
    READ = "notification.read"


@dataclass
class NotificationEvent:
    """Something that happened to a notification."""

    cursor: str
    kind: NotificationEventKind
    at: datetime
    notification: Select[Notification]


@dataclass(frozen=True)
class NotificationsRead:
    """How many notifications were read at once."""

    count: int


@allow(SIGNED_IN)
def list_my_notifications(ctx: Context, *, unread: bool | None = None) -> Select[Notification]:
    """What the viewer finds in the app under the bell, newest first."""
    mine = select(Notification).where(Notification.user_id == ctx.viewer.id).order_by(Notification.id.desc())
    if unread is None:
        return mine
    return mine.where(Notification.read_at.is_(None) if unread else Notification.read_at.is_not(None))


@allow(SIGNED_IN)
async def count_unread_notifications(ctx: Context) -> int:
    """How many of the viewer's notifications are unread."""
    unread = select(func.count()).where(Notification.user_id == ctx.viewer.id, Notification.read_at.is_(None))
    [[count]] = await ctx.fetch(unread)
    return int(count)


@allow(SIGNED_IN)
async def mark_notification_read(ctx: Context, *, id: Key[Notification]) -> Notification:
    """Note that the viewer has read a notification; once it is read, nothing changes."""
    async with ctx.writing() as db:
        mine = select(Notification).where(id.names(Notification), Notification.user_id == ctx.viewer.id)
        notification = await db.scalar(mine.with_for_update())
        if notification is None:
            raise NotFound
        if notification.read_at is None:
            notification.read_at = ctx.now()
            await announce(db, NotificationRead(notification))
        answers(db, notification)
    return notification


@allow(SIGNED_IN)
async def mark_all_notifications_read(ctx: Context) -> NotificationsRead:
    """Note that the viewer has read everything."""
    async with ctx.writing() as db:
        unread = update(Notification).where(Notification.user_id == ctx.viewer.id, Notification.read_at.is_(None))
        marked = unread.values(read_at=ctx.now()).returning(Notification.id)
        found = (await db.scalars(marked, execution_options={"synchronize_session": False})).all()
        if found:  # one event for all: who shows a count asks for it anew
            await announce(db, NotificationRead(await db.get_one(Notification, max(found))))
        done = NotificationsRead(len(found))
        answers(db, done)
    return done


@allow(SIGNED_IN)
async def follow_notifications(ctx: Context) -> Following[NotificationEvent]:
    """What the viewer is told from now on, and what they read on another device."""
    return Following(frozenset({f"user:{ctx.viewer.id}"}), _shown)


def _shown(ctx: Context, record: "Record") -> NotificationEvent | None:
    if record.kind not in list(NotificationEventKind):
        return None
    mine = select(Notification).where(Notification.id == record.subject_id, Notification.user_id == ctx.viewer.id)
    return NotificationEvent(str(record.cursor), NotificationEventKind(record.kind), record.at, mine)


@allow(*STAFF)
async def preview_letter(ctx: Context, *, kind: NotificationKind, facts: Json | None = None) -> Letter:
    """How a message of a kind looks, with facts of our own making, or with some of them replaced."""
    given: dict[str, object] = facts if isinstance(facts, dict) else {}
    known = SAMPLES[kind]
    return write_letter(kind, {**known, **{name: str(given[name]) for name in known if name in given}}, link=f"{ctx.settings.links_to}/")


async def notify(
    db: AsyncSession,
    user_id: int,
    kind: NotificationKind,
    facts: Facts,
    *,
    cause: str | None = None,
    action_url: str | None = None,
    receipt_of: int | None = None,
) -> Notification | None:
    """Tell a person something in this transaction: in the app at once, and by job on the channels that they want.

    One cause is said once: none is returned where it was said before. A mail carries the receipt of the payment that is named.
    """
    letter = write_letter(kind, facts)
    row = insert(Notification).values(
        user_id=user_id, kind=kind, title=letter.title, message=letter.notice, action_url=action_url, cause=cause
    )
    said = row.on_conflict_do_nothing(index_elements=["cause"]).returning(Notification)
    notification: Notification | None = await db.scalar(said)
    if notification is None:
        return None
    await announce(db, NotificationCreated(notification))
    await enqueue(db, "send_notification", {"notification_id": notification.id, "facts": dict(facts), "receipt_of": receipt_of})
    return notification


async def write(
    db: AsyncSession,
    kind: NotificationKind,
    *,
    to: str,
    facts: Facts,
    channel: Channel = Channel.EMAIL,
    user_id: int | None = None,
    code: str | None = None,
    link: str | None = None,
    cause: str | None = None,
    unsubscribe_url: str | None = None,
    is_at_most_once: bool = False,
    pdf: tuple[str, bytes] | None = None,
) -> OutboxMessage:
    """Word a message by its kind's template and queue it in this transaction, whatever its reader would rather have."""
    letter = write_letter(kind, facts, link=link, unsubscribe_url=unsubscribe_url)
    is_mail = channel is Channel.EMAIL
    return await send(
        db,
        to=to,
        channel=channel,
        kind=kind,
        subject=letter.subject if is_mail else letter.title if channel is Channel.PUSH else "",
        body=letter.text if is_mail else letter.notice,
        html=letter.html if is_mail else None,
        user_id=user_id,
        code=code,
        link=link,
        cause=cause,
        unsubscribe_url=unsubscribe_url,
        is_at_most_once=is_at_most_once,
        pdf=pdf if is_mail else None,
    )


async def send(
    db: AsyncSession,
    *,
    to: str,
    body: str,
    subject: str = "",
    html: str | None = None,
    channel: Channel = Channel.EMAIL,
    kind: NotificationKind | None = None,
    user_id: int | None = None,
    code: str | None = None,
    link: str | None = None,
    cause: str | None = None,
    unsubscribe_url: str | None = None,
    is_at_most_once: bool = False,
    pdf: tuple[str, bytes] | None = None,
) -> OutboxMessage:
    """Queue a message in this transaction; `code` and `link` repeat what the body carries, and one `cause` may be given once."""
    message = OutboxMessage(
        channel=channel,
        kind=kind,
        to=to,
        user_id=user_id,
        subject=subject,
        body=body,
        html=html,
        code=code,
        link=link,
        cause=cause,
        unsubscribe_url=unsubscribe_url,
        is_at_most_once=is_at_most_once,
    )
    if pdf is not None:
        message.pdf_name, message.pdf = pdf
    db.add(message)
    await db.flush()
    await enqueue(db, "send_message", {"message_id": message.id})
    return message


async def send_code(db: AsyncSession, *, to: str, channel: Channel, code: str, minutes: int, user_id: int | None = None) -> OutboxMessage:
    """Queue a one-time code in this transaction."""
    return await write(
        db, NotificationKind.SECURITY_CODE, to=to, channel=channel, facts={"code": code, "minutes": minutes}, code=code, user_id=user_id
    )
