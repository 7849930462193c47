"""The job that sends campaigns: recipients are written down once, then queued so many a minute, by however many workers."""

import asyncio
import time
from datetime import timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import CAMPAIGN_MOVES, Campaign, CampaignRecipient, CampaignStatus, RecipientStatus, Segment
from models.identity import User
from models.newsletter import MarketingConsent, NewsletterSubscription
from models.notifications import NotificationKind
from resolvers.campaigns import facts_of
from resolvers.context import Context
from resolvers.moves import move
from resolvers.newsletter import unsubscribe_link
from resolvers.notifications import write
from resolvers.segments import readers
from subscriptions.campaigns import CampaignMoved
from subscriptions.facts import announce

BATCH, PER_TRANSACTION = 1000, 50
MINUTE = timedelta(minutes=1)
LOOK_SECONDS = 1.0
STAY_SECONDS = 50.0
"""How long one run goes on; the calendar begins the next one each minute."""
# Whoever holds it counts what was queued in the last minute, and queues what may still be.
TURN = text("SELECT pg_advisory_xact_lock(6151413303)")


async def run_campaigns(ctx: Context, stay: float = STAY_SECONDS) -> None:
    """Begin campaigns that are due, queue mails as fast as the rate allows, and end campaigns that are through."""
    until = time.monotonic() + stay
    while True:
        await _begin_due(ctx)
        while await _list_some(ctx):
            pass
        while await _queue_some(ctx):
            pass
        await _end_done(ctx)
        if time.monotonic() > until or not await _has_more(ctx):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _begin_due(ctx: Context) -> None:
    async with ctx.writing() as db:
        due = select(Campaign).where(Campaign.status == CampaignStatus.SCHEDULED, Campaign.starts_at <= ctx.now())
        for campaign in (await db.scalars(due.with_for_update(skip_locked=True))).all():
            await move(db, campaign, CampaignStatus.SENDING, CAMPAIGN_MOVES)
            campaign.begun_at = campaign.begun_at or ctx.now()
            await announce(db, CampaignMoved(campaign))


async def _list_some(ctx: Context) -> bool:
    """Write down the next recipients of a campaign; false when all are."""
    async with ctx.writing() as db:
        open_ = (
            select(Campaign).where(Campaign.status == CampaignStatus.SENDING, Campaign.listed_at.is_(None)).order_by(Campaign.id).limit(1)
        )
        campaign = await db.scalar(open_.with_for_update(skip_locked=True))
        if campaign is None:
            return False
        segment = await db.get(Segment, campaign.segment_id) if campaign.segment_id else None
        people = readers(ctx, campaign.purpose, segment.conditions if segment else {})
        found = (
            await db.execute(people.where(MarketingConsent.id > campaign.listed_through).order_by(MarketingConsent.id).limit(BATCH))
        ).all()
        if found:
            rows = [
                {"campaign_id": campaign.id, "email": each.email, "user_id": each.user_id, "status": RecipientStatus.PENDING}
                for each in found
            ]
            # One row for an address, ever: whoever agreed, took it back and agreed again is not written to twice.
            await db.execute(insert(CampaignRecipient).on_conflict_do_nothing(), rows)
            campaign.listed_through = found[-1].id
        if len(found) < BATCH:
            campaign.listed_at = ctx.now()
    return True


async def _queue_some(ctx: Context) -> bool:
    """Queue the mails of the next recipients; false when nobody is left, or the minute is used up."""
    async with ctx.writing() as db:
        await db.execute(TURN)
        lately = select(func.count()).where(CampaignRecipient.queued_at > func.clock_timestamp() - MINUTE)
        left = ctx.settings.campaign_rate - (await db.scalar(lately) or 0)
        if left <= 0:
            return False
        waiting = (
            select(CampaignRecipient, Campaign)
            .join(Campaign, Campaign.id == CampaignRecipient.campaign_id)
            .where(Campaign.status == CampaignStatus.SENDING, CampaignRecipient.status == RecipientStatus.PENDING)
            .order_by(CampaignRecipient.campaign_id, CampaignRecipient.id)
            .limit(min(left, PER_TRANSACTION))
            # The campaign is held too, so that pausing it waits until these are queued, and none after them is.
            .with_for_update(of=[CampaignRecipient, Campaign])
        )
        found = (await db.execute(waiting)).all()
        names = await _names(db, [recipient for recipient, _ in found])
        for recipient, campaign in found:
            if recipient.id in names:
                await _queue(db, ctx, campaign, recipient, names[recipient.id])
            else:
                recipient.status = RecipientStatus.SKIPPED
    return bool(found)


async def _names(db: AsyncSession, recipients: list[CampaignRecipient]) -> dict[int, str]:
    """What the recipients are called who agree still; somebody may have taken it back since they were written down."""
    rows = await db.execute(
        select(CampaignRecipient.id, func.coalesce(User.first_name, NewsletterSubscription.first_name, ""))
        .join(Campaign, Campaign.id == CampaignRecipient.campaign_id)
        .join(MarketingConsent, MarketingConsent.email == CampaignRecipient.email)
        .join(User, User.id == CampaignRecipient.user_id, isouter=True)
        .join(NewsletterSubscription, NewsletterSubscription.email == CampaignRecipient.email, isouter=True)
        .where(
            CampaignRecipient.id.in_([each.id for each in recipients]),
            MarketingConsent.purpose == Campaign.purpose,
            MarketingConsent.withdrawn_at.is_(None),
            User.is_active.is_not(False),
        )
    )
    return {number: name for number, name in rows}


async def _queue(db: AsyncSession, ctx: Context, campaign: Campaign, recipient: CampaignRecipient, first_name: str) -> None:
    message = await write(
        db,
        NotificationKind.SPECIAL_OFFER,
        to=recipient.email,
        facts=facts_of(campaign, first_name),
        user_id=recipient.user_id,
        cause=f"campaign:{campaign.id}:{recipient.id}",
        unsubscribe_url=unsubscribe_link(ctx, f"campaign:{recipient.id}"),
        is_at_most_once=True,
    )
    recipient.status, recipient.message_id = RecipientStatus.QUEUED, message.id
    await db.execute(
        update(CampaignRecipient).where(CampaignRecipient.id == recipient.id).values(queued_at=func.clock_timestamp()),
        execution_options={"synchronize_session": False},
    )


async def _end_done(ctx: Context) -> None:
    async with ctx.writing() as db:
        is_open = CampaignRecipient.status.in_((RecipientStatus.PENDING, RecipientStatus.QUEUED))
        rest = select(CampaignRecipient.id).where(CampaignRecipient.campaign_id == Campaign.id, is_open).exists()
        through = select(Campaign).where(Campaign.status == CampaignStatus.SENDING, Campaign.listed_at.is_not(None), ~rest)
        for campaign in (await db.scalars(through.with_for_update(skip_locked=True, of=Campaign))).all():
            await move(db, campaign, CampaignStatus.SENT, CAMPAIGN_MOVES)
            campaign.finished_at = ctx.now()
            await announce(db, CampaignMoved(campaign))


async def _has_more(ctx: Context) -> bool:
    """Whether somebody waits to be written to."""
    waiting = select(CampaignRecipient.id).join(Campaign, Campaign.id == CampaignRecipient.campaign_id)
    is_open = Campaign.status == CampaignStatus.SENDING, CampaignRecipient.status == RecipientStatus.PENDING
    return bool(await ctx.fetch(waiting.where(*is_open).limit(1)))
