"""Seats at events: taken by one conditional update, given back, and who has them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Select, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import AlreadyExists, BadUserInput, Conflict, EventFull, NotFound, SlotTaken
from models.bookings import BOOKING_MOVES, Booking, BookingKind, BookingStatus, PaymentStatus
from models.crm import CrmNoticeStatus
from models.database import Fixed
from models.events import Event, EventBooking, EventStatus, Facilitator
from models.identity import STAFF, Role, User
from models.keys import Key, is_named, naming
from models.payments import Payment
from models.rooms import Room
from models.together import new, next_number, write_at_end
from models.waitlists import WaitlistEntry, WaitlistStatus
from resolvers.bookings import OPEN, visible
from resolvers.context import Context
from resolvers.crm_noting import note_for_crm
from resolvers.event_mails import EventNews, tell_attendees
from resolvers.giving_back import give_back, stop
from resolvers.idempotency import answers
from resolvers.inputs.values import parse_text
from resolvers.moves import move
from resolvers.operations import SIGNED_IN, allow
from resolvers.reserving import clear_expired_holds, release, reserve
from resolvers.settling import lock_payment
from resolvers.turns import turn
from resolvers.waitlist_offers import OPEN as IN_LINE
from resolvers.waitlist_offers import offer_seats, use_place
from subscriptions.bookings import BookingCancelled, BookingConfirmed
from subscriptions.events import EventBooked, EventBookingCancelled
from subscriptions.facts import announce

LONGEST_NOTES, MOST_SEATS = 2000, 10
TWICE = "You have booked this event already."


WAITED_FOR = WaitlistEntry.event_id == Event.id, WaitlistEntry.user_id == User.id
KEPT = select(WaitlistEntry.quantity).where(*WAITED_FOR, WaitlistEntry.status == WaitlistStatus.OFFERED).correlate(Event, User)
"""How many seats a waiting list keeps for the viewer."""

# Everything that a booking must know before it takes a seat, in one statement.
OFFER = Fixed(
    select(
        next_number(Booking).label("booking_id"),
        Event.id,
        Event.status,
        Event.starts_at,
        Event.ends_at,
        Event.max_participants,
        Event.current_participants,
        Room.location_id,
        User.resource_id.label("person"),
        and_(User.email.is_not(None), User.email_notifications).label("wants_mail"),
        exists()
        .where(EventBooking.event_id == Event.id, EventBooking.customer_id == User.id, EventBooking.released_at.is_(None))
        .label("is_booked"),
        exists().where(*WAITED_FOR, or_(*[WaitlistEntry.status == each for each in IN_LINE])).label("has_waited"),
        func.coalesce(KEPT.scalar_subquery(), 0).label("kept"),
    )
    .select_from(Event)
    .join(User, User.id == bindparam("viewer", type_=BigInteger))
    .outerjoin(Room, Room.id == Event.room_id)
    .where(is_named(Event, "event"))
)


@dataclass
class BookedEvent:
    """A booking that was just made, and whether the CRM has its notice."""

    booking: Booking
    crm_notified: bool


@allow(SIGNED_IN)
def list_my_event_bookings(ctx: Context, *, status: BookingStatus | None = None, upcoming_only: bool = False) -> Select[Booking]:
    """The viewer's own bookings of events, newest first."""
    found = select(Booking).where(Booking.customer_id == ctx.viewer.id, Booking.kind == BookingKind.EVENT).order_by(Booking.id.desc())
    if status is not None:
        found = found.where(Booking.status == status)
    return found.where(Booking.starts_at > ctx.now(), Booking.status.in_(OPEN)) if upcoming_only else found


@allow(SIGNED_IN)
def get_event_booking(ctx: Context, *, id: Key[Booking]) -> Select[Booking]:
    """One booking of an event, of the viewer's own; the staff may read any."""
    return select(Booking).where(visible(ctx.viewer), Booking.kind == BookingKind.EVENT, id.names(Booking))


