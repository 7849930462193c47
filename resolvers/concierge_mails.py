"""What people are told about their requests to the concierge."""

import hashlib

from sqlalchemy import select

from models.concierge import ConciergeRequest, ConciergeStatus
from models.identity import User
from models.notifications import OutboxMessage
from resolvers.concierge import SAID
from resolvers.context import Context
from resolvers.notifications import send


async def mail_about_concierge(ctx: Context, request_id: int, status: str, said: str | None) -> None:
    """Write the mail about a request, unless its customer wants none or the same was written before."""
    async with ctx.writing() as db:
        found = await db.execute(
            select(ConciergeRequest, User).join(User, User.id == ConciergeRequest.customer_id).where(ConciergeRequest.id == request_id)
        )
        request, customer = found.one()
        if customer.email is None or not customer.email_notifications:
            return
        facts = [
            f"  Price: {request.price:.2f} {request.currency}" if request.price else "",
            f"  Expected on {request.estimated_on:%A}, {request.estimated_on.day} {request.estimated_on:%B %Y}",
        ]
        sentence = SAID[ConciergeStatus(status)]
        lines = [f"Dear {customer.first_name or 'guest'},", "", f"about your request {request.reference}: {sentence}.", said or "", *facts]
        body = "\n".join(lines)
        cause = f"concierge:{request_id}:{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        if await db.scalar(select(OutboxMessage.id).where(OutboxMessage.cause == cause)) is None:
            await send(db, to=customer.email, subject=f"Your request {request.reference}", body=body, user_id=customer.id, cause=cause)
