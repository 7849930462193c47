"""Checking in at the entrance by one's face: the welcome screen learns a first name and where to go, and no token is made."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Forbidden, NotFound
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.faces import Face, FaceUse
from models.identity import User
from models.kiosks import Kiosk
from models.rooms import Device, Room
from models.scheduling import Location, Reservation
from resolvers.context import Context
from resolvers.face_matching import recognise
from resolvers.idempotency import answers
from resolvers.limits import limit
from resolvers.operations import KIOSK, SIGNED_IN, allow
from subscriptions.bookings import GuestArrived
from subscriptions.facts import announce

CHECK_INS = "60/minute"
EARLY = timedelta(hours=12)
"""From how long before an appointment on its guest may check in."""
EXPECTED = (BookingStatus.PENDING, BookingStatus.CONFIRMED, BookingStatus.IN_PROGRESS)


@dataclass
class CheckedIn:
    """What the welcome screen shows."""

    success: bool
    guest: User
    visit: Booking | None
    room_ready: bool
    welcome_message: str


@allow(SIGNED_IN, KIOSK, sensitive=True)
async def check_in(ctx: Context, *, face_data: str, location: str | None = None) -> CheckedIn:
    """Greet a guest by their face: at a kiosk or by staff, among those who are expected there; in demo mode for everybody."""
    if not (ctx.settings.is_demo or ctx.viewer.is_staff or ctx.viewer.kiosk_id):
        raise Forbidden
    await limit(ctx, "check_in", CHECK_INS)
    here = await _here(ctx, location)
    template = await ctx.gateways.faces.read(face_data)
    among = [] if ctx.settings.is_demo else [Face.user_id.in_(_expected(ctx, here))]
    verdict = await recognise(ctx, FaceUse.CHECK_IN, template, *among)
    async with ctx.writing() as db:
        db.add(verdict.check)
        guest = await db.scalar(select(User).where(User.id == verdict.user_id, User.is_active))
        if guest is not None:
            done = await _greeted(ctx, db, guest, here)
            answers(db, done)
    if guest is None:
        raise NotFound("This face was not recognised.")
    return done


async def _greeted(ctx: Context, db: AsyncSession, guest: User, here: int) -> CheckedIn:
    """What a guest is told, and where their appointment is here and now, the note that they have come."""
    greeting = f"Welcome back, {guest.first_name}!" if guest.first_name else "Welcome back!"
    found = (await db.execute(_coming(ctx, guest.id, here).with_for_update(of=Appointment))).first()
    if found is None:
        return CheckedIn(True, guest, None, False, greeting)
    visit, appointment, room = found
    if visit.location_id == here and visit.starts_at <= ctx.now() + EARLY and appointment.arrived_at is None:
        appointment.arrived_at = ctx.now()
        await announce(db, GuestArrived(visit))
    return CheckedIn(True, guest, visit, bool(await db.scalar(_is_ready(ctx, visit, room))), greeting)


async def _here(ctx: Context, location: str | None) -> int:
    """The location at which the caller stands: a kiosk's own, or the one that is named by its slug or by that of an entrance."""
    of_kiosk = select(Kiosk.location_id.label("id"))
    if ctx.viewer.kiosk_id is not None:
        found = await ctx.fetch(of_kiosk.where(Kiosk.id == ctx.viewer.kiosk_id))
    elif location is None:
        raise BadUserInput(location="This field is required.")
    else:
        named = select(Location.id).where(Location.slug == location)
        found = await ctx.fetch(named.union_all(of_kiosk.where(Kiosk.slug == location, Kiosk.revoked_at.is_(None))))
    if not found:
        raise BadUserInput(location="There is no such entrance.")
    return int(found[0]["id"])


def _expected(ctx: Context, here: int) -> Select[int]:
    """The guests whose appointments at a location are now or soon."""
    now = ctx.now()
    return select(Booking.customer_id).where(
        Booking.kind == BookingKind.APPOINTMENT,
        Booking.location_id == here,
        Booking.status.in_(EXPECTED),
        Booking.ends_at > now,
        Booking.starts_at <= now + EARLY,
    )


def _coming(ctx: Context, user_id: int, here: int) -> Select[Booking, Appointment, Room]:
    """A guest's next appointment with its room, here before elsewhere."""
    return (
        select(Booking, Appointment, Room)
        .join(Appointment, Appointment.booking_id == Booking.id)
        .join(Room, Room.id == Appointment.room_id)
        .where(Booking.customer_id == user_id, Booking.status.in_(EXPECTED), Booking.ends_at > ctx.now())
        .order_by((Booking.location_id == here).desc(), Booking.starts_at, Booking.id)
        .limit(1)
    )


def _is_ready(ctx: Context, visit: Booking, room: Room) -> Select[tuple[bool]]:
    """Whether nobody else is in the room, and everything in it works."""
    taken = select(Reservation.id).where(
        Reservation.resource_id == room.resource_id,
        Reservation.during.contains(ctx.now()),
        or_(Reservation.booking_id.is_(None), Reservation.booking_id != visit.id),
    )
    broken = select(Device.id).where(Device.room_id == room.id, Device.in_maintenance)
    return select(~taken.exists() & ~broken.exists())
