"""People who hold events: who they are, how they sign in, and how their events are doing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ColumnElement, Select, and_, cast, func, select
from sqlalchemy.dialects.postgresql import insert

from errors import BadUserInput, Forbidden, NotFound
from models.bookings import Booking
from models.events import Event, EventBooking, EventStatus, EventType, Facilitator
from models.identity import STAFF, Role, User, UserRole
from models.keys import Key
from resolvers.context import Context
from resolvers.following import Following
from resolvers.idempotency import answers
from resolvers.identity import prove, proven
from resolvers.inputs.values import EmailAddress, parse_text
from resolvers.operations import ANYONE, SIGNED_IN, allow
from resolvers.sessions import open_session

if TYPE_CHECKING:
    from subscriptions.log import Record

LONGEST_BIO = 5000
RECENT = timedelta(days=7)


@dataclass
class FacilitatorSignedIn:
    """Tokens of a session, whose it is, and as which facilitator."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    user: User
    facilitator: Facilitator


class DeskEventKind(StrEnum):
    """What happened to a facilitator's events.

    CREATED: An event was put into the calendar.
    CHANGED: An event was changed.
    CANCELLED: An event was cancelled.
    COMPLETED: An event has taken place.
    BOOKED: Somebody took seats.
    BOOKING_CANCELLED: Somebody gave seats back.
    """

    CREATED = "event.created"
    CHANGED = "event.changed"
    CANCELLED = "event.cancelled"
    COMPLETED = "event.completed"
    BOOKED = "event.booked"
    BOOKING_CANCELLED = "event.booking_cancelled"


@dataclass
class DeskEvent:
    """Something that happened to a facilitator's events, with the figures as they are since."""

    cursor: str
    kind: DeskEventKind
    at: datetime
    event: Select[Event]
    desk: Select[Facilitator]


@allow(SIGNED_IN)
def list_facilitators(ctx: Context) -> Select[Facilitator]:
    """Everybody who holds events now."""
    return select(Facilitator).where(Facilitator.is_active).order_by(Facilitator.id)


@allow(SIGNED_IN)
def get_facilitator(ctx: Context, *, id: Key[Facilitator]) -> Select[Facilitator]:
    """Somebody who holds events now."""
    return select(Facilitator).where(id.names(Facilitator), Facilitator.is_active)


@allow(ANYONE, sensitive=True)
async def sign_in_as_facilitator(ctx: Context, *, email: EmailAddress, password: str) -> FacilitatorSignedIn:
    """Sign in by e-mail and password, as somebody who holds events."""
    proof = await prove(ctx, email, password)
    async with ctx.writing() as db:
        user = await proven(db, proof)
        facilitator = await db.scalar(select(Facilitator).where(Facilitator.user_id == user.id, Facilitator.is_active))
        if facilitator is None:
            raise Forbidden("This account is not a facilitator's.")
        opened = await open_session(ctx, db, user)
        done = FacilitatorSignedIn(opened.access_token, opened.refresh_token, opened.expires_at, user, facilitator)
        answers(db, done)
    return done


@allow(Role.SUPER_ADMIN, Role.ADMIN)
async def create_facilitator(ctx: Context, *, user_id: Key[User], bio: str = "") -> Facilitator:
    """Let a person hold events; whoever did so before does again."""
    bio = parse_text(bio, "bio", longest=LONGEST_BIO)
    async with ctx.writing() as db:
        user = await db.scalar(select(User.id).where(user_id.names(User), User.is_active))
        if user is None:
            raise BadUserInput(user_id="There is no such person.")
        made = insert(Facilitator).values(user_id=user, bio=bio, is_active=True)
        again = made.on_conflict_do_update(index_elements=["user_id"], set_={"is_active": True}).returning(Facilitator)
        facilitator = (await db.scalars(again, execution_options={"populate_existing": True})).one()
        await db.execute(insert(UserRole).values(user_id=user, role=Role.FACILITATOR, is_approved=True).on_conflict_do_nothing())
        answers(db, facilitator)
    return facilitator


