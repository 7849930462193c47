"""Campaigns as the staff run them: written, tried, scheduled, paused, cancelled."""

import re
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound
from jobs.queue import enqueue
from models.campaigns import CAMPAIGN_MOVES, Campaign, CampaignRecipient, CampaignStatus, RecipientStatus, Segment
from models.identity import User
from models.keys import Key
from models.notifications import NotificationKind
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.campaigns import CampaignInput, CampaignPatch
from resolvers.inputs.values import EmailAddress, parse_text
from resolvers.letters import Letter, write_letter
from resolvers.limits import limit
from resolvers.moves import move
from resolvers.newsletter import EDITORS, unsubscribe_link
from resolvers.notifications import Facts, write
from resolvers.operations import allow
from subscriptions.campaigns import CampaignMoved
from subscriptions.facts import announce

LONGEST = {"name": 150, "subject": 200, "heading": 200, "body": 20_000, "button_label": 80, "button_url": 2000}
REQUIRED = ("name", "subject", "body")
WORDS = ("subject", "heading", "body")
NAME = "{first_name}"
PLACEHOLDER = re.compile(r"\{\w*\}")
TRIALS = "50/hour"
FIRST_NAME_OF_NOBODY = "there"


@allow(*EDITORS)
def list_campaigns(ctx: Context, *, status: CampaignStatus | None = None) -> Select[Campaign]:
    """Campaigns, newest first."""
    found = select(Campaign).order_by(Campaign.id.desc())
    return found if status is None else found.where(Campaign.status == status)


@allow(*EDITORS)
def get_campaign(ctx: Context, *, id: Key[Campaign]) -> Select[Campaign]:
    """One campaign."""
    return select(Campaign).where(id.names(Campaign))


@allow(*EDITORS)
def list_campaign_recipients(
    ctx: Context, *, campaign_id: Key[Campaign], status: RecipientStatus | None = None
) -> Select[CampaignRecipient]:
    """Who gets a campaign, and what became of each mail."""
    found = select(CampaignRecipient).where(CampaignRecipient.campaign_id == campaign_id.of(Campaign)).order_by(CampaignRecipient.id)
    return found if status is None else found.where(CampaignRecipient.status == status)


@allow(*EDITORS)
async def preview_campaign(ctx: Context, *, id: Key[Campaign]) -> Letter:
    """How the mail of a campaign looks to somebody called John."""
    found = await ctx.fetch(select(*(getattr(Campaign, name) for name in (*WORDS, "button_label", "button_url"))).where(id.names(Campaign)))
    if not found:
        raise NotFound
    link = unsubscribe_link(ctx, "campaign:0")
    return write_letter(NotificationKind.SPECIAL_OFFER, facts_of(Campaign(**dict(found[0])), "John"), unsubscribe_url=link)


@allow(*EDITORS)
async def create_campaign(ctx: Context, *, input: CampaignInput) -> Campaign:
    """Write a campaign; it is a draft until it is scheduled."""
    about = _checked(asdict(input))
    async with ctx.writing() as db:
        if "segment_id" in about:
            about["segment_id"] = await _segment(db, about["segment_id"])
        campaign = Campaign(**about)
        db.add(campaign)
        await db.flush()
        answers(db, campaign)
    return campaign


@allow(*EDITORS)
async def update_campaign(ctx: Context, *, id: Key[Campaign], patch: CampaignPatch) -> Campaign:
    """Change a campaign that is a draft."""
    about = _checked(asdict(patch))
    async with ctx.writing() as db:
        campaign = await _lock(db, id)
        if campaign.status is not CampaignStatus.DRAFT:
            raise Conflict(f"A campaign that is {campaign.status} cannot be changed.")
        if "segment_id" in about:
            about["segment_id"] = await _segment(db, about["segment_id"])
        for name, value in about.items():
            setattr(campaign, name, value)
        answers(db, campaign)
    return campaign


@allow(*EDITORS)
async def try_campaign(ctx: Context, *, id: Key[Campaign], to: EmailAddress | None = None) -> Campaign:
    """Send a campaign to one address on trial: the viewer's own unless said."""
    await limit(ctx, "campaign trials", TRIALS)
    async with ctx.writing() as db:
        campaign = await _lock(db, id)
        viewer = await db.get_one(User, ctx.viewer.id)
        address = to or viewer.email
        if address is None:
            raise BadUserInput(to="Say where to.")
        facts = facts_of(campaign, viewer.first_name)
        await write(db, NotificationKind.SPECIAL_OFFER, to=address, facts={**facts, "subject": f"[Test] {facts['subject']}"})
        answers(db, campaign)
    return campaign