@allow(Role.FACILITATOR, *STAFF)
def list_event_attendances(ctx: Context, *, event_id: Key[Event]) -> Select[EventBooking]:
    """Who has booked an event, for its facilitator and the staff; cancelled bookings come last."""
    found = select(EventBooking).where(EventBooking.event_id == event_id.of(Event))
    if not ctx.viewer.is_staff:
        mine = select(Event.id).join(Facilitator, Facilitator.id == Event.facilitator_id).where(Facilitator.user_id == ctx.viewer.id)
        found = found.where(EventBooking.event_id.in_(mine))
    return found.order_by(EventBooking.released_at.is_not(None), EventBooking.id)


@allow(SIGNED_IN, one_transaction=True)
async def book_event(ctx: Context, *, event_id: Key[Event], notes: str | None = None, seats: int = 1) -> BookedEvent:
    """Take seats at an event to come; refused when it is full, booked already, or at the time of something else that the viewer has."""
    if not 1 <= seats <= MOST_SEATS:
        raise BadUserInput(seats=f"1 to {MOST_SEATS} seats can be booked at once.")
    notes = parse_text(notes, "notes", longest=LONGEST_NOTES) if notes else None
    offer = await _offer(ctx, event_id)
    # Whoever comes for the same event waits here and not on a connection each, and learns that it is full without a transaction.
    async with turn(("event", offer["id"])) as has_waited:
        if has_waited:
            offer = await _offer(ctx, event_id)
        _check(ctx, offer, seats)
        try:
            return await _take(ctx, offer, notes, seats)
        except SlotTaken:
            if not await clear_expired_holds(ctx, [offer["person"]], offer["starts_at"], offer["ends_at"]):
                raise SlotTaken("This overlaps something else that you have booked.") from None
            return await _take(ctx, await _offer(ctx, event_id), notes, seats)
        except AlreadyExists:
            raise AlreadyExists(TWICE) from None


async def _offer(ctx: Context, event: Key[Event]) -> Any:
    rows = await ctx.fetch(OFFER, viewer=ctx.viewer.id, **naming("event", event))
    if not rows:
        raise NotFound("There is no such event.")
    return rows[0]


def _check(ctx: Context, offer: Any, seats: int) -> None:
    """Tell at once what cannot be booked; the update that takes the seats is what decides."""
    if offer["status"] == EventStatus.CANCELLED:
        raise Conflict("This event was cancelled.")
    if offer["starts_at"] <= ctx.now():
        raise BadUserInput(event_id="This event has begun or is over.")
    if offer["is_booked"]:
        raise AlreadyExists(TWICE)
    if offer["current_participants"] - offer["kept"] + seats > offer["max_participants"]:
        raise EventFull


async def _take(ctx: Context, offer: Any, notes: str | None, seats: int) -> BookedEvent:
    """Book, or raise EventFull, AlreadyExists or SlotTaken."""
    async with ctx.writing() as db:
        if offer["has_waited"]:
            # The event is locked first, so that nobody else takes meanwhile what was kept.
            await use_place(ctx, db, await lock_event(db, offer["id"]))
        event = await take_seats(ctx, db, offer["id"], seats)
        if offer["has_waited"]:
            await offer_seats(ctx, db, event)  # what was kept and is not wanted
        total = event.price * seats
        booking = Booking(
            id=offer["booking_id"],
            kind=BookingKind.EVENT,
            customer_id=ctx.viewer.id,
            location_id=offer["location_id"],
            status=BookingStatus.CONFIRMED,
            payment_status=PaymentStatus.PENDING if total else PaymentStatus.CHARGED,
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            total_amount=total,
            currency=event.currency,
            special_requests=notes,
            confirmation_sent=offer["wants_mail"],
        )
        await write_at_end(
            db, booking, new(EventBooking, booking_id=booking.id, event_id=event.id, customer_id=booking.customer_id, seats=seats)
        )
        await reserve(db, [offer["person"]], event.starts_at, event.ends_at, booking_id=booking.id)
        await announce(db, BookingConfirmed(booking))
        await announce(db, EventBooked(booking, event.id, event.facilitator_id, seats))
        await tell_attendees(db, event, EventNews.BOOKED, [booking.id])
        await note_for_crm(db, booking, event_id=event.id)
        done = BookedEvent(booking, crm_notified=True)
        answers(db, done)
    return done


