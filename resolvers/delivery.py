"""How queued messages leave the house: on the channels that their readers want, each once, and what becomes of them."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from errors import Unavailable, Undeliverable
from gateways.mail import Mail
from models.campaigns import CampaignRecipient, RecipientStatus
from models.identity import User
from models.notifications import RULES, Channel, Notification, NotificationKind, NotificationPreference, OutboxMessage, PushDevice
from resolvers.context import Context
from resolvers.notifications import Facts, write
from resolvers.receipts import make_receipt

ABANDONED = timedelta(minutes=3)
"""After this time whoever began to send a message is dead: a job may take one minute."""
UNKNOWN = "Nobody knows whether it was sent."


async def send_notification(ctx: Context, notification_id: int, facts: Facts, receipt_of: int | None = None) -> None:
    """Queue what a person is told on every channel that they want it on now; what was queued before is not queued again."""
    pdf = await make_receipt(ctx, receipt_of) if receipt_of is not None else None
    async with ctx.writing() as db:
        # Locked, so that of two runs of this job the second sees what the first has queued.
        notification = await db.get(Notification, notification_id, with_for_update=True)
        if notification is None:
            return
        user = await db.get_one(User, notification.user_id)
        wanted = [
            (channel, to)
            for channel in await wanted_channels(db, ctx, user, notification.kind)
            for to in await _addresses(db, user, channel)
        ]
        causes = [f"notification:{notification_id}:{channel}:{number}" for number, (channel, _) in enumerate(wanted)]
        if await db.scalar(select(OutboxMessage.id).where(OutboxMessage.cause.in_(causes)).limit(1)) is not None:
            return
        link = f"{ctx.settings.app_url.rstrip('/')}{notification.action_url}" if ctx.settings.app_url and notification.action_url else None
        for cause, (channel, to) in zip(causes, wanted, strict=True):
            await write(db, notification.kind, to=to, facts=facts, channel=channel, user_id=user.id, link=link, cause=cause, pdf=pdf)


async def wanted_channels(db: AsyncSession, ctx: Context, user: User, kind: NotificationKind) -> list[Channel]:
    """On which channels a person gets a kind of message: what is necessary always, by text message if there is no address."""
    rule = RULES[kind]
    if rule.is_necessary:
        found = [Channel.EMAIL] if user.email else [Channel.SMS] if user.phone else []
    elif not user.is_active:
        found = []
    else:
        rows = await db.execute(
            select(NotificationPreference.channel, NotificationPreference.is_wanted).where(
                NotificationPreference.user_id == user.id, NotificationPreference.kind == kind
            )
        )
        chosen: dict[Channel, bool] = {channel: is_wanted for channel, is_wanted in rows}
        allowed = {
            Channel.EMAIL: user.email_notifications and user.email is not None,
            Channel.SMS: user.sms_notifications and user.phone is not None,
            Channel.PUSH: user.push_notifications,
        }
        found = [each for each in Channel if allowed[each] and chosen.get(each, each in rule.channels)]
    return [each for each in found if each in ctx.settings.channels]


async def _addresses(db: AsyncSession, user: User, channel: Channel) -> Iterable[str]:
    if channel is Channel.PUSH:
        return list(await db.scalars(select(PushDevice.token).where(PushDevice.user_id == user.id).order_by(PushDevice.id)))
    address = user.email if channel is Channel.EMAIL else user.phone
    return [address] if address else []


async def send_message(ctx: Context, message_id: int) -> None:
    """Send a queued message, unless it was sent already; raises Unavailable when its gateway does not take it."""
    message = await _begin(ctx, message_id)
    if message is None:
        return
    try:
        await _hand_over(ctx, message)
    except Undeliverable as refusal:
        await _give_up(ctx, message, refusal.message)
        return
    except Unavailable:
        async with ctx.writing() as db:  # surely not sent, so that the next try need not wait
            await db.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(begun_at=None))
        raise
    forgotten = {} if ctx.settings.is_demo else {"body": "", "code": None, "link": None, "pdf": None}
    async with ctx.writing() as db:
        done = update(OutboxMessage).where(OutboxMessage.id == message_id)
        await db.execute(done.values(sent_at=ctx.now(), html=None, **forgotten))
        await _tell_campaign(db, message, RecipientStatus.SENT)


async def _begin(ctx: Context, message_id: int) -> OutboxMessage | None:
    """Take a message for sending, if nobody else has it; none when there is nothing to do."""
    is_free = or_(OutboxMessage.begun_at.is_(None), OutboxMessage.begun_at < func.clock_timestamp() - ABANDONED)
    async with ctx.writing() as db:
        message = await db.get(OutboxMessage, message_id, options=[undefer(OutboxMessage.pdf)])
        if message is None or message.sent_at is not None or message.failed_at is not None:
            return None
        was_begun = message.begun_at is not None
        begin = update(OutboxMessage).where(OutboxMessage.id == message_id, OutboxMessage.sent_at.is_(None), is_free)
        taken = await db.scalar(
            begin.values(begun_at=func.clock_timestamp()).returning(OutboxMessage.id), execution_options={"synchronize_session": False}
        )
    if taken is None:
        raise Unavailable("Somebody else is sending this message.")
    if was_begun and message.is_at_most_once:
        await _give_up(ctx, message, UNKNOWN)
        return None
    return message


async def _hand_over(ctx: Context, message: OutboxMessage) -> None:
    """Give a message to the gateway of its channel; in a demo without one, it is enough that the outbox shows it."""
    gateways = ctx.gateways
    if message.channel is Channel.EMAIL and gateways.mail is not None:
        mail = Mail(
            to=message.to,
            subject=message.subject,
            text=message.body,
            html=message.html,
            unsubscribe_url=message.unsubscribe_url,
            name=f"message-{message.id}",
            pdf=(message.pdf_name, message.pdf) if message.pdf_name and message.pdf else None,
        )
        await gateways.mail.send(mail)
    elif message.channel is Channel.SMS and gateways.sms is not None:
        await gateways.sms.send(message.to, message.body)
    elif message.channel is Channel.PUSH and gateways.push is not None:
        await gateways.push.send(message.to, message.subject, message.body, message.link)
    elif not ctx.settings.is_demo:
        raise Unavailable(f"There is no gateway for {message.channel}.")


async def _give_up(ctx: Context, message: OutboxMessage, why: str) -> None:
    """Note that a message will never arrive; a device that takes no pushes any more is forgotten."""
    forgotten = {} if ctx.settings.is_demo else {"body": "", "code": None, "link": None, "pdf": None}
    async with ctx.writing() as db:
        ended = update(OutboxMessage).where(OutboxMessage.id == message.id, OutboxMessage.sent_at.is_(None))
        await db.execute(ended.values(failed_at=ctx.now(), failure=why, html=None, **forgotten))
        if message.channel is Channel.PUSH:
            await db.execute(delete(PushDevice).where(PushDevice.token == message.to))
        await _tell_campaign(db, message, RecipientStatus.FAILED, why)


async def _tell_campaign(db: AsyncSession, message: OutboxMessage, status: RecipientStatus, why: str | None = None) -> None:
    if message.kind is NotificationKind.SPECIAL_OFFER:
        told = update(CampaignRecipient).where(CampaignRecipient.message_id == message.id)
        await db.execute(told.values(status=status, failure=why))
