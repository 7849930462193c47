"""The newsletter: put down by anybody, confirmed by whoever reads the address, ended by one click."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, case, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput
from models.campaigns import Campaign, CampaignRecipient
from models.identity import Role
from models.newsletter import ConsentPurpose, ConsentSource, MarketingConsent, NewsletterSubscription, SubscriptionStatus
from models.notifications import NotificationKind
from resolvers.consents import give_consent, withdraw_consent
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.newsletter import NewsletterInput
from resolvers.inputs.values import LONGEST_NAME, EmailAddress, parse_text
from resolvers.limits import limit
from resolvers.notifications import Facts, write
from resolvers.operations import ANYONE, allow
from resolvers.signatures import sign, signed

PER_CALLER, PER_ADDRESS, CLICKS = "10/hour", "5/day", "60/minute"
GOOD_DAYS = 7
UNSUBSCRIBE = "unsubscribe"
NOT_GOOD = "This link is not good, or not good any more."
EDITORS = (Role.SUPER_ADMIN, Role.ADMIN)


@dataclass(frozen=True)
class NewsletterAsked:
    """Where the confirmation was sent, whether or not the address was known."""

    email: EmailAddress


@dataclass(frozen=True)
class NewsletterConfirmed:
    """What an address has agreed to."""

    email: EmailAddress
    purposes: list[ConsentPurpose]


@dataclass(frozen=True)
class Unsubscribed:
    """What an address gets no more of; nothing when that was so before."""

    purposes: list[ConsentPurpose]


@allow(ANYONE)
async def subscribe_to_newsletter(ctx: Context, *, input: NewsletterInput) -> NewsletterAsked:
    """Put an address down for the newsletter; nothing is sent there before its reader has confirmed it by the link they get."""
    purposes = [each for each in ConsentPurpose if getattr(input, each.value)]
    if not purposes:
        raise BadUserInput(marketing_emails="Choose at least one sort of mail.")
    name = parse_text(input.first_name, "first_name", longest=LONGEST_NAME)
    await limit(ctx, "newsletter", PER_CALLER)
    await limit(ctx, "newsletter of", PER_ADDRESS, by=f"mail:{input.email}")
    asked = NewsletterAsked(input.email)
    async with ctx.writing() as db:
        agreed = select(MarketingConsent.purpose).where(MarketingConsent.email == input.email, MarketingConsent.withdrawn_at.is_(None))
        has_all = set(purposes) <= set(await db.scalars(agreed))
        if not has_all and not input.website.strip():
            await _ask(db, ctx, input.email, name, purposes)
        answers(db, asked)
    return asked


@allow(ANYONE)
async def confirm_newsletter(ctx: Context, *, token: str) -> NewsletterConfirmed:
    """Agree to the newsletter by the code that was sent to the address."""
    await limit(ctx, "newsletter clicks", CLICKS)
    async with ctx.writing() as db:
        asked = select(NewsletterSubscription).where(
            NewsletterSubscription.code_hash == _hash(token), NewsletterSubscription.code_ends_at > ctx.now()
        )
        subscription = await db.scalar(asked.with_for_update())
        if subscription is None:
            raise BadUserInput(token=NOT_GOOD)
        purposes = [ConsentPurpose(each) for each in subscription.wanted]
        if subscription.confirmed_at is None or subscription.status is not SubscriptionStatus.CONFIRMED:
            link = unsubscribe_link(ctx, f"newsletter:{subscription.id}")
            facts = {"first_name": subscription.first_name}
            await write(db, NotificationKind.NEWSLETTER_WELCOME, to=subscription.email, facts=facts, unsubscribe_url=link)
        subscription.status, subscription.confirmed_at = SubscriptionStatus.CONFIRMED, ctx.now()
        subscription.code_hash = subscription.code_ends_at = None
        for each in purposes:
            await give_consent(db, subscription.email, each, ConsentSource.NEWSLETTER, ctx.now())
        done = NewsletterConfirmed(EmailAddress(subscription.email), purposes)
        answers(db, done)
    return done


@allow(ANYONE)
async def unsubscribe(ctx: Context, *, token: str, everything: bool = False) -> Unsubscribed:
    """Take a consent back by the link of a mail: to mails of its sort, or to all; whoever clicks twice has done it once."""
    what, _, number = (signed(ctx.settings, UNSUBSCRIBE, token) or "").partition(":")
    if not number.isdigit():
        # Only guesses are counted: the clicks of many readers come from the few addresses of their mailboxes.
        await limit(ctx, "newsletter clicks", CLICKS)
        raise BadUserInput(token=NOT_GOOD)
    async with ctx.writing() as db:
        email, purpose = await (_of_campaign(db, ctx, int(number)) if what == "campaign" else _of_newsletter(db, int(number)))
        withdrawn = await withdraw_consent(db, email, ConsentSource.UNSUBSCRIBED, ctx.now(), None if everything else purpose)
        await end_subscription(db, ctx, email)
        done = Unsubscribed(sorted(withdrawn))
        answers(db, done)
    return done


@allow(*EDITORS)
def list_newsletter_subscriptions(ctx: Context, *, status: SubscriptionStatus | None = None) -> Select[NewsletterSubscription]:
    """Who is on the list, newest first."""
    found = select(NewsletterSubscription).order_by(NewsletterSubscription.id.desc())
    return found if status is None else found.where(NewsletterSubscription.status == status)


@allow(*EDITORS)
def list_marketing_consents(ctx: Context, *, email: EmailAddress | None = None) -> Select[MarketingConsent]:
    """Who agreed to what, when and by what, and who took it back; newest first."""
    found = select(MarketingConsent).order_by(MarketingConsent.id.desc())
    return found if email is None else found.where(MarketingConsent.email == email)


def unsubscribe_link(ctx: Context, subject: str) -> str:
    """The link by which one mail is the last: newsletter:5 or campaign:7, a subscription or a recipient."""
    return f"{ctx.settings.links_to}/newsletter/unsubscribe?token={sign(ctx.settings, UNSUBSCRIBE, subject)}"


async def end_subscription(db: AsyncSession, ctx: Context, email: str) -> None:
    """End the subscription of an address that agrees to nothing any more."""
    agrees = select(MarketingConsent.id).where(MarketingConsent.email == email, MarketingConsent.withdrawn_at.is_(None)).limit(1)
    if await db.scalar(agrees) is not None:
        return
    held = select(NewsletterSubscription).where(
        NewsletterSubscription.email == email, NewsletterSubscription.status == SubscriptionStatus.CONFIRMED
    )
    subscription = await db.scalar(held.with_for_update())
    if subscription is not None:
        subscription.status, subscription.unsubscribed_at = SubscriptionStatus.UNSUBSCRIBED, ctx.now()


async def _ask(db: AsyncSession, ctx: Context, email: EmailAddress, name: str, purposes: list[ConsentPurpose]) -> None:
    code = secrets.token_urlsafe(24)
    wanted: dict[str, Any] = {
        "wanted": [each.value for each in purposes],
        "code_hash": _hash(code),
        "code_ends_at": ctx.now() + timedelta(days=GOOD_DAYS),
    }
    row = insert(NewsletterSubscription).values(email=email, first_name=name, status=SubscriptionStatus.PENDING, **wanted)
    # The name of somebody who has confirmed is theirs: a stranger who types their address does not change it.
    is_theirs = NewsletterSubscription.status == SubscriptionStatus.CONFIRMED
    kept = {"first_name": case((is_theirs, NewsletterSubscription.first_name), else_=name)}
    await db.execute(row.on_conflict_do_update(index_elements=["email"], set_={**wanted, **kept}))
    link = f"{ctx.settings.links_to}/newsletter/confirm?token={code}"
    facts: Facts = {"first_name": name, "confirm_url": link, "days": GOOD_DAYS}
    await write(db, NotificationKind.NEWSLETTER_CONFIRMATION, to=email, facts=facts, link=link, code=code)


async def _of_campaign(db: AsyncSession, ctx: Context, number: int) -> tuple[str, ConsentPurpose | None]:
    recipient = await db.get(CampaignRecipient, number, with_for_update=True)
    if recipient is None:
        raise BadUserInput(token=NOT_GOOD)
    if recipient.unsubscribed_at is None:
        recipient.unsubscribed_at = ctx.now()
    campaign = await db.get_one(Campaign, recipient.campaign_id)
    return recipient.email, campaign.purpose


async def _of_newsletter(db: AsyncSession, number: int) -> tuple[str, ConsentPurpose | None]:
    subscription = await db.get(NewsletterSubscription, number)
    if subscription is None:
        raise BadUserInput(token=NOT_GOOD)
    return subscription.email, None


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