@allow(*EDITORS)
async def schedule_campaign(ctx: Context, *, id: Key[Campaign], starts_at: datetime | None = None) -> Campaign:
    """Have a campaign sent from a moment on, at once unless said; one that was paused goes on where it stopped."""
    async with ctx.writing() as db:
        campaign = await _lock(db, id)
        await move(db, campaign, CampaignStatus.SCHEDULED, CAMPAIGN_MOVES)
        campaign.starts_at = starts_at or ctx.now()
        await announce(db, CampaignMoved(campaign))
        if campaign.starts_at <= ctx.now():  # the calendar looks every minute; this need not wait for it
            await enqueue(db, "run_campaigns", {}, key="run_campaigns")
        answers(db, campaign)
    return campaign


@allow(*EDITORS)
async def pause_campaign(ctx: Context, *, id: Key[Campaign]) -> Campaign:
    """Stop sending a campaign for now; mails that are queued already still go out."""
    return await _move(ctx, id, CampaignStatus.PAUSED)


@allow(*EDITORS)
async def cancel_campaign(ctx: Context, *, id: Key[Campaign]) -> Campaign:
    """Stop a campaign for good; who has not been sent it will not be."""
    return await _move(ctx, id, CampaignStatus.CANCELLED)


def facts_of(campaign: Campaign, first_name: str) -> Facts:
    """What the template of a campaign's mail is filled with, for one reader."""
    subject, heading, body = (getattr(campaign, name).replace(NAME, first_name or FIRST_NAME_OF_NOBODY) for name in WORDS)
    paragraphs = [each.strip() for each in body.replace("\r\n", "\n").split("\n\n") if each.strip()]
    return {
        "subject": subject,
        "heading": heading,
        "paragraphs": paragraphs,
        "button_label": campaign.button_label,
        "button_url": campaign.button_url,
    }


def count_recipients(*conditions: ColumnElement[bool]) -> Any:
    """An expression that counts the recipients of a campaign for whom something holds."""

    def count(campaign: type[Campaign]) -> ColumnElement[int]:
        mine = select(func.count()).where(CampaignRecipient.campaign_id == campaign.id, *conditions)
        return mine.correlate(campaign).scalar_subquery()

    return count


async def _move(ctx: Context, id: Key[Campaign], to: CampaignStatus) -> Campaign:
    async with ctx.writing() as db:
        campaign = await _lock(db, id)
        await move(db, campaign, to, CAMPAIGN_MOVES)
        await announce(db, CampaignMoved(campaign))
        answers(db, campaign)
    return campaign


async def _lock(db: AsyncSession, id: Key[Campaign]) -> Campaign:
    campaign = await db.scalar(select(Campaign).where(id.names(Campaign)).with_for_update())
    if campaign is None:
        raise NotFound
    return campaign


async def _segment(db: AsyncSession, text: str) -> int:
    key: Key[Segment] = Key.parse(text, "segment_id")
    found = await db.scalar(select(Segment.id).where(key.names(Segment)))
    if found is None:
        raise BadUserInput(segment_id="There is no such segment.")
    return found


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """What was given of a campaign, without blanks around it; BadUserInput for what no mail can be made of."""
    about = {name: value for name, value in given.items() if value is not None}
    for name, longest in LONGEST.items():
        if name in about:
            about[name] = parse_text(about[name], name, longest=longest)
    if empty := {name: "This field is required" for name in REQUIRED if about.get(name) == ""}:
        raise BadUserInput(**empty)
    for name in WORDS:
        if wrong := set(PLACEHOLDER.findall(about.get(name, ""))) - {NAME}:
            raise BadUserInput(**{name: f"There is no {min(wrong)}; {NAME} can be named."})
    if about.get("button_url"):
        where = urlsplit(about["button_url"])
        if where.scheme != "https" or not where.netloc:
            raise BadUserInput(button_url="This must begin with https://.")
    return about
