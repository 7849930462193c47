"""What people are told about their requests to the concierge."""

import hashlib

import orjson
from sqlalchemy import select

from models.concierge import ConciergeRequest, ConciergeStatus
from models.identity import User
from models.notifications import NotificationKind
from resolvers.concierge import SAID
from resolvers.context import Context
from resolvers.letters import spell_day, spell_money
from resolvers.notifications import notify


async def mail_about_concierge(ctx: Context, request_id: int, status: str, said: str | None) -> None:
    """Tell a customer about their request, unless the same was told before."""
    async with ctx.writing() as db:
        found = await db.execute(
            select(ConciergeRequest, User.first_name)
            .join(User, User.id == ConciergeRequest.customer_id)
            .where(ConciergeRequest.id == request_id)
        )
        request, first_name = found.one()
        facts = {
            "first_name": first_name,
            "reference": request.reference,
            "sentence": SAID[ConciergeStatus(status)],
            "said": said or "",
            "price": spell_money(request.price, request.currency) if request.price else "",
            "expected_on": spell_day(request.estimated_on),
        }
        cause = f"concierge:{request_id}:{hashlib.sha256(orjson.dumps(facts)).hexdigest()[:16]}"
        action = f"/concierge/{request_id}"
        await notify(db, request.customer_id, NotificationKind.CONCIERGE_UPDATED, facts, cause=cause, action_url=action)
