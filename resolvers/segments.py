"""Segments: stored filters over the people who agreed to mails of some sort."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from errors import AlreadyExists, BadUserInput, NotFound
from models.bookings import Booking, BookingStatus
from models.campaigns import Segment
from models.catalogue import Category, Service
from models.identity import User
from models.keys import Key
from models.memberships import Membership, Plan, is_current
from models.newsletter import ConsentPurpose, MarketingConsent
from models.scheduling import Location
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.campaigns import SegmentConditions, SegmentInput
from resolvers.inputs.values import LONGEST_NAME, parse_text
from resolvers.newsletter import EDITORS
from resolvers.operations import allow

MOST_WORDS, MOST_DAYS, MOST_VISITS = 50, 3650, 10_000
LISTS, NUMBERS = ("membership_tiers", "categories", "cities"), ("visited_within_days", "not_visited_for_days", "visits_at_least")


@dataclass(frozen=True)
class SegmentSize:
    """How many belong to a segment now."""

    count: int


@allow(*EDITORS)
def list_segments(ctx: Context) -> Select[Segment]:
    """Stored filters, by name."""
    return select(Segment).order_by(Segment.name, Segment.id)


@allow(*EDITORS)
async def count_segment(
    ctx: Context, *, purpose: ConsentPurpose, conditions: SegmentConditions | None = None, id: Key[Segment] | None = None
) -> SegmentSize:
    """How many people of a segment, stored or not, have agreed to mails of some sort."""
    held = checked(conditions) if conditions else {}
    if id is not None:
        found = await ctx.fetch(select(Segment.conditions).where(id.names(Segment)))
        if not found:
            raise NotFound
        held = {**found[0]["conditions"], **held}
    [[count]] = await ctx.fetch(select(func.count()).select_from(readers(ctx, purpose, held).subquery()))
    return SegmentSize(int(count))


@allow(*EDITORS)
async def create_segment(ctx: Context, *, input: SegmentInput) -> Segment:
    """Store a filter over people under a name."""
    name = parse_text(input.name, "name", longest=LONGEST_NAME)
    if not name:
        raise BadUserInput(name="This field is required")
    segment = Segment(name=name, conditions=checked(input.conditions))
    try:
        async with ctx.writing() as db:
            db.add(segment)
            await db.flush()
            answers(db, segment)
    except AlreadyExists:
        raise AlreadyExists("There is a segment of this name.", name="This name is taken.") from None
    return segment


def checked(conditions: SegmentConditions) -> dict[str, Any]:
    """The conditions that are given, as they are stored; BadUserInput for what can never hold."""
    held = {name: value for name, value in asdict(conditions).items() if value is not None}
    for name in LISTS:
        if name in held:
            if not 0 < len(held[name]) <= MOST_WORDS:
                raise BadUserInput(**{name: f"Name 1 to {MOST_WORDS}."})
            held[name] = [parse_text(each, name, longest=LONGEST_NAME) for each in held[name]]
    for name in NUMBERS:
        if name in held and not 0 < held[name] <= (MOST_VISITS if name == "visits_at_least" else MOST_DAYS):
            raise BadUserInput(**{name: "This number is too small or too large."})
    return held


def readers(ctx: Context, purpose: ConsentPurpose, conditions: dict[str, Any]) -> Select[Any]:
    """The consents to a purpose that stand now, of people for whom all conditions hold: consent, address, account."""
    found: Any = (
        select(MarketingConsent.id, MarketingConsent.email, User.id.label("user_id"))
        .join(User, func.lower(User.email) == MarketingConsent.email, isouter=True)
        .where(MarketingConsent.purpose == purpose, MarketingConsent.withdrawn_at.is_(None), User.is_active.is_not(False))
    )
    narrowed: Select[Any] = found.where(*(CONDITIONS[name](ctx, value) for name, value in conditions.items()))
    return narrowed


def _members(ctx: Context) -> Select[Any]:
    return select(Membership.id).where(Membership.user_id == User.id, is_current(Membership, ctx.moment())).correlate(User)


def _is_member(ctx: Context, wanted: bool) -> ColumnElement[bool]:
    return _members(ctx).exists() if wanted else ~_members(ctx).exists()


def _tiers(ctx: Context, tiers: list[str]) -> ColumnElement[bool]:
    return _members(ctx).join(Plan, Plan.id == Membership.plan_id).where(Plan.tier.in_(tiers)).exists()


def _visits(*conditions: ColumnElement[bool]) -> Select[Any]:
    was_here = and_(Booking.customer_id == User.id, Booking.status == BookingStatus.COMPLETED)
    return select(Booking.id).where(was_here, *conditions).correlate(User)


def _within(ctx: Context, days: int) -> ColumnElement[bool]:
    return _visits(Booking.starts_at >= ctx.now() - timedelta(days=days)).exists()


def _at_least(_: Context, times: int) -> ColumnElement[bool]:
    return _visits().with_only_columns(func.count()).scalar_subquery() >= times


def _categories(_: Context, slugs: list[str]) -> ColumnElement[bool]:
    had = _visits(Category.slug.in_(slugs))
    return had.join(Service, Service.id == Booking.service_id).join(Category, Category.id == Service.category_id).exists()


def _cities(_: Context, cities: list[str]) -> ColumnElement[bool]:
    there = func.lower(Location.city).in_([each.lower() for each in cities])
    return _visits(there).join(Location, Location.id == Booking.location_id).exists()


CONDITIONS: dict[str, Any] = {
    "membership_tiers": _tiers,
    "is_member": _is_member,
    "visited_within_days": _within,
    "not_visited_for_days": lambda ctx, days: ~_within(ctx, days),
    "visits_at_least": _at_least,
    "categories": _categories,
    "cities": _cities,
    "has_account": lambda _, wanted: User.id.is_not(None) if wanted else User.id.is_(None),
}
"""What each condition of a segment means in SQL."""