@allow(Role.FACILITATOR, *STAFF)
async def update_facilitator(ctx: Context, *, id: Key[Facilitator], bio: str | None = None, is_active: bool | None = None) -> Facilitator:
    """Change what is said about a facilitator: their own words, or, by the staff, whether they hold events."""
    bio = parse_text(bio, "bio", longest=LONGEST_BIO) if bio is not None else None
    async with ctx.writing() as db:
        facilitator = await db.scalar(select(Facilitator).where(id.names(Facilitator), _mine(ctx)).with_for_update())
        if facilitator is None:
            raise NotFound
        if is_active is not None and not ctx.viewer.is_staff:
            raise Forbidden("Only the staff decides who holds events.")
        facilitator.bio = facilitator.bio if bio is None else bio
        facilitator.is_active = facilitator.is_active if is_active is None else is_active
        answers(db, facilitator)
    return facilitator


@allow(Role.FACILITATOR, *STAFF)
def get_facilitator_desk(ctx: Context, *, id: Key[Facilitator] | None = None) -> Select[Facilitator]:
    """How a facilitator's events are doing: the viewer's own, or for the staff anybody's."""
    return select(Facilitator).where(_mine(ctx), id.names(Facilitator) if id else Facilitator.user_id == ctx.viewer.id)


@allow(Role.FACILITATOR, *STAFF)
async def follow_facilitator_desk(ctx: Context, *, facilitator_id: Key[Facilitator] | None = None) -> Following[DeskEvent]:
    """The same as it happens: each booking, cancellation and change, with the figures as they are since."""
    which = facilitator_id.names(Facilitator) if facilitator_id else Facilitator.user_id == ctx.viewer.id
    found = await ctx.fetch(select(Facilitator.id).where(_mine(ctx), which))
    if not found:
        raise NotFound
    return Following(frozenset({f"facilitator:{found[0]['id']}"}), _shown)


def _shown(ctx: Context, record: "Record") -> DeskEvent | None:
    if record.kind not in list(DeskEventKind):
        return None
    event_id = record.data.get("event_id", record.subject_id)
    held = select(Event).join(Facilitator, Facilitator.id == Event.facilitator_id).where(Event.id == event_id, _mine(ctx))
    desk = select(Facilitator).join(Event, Event.facilitator_id == Facilitator.id).where(Event.id == event_id, _mine(ctx))
    return DeskEvent(str(record.cursor), DeskEventKind(record.kind), record.at, held, desk)


def _mine(ctx: Context) -> ColumnElement[bool]:
    """The viewer's own, or for the staff everybody's."""
    return Facilitator.id.is_not(None) if ctx.viewer.is_staff else Facilitator.user_id == ctx.viewer.id


def bookings_of(facilitator: type[Facilitator], *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """How many bookings that hold a facilitator's events have."""
    held = _held(facilitator, *conditions)
    counted = held.with_only_columns(func.count(EventBooking.id))
    return counted.correlate(facilitator).scalar_subquery()


def people_of(facilitator: type[Facilitator]) -> ColumnElement[int]:
    """How many people have booked a facilitator's events."""
    counted = _held(facilitator).with_only_columns(func.count(EventBooking.customer_id.distinct()))
    return counted.correlate(facilitator).scalar_subquery()


def booked_events_of(facilitator: type[Facilitator]) -> ColumnElement[int]:
    """How many of a facilitator's events were booked."""
    counted = _held(facilitator).with_only_columns(func.count(EventBooking.event_id.distinct()))
    return counted.correlate(facilitator).scalar_subquery()


def recent_bookings_of(facilitator: type[Facilitator], ctx: Context) -> ColumnElement[int]:
    """How many bookings of the last seven days hold."""
    recent = Booking.created_at > ctx.moment() - RECENT
    counted = _held(facilitator, recent).join(Booking, Booking.id == EventBooking.booking_id).with_only_columns(func.count(EventBooking.id))
    return counted.correlate(facilitator).scalar_subquery()


def ahead_of(facilitator: type[Facilitator], counted: ColumnElement[int], ctx: Context) -> ColumnElement[int]:
    """Something about a facilitator's events to come."""
    to_come = and_(Event.facilitator_id == facilitator.id, Event.status == EventStatus.ACTIVE, Event.starts_at > ctx.moment())
    return select(cast(counted, BigInteger)).where(to_come).correlate(facilitator).scalar_subquery()


def _held(facilitator: type[Facilitator], *conditions: ColumnElement[bool]) -> Select[EventBooking]:
    held = select(EventBooking).select_from(EventBooking).join(Event, Event.id == EventBooking.event_id)
    return held.where(Event.facilitator_id == facilitator.id, EventBooking.released_at.is_(None), *conditions)


SESSIONS, RETREATS = Event.kind == EventType.SESSION, Event.kind == EventType.RETREAT
