"""Bookings of every kind: reading them, moving and cancelling appointments."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound, SlotTaken
from models.bookings import BOOKING_MOVES, Appointment, Booking, BookingStatus, PaymentStatus
from models.catalogue import Service
from models.identity import STAFF
from models.keys import Key
from models.memberships import MembershipCredit
from models.payments import Payment
from models.rooms import Room
from models.scheduling import Location
from resolvers.booking_mails import News, tell_about
from resolvers.context import Context, Viewer
from resolvers.following import Following
from resolvers.giving_back import give_back, stop
from resolvers.idempotency import answers
from resolvers.inputs.bookings import BookingFilter, BookingOrder
from resolvers.moves import move
from resolvers.operations import SIGNED_IN, allow
from resolvers.places import When, find_place
from resolvers.reserving import lock, release, reserve
from resolvers.scheduling import next_slots
from resolvers.settling import lock_payment
from resolvers.waitlist_offers import offer_slot
from subscriptions.bookings import BookingCancelled, BookingRescheduled
from subscriptions.facts import announce

if TYPE_CHECKING:
    from subscriptions.log import Record

PRESENT = (
    select(
        Booking.customer_id,
        Booking.starts_at,
        Booking.ends_at,
        Location.time_zone,
        Appointment.room_id,
        Room.resource_id,
        Service.category_id,
    )
    .join(Appointment, Appointment.booking_id == Booking.id)
    .join(Room, Room.id == Appointment.room_id)
    .join(Service, Service.id == Booking.service_id)
    .join(Location, Location.id == Booking.location_id)
)
OPEN = (BookingStatus.PENDING, BookingStatus.CONFIRMED)
ORDERS = {BookingOrder.NEWEST: (Booking.starts_at.desc(), Booking.id.desc()), BookingOrder.SOONEST: (Booking.starts_at, Booking.id)}


class BookingEventKind(StrEnum):
    """What happened to a booking.

    REQUESTED: It was made.
    CONFIRMED: It holds.
    RESCHEDULED: It was moved to another time, and perhaps another room.
    GUEST_ARRIVED: The customer has come and checked in.
    STARTED: The customer is there, and the service has begun.
    COMPLETED: The service was given.
    RATED: The customer rated it, or changed the rating.
    CANCELLED: It does not hold any more.
    PAID: The money for it has come in.
    REFUNDED: Money for it went back.
    """

    REQUESTED = "booking.requested"
    CONFIRMED = "booking.confirmed"
    RESCHEDULED = "booking.rescheduled"
    GUEST_ARRIVED = "booking.guest_arrived"
    STARTED = "booking.started"
    COMPLETED = "booking.completed"
    RATED = "booking.rated"
    CANCELLED = "booking.cancelled"
    PAID = "booking.paid"
    REFUNDED = "booking.refunded"


@dataclass
class BookingEvent:
    """Something that happened to a booking."""

    cursor: str
    kind: BookingEventKind
    at: datetime
    booking: Select[Booking]


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """The bookings that a viewer may see: their own, or all for the staff."""
    return Booking.id.is_not(None) if viewer.is_staff else Booking.customer_id == viewer.id


def is_changeable(status: str, starts_at: datetime, now: datetime) -> bool:
    """Whether a booking may still be cancelled or moved by its customer."""
    return status in OPEN and starts_at > now


def amount_paid(booking: type[Booking]) -> ColumnElement[Decimal]:
    """What was paid for a booking and not given back."""
    paid = select(Payment.amount - Payment.refunded_amount).where(Payment.booking_id == booking.id, Payment.charged_at.is_not(None))
    return func.coalesce(paid.correlate(booking).scalar_subquery(), literal(0, Payment.amount.type))


@allow(SIGNED_IN)
def list_my_bookings(ctx: Context, *, filter: BookingFilter | None = None, order: BookingOrder = BookingOrder.NEWEST) -> Select[Booking]:
    """The viewer's own bookings."""
    return _narrowed(select(Booking).where(Booking.customer_id == ctx.viewer.id), filter, ctx.now()).order_by(*ORDERS[order])


@allow(*STAFF)
def list_bookings(ctx: Context, *, filter: BookingFilter | None = None, order: BookingOrder = BookingOrder.NEWEST) -> Select[Booking]:
    """Everybody's bookings, for the staff."""
    return _narrowed(select(Booking), filter, ctx.now()).order_by(*ORDERS[order])


@allow(SIGNED_IN)
def get_booking(ctx: Context, *, id: Key[Booking] | None = None, reference: str | None = None) -> Select[Booking]:
    """One booking, by its id or its reference."""
    if (id is None) == (reference is None):
        raise BadUserInput(id="Give either the id or the reference.")
    return select(Booking).where(visible(ctx.viewer), id.names(Booking) if id else Booking.reference == reference)


@allow(SIGNED_IN)
async def follow_bookings(ctx: Context, *, booking_id: Key[Booking] | None = None) -> Following[BookingEvent]:
    """What happens to the viewer's own bookings, or for the staff to everybody's; or to one booking alone."""
    if booking_id is None:
        topic = "bookings" if ctx.viewer.is_staff else f"user:{ctx.viewer.id}"
    else:
        found = await ctx.fetch(select(Booking.id).where(visible(ctx.viewer), booking_id.names(Booking)))
        if not found:
            raise NotFound
        topic = f"booking:{found[0][0]}"
    return Following(frozenset({topic}), _shown)


