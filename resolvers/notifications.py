"""What people are told: messages are queued in the transaction that gives reason for them, and sent after it."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from errors import Unavailable
from jobs.queue import enqueue
from models.notifications import Channel, OutboxMessage
from resolvers.context import Context


async def send(
    db: AsyncSession,
    *,
    to: str,
    body: str,
    subject: str = "",
    channel: Channel = Channel.EMAIL,
    user_id: int | None = None,
    code: str | None = None,
    link: str | None = None,
    cause: str | None = None,
    pdf: tuple[str, bytes] | None = None,
) -> OutboxMessage:
    """Queue a message in this transaction; `code` and `link` repeat what the body carries, and one `cause` may be given once."""
    message = OutboxMessage(channel=channel, to=to, user_id=user_id, subject=subject, body=body, code=code, link=link, cause=cause)
    if pdf is not None:
        message.pdf_name, message.pdf = pdf
    db.add(message)
    await db.flush()
    await enqueue(db, "send_message", {"message_id": message.id})
    return message


async def send_message(ctx: Context, message_id: int) -> None:
    """Send a queued message, unless it was sent already; raises Unavailable when its gateway does not take it."""
    async with ctx.database.sessions() as db:
        message = await db.get(OutboxMessage, message_id, options=[undefer(OutboxMessage.pdf)])
    if message is None or message.sent_at is not None:
        return
    mail = ctx.gateways.mail
    if message.channel is Channel.EMAIL and mail is not None:
        pdf = (message.pdf_name, message.pdf) if message.pdf_name and message.pdf else None
        await mail.send(message.to, message.subject, message.body, pdf)
    elif not ctx.settings.is_demo:
        raise Unavailable(f"There is no gateway for {message.channel}.")
    async with ctx.writing() as db:
        message = await db.get_one(OutboxMessage, message_id)
        message.sent_at = ctx.now()
        if not ctx.settings.is_demo:
            message.body, message.code, message.link, message.pdf = "", None, None, None