async def take_seats(ctx: Context, db: AsyncSession, event_id: int, seats: int) -> Event:
    """Take seats of an event to come, which is locked from then on; EventFull when fewer are left, however many try at once."""
    is_open = Event.status == EventStatus.ACTIVE, Event.starts_at > ctx.now()
    free = Event.current_participants + seats <= Event.max_participants
    taken = update(Event).where(Event.id == event_id, *is_open, free).values(current_participants=Event.current_participants + seats)
    fresh = {"synchronize_session": False, "populate_existing": True}
    event = (await db.scalars(taken.returning(Event), execution_options=fresh)).one_or_none()
    if event is not None:
        return event
    if await db.scalar(select(Event.id).where(Event.id == event_id, *is_open)) is None:
        raise Conflict("This event cannot be booked any more.")
    raise EventFull


@allow(SIGNED_IN)
async def cancel_event_booking(ctx: Context, *, id: Key[Booking], reason: str | None = None) -> Booking:
    """Cancel the booking of an event that has not begun; its seats are free at once, and money that paid for them comes back."""
    reason = parse_text(reason, "reason", longest=LONGEST_NOTES) if reason else None
    held = select(EventBooking.event_id).join(Booking, Booking.id == EventBooking.booking_id).where(id.names(Booking), visible(ctx.viewer))
    found = await ctx.fetch(held)
    if not found:
        raise NotFound
    async with ctx.writing() as db:
        event = await lock_event(db, found[0]["event_id"])
        booking = (await db.scalars(select(Booking).where(id.names(Booking)).with_for_update())).one()
        if booking.status not in OPEN or booking.starts_at <= ctx.now():
            raise Conflict(f"A booking that is {booking.status} or has begun cannot be cancelled.")
        await move(db, booking, BookingStatus.CANCELLED, BOOKING_MOVES)
        booking.cancel_reason, booking.cancelled_at = reason, ctx.now()
        seat = (await db.scalars(select(EventBooking).where(EventBooking.booking_id == booking.id))).one()
        await _give_seats_back(ctx, db, event, booking, seat)
        await tell_attendees(db, event, EventNews.LEFT, [booking.id])
        answers(db, booking)
    return booking


async def lock_event(db: AsyncSession, event_id: int) -> Event:
    """The event, locked; always before its bookings, and those before what they reserve."""
    locked = select(Event).where(Event.id == event_id).with_for_update(key_share=True)
    return (await db.scalars(locked, execution_options={"populate_existing": True})).one()


async def _give_seats_back(ctx: Context, db: AsyncSession, event: Event, booking: Booking, seat: EventBooking) -> None:
    """What a booking has taken is free again: seats, time and money."""
    seat.released_at = ctx.now()
    event.current_participants -= seat.seats
    await release(db, booking_id=booking.id)
    payment = await lock_payment(db, Payment.booking_id == booking.id)
    if payment is not None and payment.status is PaymentStatus.CHARGED:
        await give_back(db, payment, "The booking was cancelled.")
    await stop(db, payment)
    await announce_released(db, event, booking, seat.seats)
    await note_for_crm(db, booking, CrmNoticeStatus.CANCELLED, event_id=event.id)
    await offer_seats(ctx, db, event)


async def announce_released(db: AsyncSession, event: Event, booking: Booking, seats: int) -> None:
    """Tell everybody who follows it that a booking's seats are free again."""
    await announce(db, BookingCancelled(booking))
    await announce(db, EventBookingCancelled(booking, event.id, event.facilitator_id, seats))