def _shown(ctx: Context, record: "Record") -> BookingEvent | None:
    if record.kind not in list(BookingEventKind):
        return None
    booking = select(Booking).where(visible(ctx.viewer), Booking.id == record.subject_id)
    return BookingEvent(str(record.cursor), BookingEventKind(record.kind), record.at, booking)


@allow(SIGNED_IN)
async def reschedule_booking(
    ctx: Context,
    *,
    id: Key[Booking],
    starts_at: datetime | None = None,
    date: date | None = None,
    start_time: time | None = None,
    room_id: Key[Room] | None = None,
) -> Booking:
    """Move an appointment to another time, given as a moment or as a day and hour of its location, and perhaps to another room."""
    found = await ctx.fetch(PRESENT.where(id.names(Booking), visible(ctx.viewer)))
    if not found:
        raise NotFound
    now_at = found[0]
    length = now_at["ends_at"] - now_at["starts_at"]
    room = room_id or Key(number=now_at["room_id"])
    when = _when(now_at["starts_at"].astimezone(ZoneInfo(now_at["time_zone"])), starts_at, date, start_time)
    place = await find_place(ctx, room, now_at["category_id"], when, length, now_at["customer_id"])
    try:
        async with ctx.writing() as db:
            booking, appointment = await access_appointment(db, ctx.viewer, id)
            _check_open(booking, ctx.now())
            resources = [now_at["resource_id"], *place.resources]
            await lock(db, resources, place.starts_at, place.ends_at, ctx.now(), own_booking=booking.id)
            await release(db, booking_id=booking.id)
            await reserve(db, place.resources, place.starts_at, place.ends_at, booking_id=booking.id)
            before = (booking.starts_at, booking.ends_at)
            left_room = appointment.room_id
            booking.starts_at, booking.ends_at, booking.location_id = place.starts_at, place.ends_at, place.location_id
            appointment.room_id = place.room_id
            await offer_slot(ctx, db, left_room, *before, besides=(place.starts_at, place.ends_at))
            await announce(db, BookingRescheduled(booking, *before))
            await tell_about(db, booking, News.MOVED)
            answers(db, booking)
    except SlotTaken as lost:
        raise SlotTaken(details={"next_slots": await next_slots(ctx, now_at["category_id"], place.starts_at, length)}) from lost
    return booking


@allow(SIGNED_IN)
async def cancel_booking(ctx: Context, *, id: Key[Booking], reason: str | None = None) -> Booking:
    """Cancel an appointment that has not begun; its time is free at once, and the credit or money that paid for it comes back."""
    if reason is not None and len(reason) > 2000:
        raise BadUserInput(reason="A reason has 2000 characters at most.")
    async with ctx.writing() as db:
        booking, appointment = await access_appointment(db, ctx.viewer, id)
        _check_open(booking, ctx.now())
        await move(db, booking, BookingStatus.CANCELLED, BOOKING_MOVES)
        booking.cancel_reason, booking.cancelled_at = reason, ctx.now()
        payment = await lock_payment(db, Payment.booking_id == booking.id)
        if payment is not None and payment.status is PaymentStatus.CHARGED:
            await give_back(db, payment, "The booking was cancelled.")
        await stop(db, payment)
        await release(db, booking_id=booking.id)
        await offer_slot(ctx, db, appointment.room_id, booking.starts_at, booking.ends_at)
        if appointment.credit_id is not None:
            back = update(MembershipCredit).where(MembershipCredit.id == appointment.credit_id, MembershipCredit.used > 0)
            await db.execute(back.values(used=MembershipCredit.used - 1), execution_options={"synchronize_session": False})
            appointment.credit_id = None
        await announce(db, BookingCancelled(booking))
        await tell_about(db, booking, News.CANCELLED)
        answers(db, booking)
    return booking


async def access_appointment(db: AsyncSession, viewer: Viewer, id: Key[Booking]) -> tuple[Booking, Appointment]:
    """The booking, locked, with its appointment; NotFound when it is not the viewer's to change."""
    booking = await db.scalar(select(Booking).where(id.names(Booking), visible(viewer)).with_for_update())
    if booking is None:
        raise NotFound
    appointment = await db.scalar(select(Appointment).where(Appointment.booking_id == booking.id))
    if appointment is None:
        raise NotFound
    return booking, appointment


def _check_open(booking: Booking, now: datetime) -> None:
    if not is_changeable(booking.status, booking.starts_at, now):
        raise Conflict(f"A booking that is {booking.status} or has begun cannot be changed.")


def _when(local: datetime, starts_at: datetime | None, day: date | None, hour: time | None) -> When:
    """Where only the day or only the hour is given, the other stays."""
    if starts_at is None and day is None and hour is None:
        raise BadUserInput(date="Say to which day or hour.", start_time="Say to which day or hour.")
    return When(starts_at, day or local.date(), hour or local.time())


def _narrowed(found: Select[Booking], filter: BookingFilter | None, now: datetime) -> Select[Booking]:
    if filter is None:
        return found
    if filter.kind is not None:
        found = found.where(Booking.kind == filter.kind)
    if filter.status is not None:
        found = found.where(Booking.status == filter.status)
    if filter.upcoming is not None:
        upcoming = and_(Booking.ends_at > now, Booking.status.in_((*OPEN, BookingStatus.IN_PROGRESS)))
        found = found.where(upcoming if filter.upcoming else ~upcoming)
    if filter.starts_after is not None:
        found = found.where(Booking.starts_at >= filter.starts_after)
    if filter.starts_before is not None:
        found = found.where(Booking.starts_at < filter.starts_before)
    return found
