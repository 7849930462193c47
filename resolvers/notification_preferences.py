"""What people want to be told on which channel; what is necessary they are told anyway."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput
from models.identity import User
from models.newsletter import ConsentPurpose, ConsentSource, MarketingConsent
from models.notifications import RULES, Channel, NotificationKind, NotificationPreference
from resolvers.consents import give_consent, withdraw_consent
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.notifications import NotificationPreferencesPatch
from resolvers.operations import SIGNED_IN, allow

MOST = 100
SWITCHES = ("email_notifications", "sms_notifications", "push_notifications")
Choices = dict[tuple[NotificationKind, Channel], bool]


@dataclass(frozen=True)
class Preference:
    """How one kind of message is wanted on one channel."""

    kind: NotificationKind
    channel: Channel
    is_wanted: bool
    is_necessary: bool


@dataclass(frozen=True)
class NotificationPreferences:
    """Everything that somebody has chosen, or left as it usually is."""

    email_notifications: bool
    sms_notifications: bool
    push_notifications: bool
    booking_reminders: bool
    promotional_offers: bool
    kinds: list[Preference]


@allow(SIGNED_IN)
async def get_notification_preferences(ctx: Context) -> NotificationPreferences:
    """What the viewer wants to be told on which channel."""
    agreed = _agreed().exists().label("promotional_offers")
    [user] = await ctx.fetch(select(*(getattr(User, name) for name in SWITCHES), agreed).where(User.id == ctx.viewer.id))
    chosen = await ctx.fetch(
        select(NotificationPreference.kind, NotificationPreference.channel, NotificationPreference.is_wanted).where(
            NotificationPreference.user_id == ctx.viewer.id
        )
    )
    choices = {(NotificationKind(row["kind"]), Channel(row["channel"])): row["is_wanted"] for row in chosen}
    return _shown(user, choices, has_agreed=user["promotional_offers"])


@allow(SIGNED_IN)
async def update_notification_preferences(ctx: Context, *, patch: NotificationPreferencesPatch) -> NotificationPreferences:
    """Choose what is told on which channel; codes, receipts and what protects the account cannot be switched off."""
    wanted = _wanted(patch)
    async with ctx.writing() as db:
        user = await db.get_one(User, ctx.viewer.id, with_for_update=True)
        for name in SWITCHES:
            if (value := getattr(patch, name)) is not None:
                setattr(user, name, value)
        if wanted:
            await _choose(db, user.id, wanted)
        if patch.promotional_offers is not None:
            await _agree(db, ctx, user, is_wanted=patch.promotional_offers)
        rows = await db.scalars(select(NotificationPreference).where(NotificationPreference.user_id == user.id))
        choices = {(each.kind, each.channel): each.is_wanted for each in rows}
        has_agreed = bool(await db.scalar(select(_agreed().exists()).where(User.id == user.id)))
        done = _shown({name: getattr(user, name) for name in SWITCHES}, choices, has_agreed=has_agreed)
        answers(db, done)
    return done


def _wanted(patch: NotificationPreferencesPatch) -> Choices:
    """The single choices of a patch; BadUserInput where there is nothing to choose."""
    found: Choices = {}
    if patch.booking_reminders is not None:
        found = {(NotificationKind.BOOKING_REMINDER, each): patch.booking_reminders for each in Channel}
        if patch.booking_reminders:  # text messages only for who asks for them by name
            found.pop((NotificationKind.BOOKING_REMINDER, Channel.SMS))
    if len(patch.kinds or ()) > MOST:
        raise BadUserInput(kinds=f"At most {MOST} at once.")
    for each in patch.kinds or ():
        rule = RULES[each.kind]
        if rule.is_necessary and not each.is_wanted:
            raise BadUserInput(kinds=f"{each.kind} is necessary and cannot be switched off.")
        if not rule.is_optional and not rule.is_necessary:
            raise BadUserInput(kinds=f"{each.kind} has a consent of its own.")
        if not rule.is_necessary:
            found[each.kind, each.channel] = each.is_wanted
    return found


async def _choose(db: AsyncSession, user_id: int, wanted: Choices) -> None:
    rows = [{"user_id": user_id, "kind": kind, "channel": channel, "is_wanted": is_wanted} for (kind, channel), is_wanted in wanted.items()]
    made = insert(NotificationPreference).values(rows)
    await db.execute(made.on_conflict_do_update(index_elements=["user_id", "kind", "channel"], set_={"is_wanted": made.excluded.is_wanted}))


async def _agree(db: AsyncSession, ctx: Context, user: User, *, is_wanted: bool) -> None:
    if user.email is None:
        if is_wanted:
            raise BadUserInput(promotional_offers="Offers are sent by e-mail, and this account has no address.")
    elif is_wanted:
        await give_consent(db, user.email, ConsentPurpose.SPECIAL_OFFERS, ConsentSource.PREFERENCES, ctx.now())
    else:
        await withdraw_consent(db, user.email, ConsentSource.PREFERENCES, ctx.now(), ConsentPurpose.SPECIAL_OFFERS)


def _agreed() -> Any:
    """The consent of a user's address to special offers."""
    return (
        select(MarketingConsent.id)
        .where(
            MarketingConsent.email == User.email,
            MarketingConsent.purpose == ConsentPurpose.SPECIAL_OFFERS,
            MarketingConsent.withdrawn_at.is_(None),
        )
        .correlate(User)
    )


def _shown(switches: Mapping[str, Any], choices: Choices, *, has_agreed: bool) -> NotificationPreferences:
    kinds = [
        Preference(kind, channel, rule.is_necessary or choices.get((kind, channel), channel in rule.channels), rule.is_necessary)
        for kind, rule in RULES.items()
        for channel in Channel
        if rule.is_optional or (rule.is_necessary and channel in rule.channels)
    ]
    reminders = any(each.is_wanted for each in kinds if each.kind is NotificationKind.BOOKING_REMINDER)
    return NotificationPreferences(
        **{name: switches[name] for name in SWITCHES}, booking_reminders=reminders, promotional_offers=has_agreed, kinds=kinds
    )
