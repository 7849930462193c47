"""Booking an appointment: price, credit, room and person, all in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Interval, and_, bindparam, func, literal_column, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Forbidden, NotFound, SlotTaken
from models.bookings import Appointment, Booking, BookingAddon, BookingKind, BookingStatus, PaymentStatus
from models.catalogue import Addon, Category, Programme, Service, ServiceLine, SpaService
from models.database import Fixed
from models.identity import User
from models.keys import Key, is_named, naming
from models.memberships import Membership, MembershipCredit, MembershipStatus, Plan, last_day
from models.rooms import Room, Scene
from models.scheduling import Hold, Location
from models.together import new, next_number, write_at_end
from resolvers.booking_mails import News, tell_about
from resolvers.context import Context
from resolvers.holds import use_hold
from resolvers.idempotency import answers
from resolvers.operations import SIGNED_IN, allow
from resolvers.places import IN_ROOM, Place, When, check_place, is_taken, place_columns
from resolvers.prices import Price, price_of
from resolvers.reserving import lock, past_expired_holds, reserve
from resolvers.scheduling import free_slots, next_slots
from resolvers.turns import turn
from subscriptions.bookings import BookingConfirmed, BookingRequested
from subscriptions.facts import announce

ROOMS_TRIED, MOST_ADDONS, LONGEST_REQUEST = 5, 20, 2000


# Everything that a booking must know before it can be written, in one statement: without a room, what concerns the room is null.
OFFER = Fixed(
    select(
        next_number(Booking).label("booking_id"),
        Service.id,
        Service.price,
        Service.currency,
        Service.duration_minutes,
        Category.id.label("category_id"),
        Category.slug.label("category"),
        SpaService.member_price,
        SpaService.member_only,
        Membership.id.label("membership_id"),
        last_day(Membership).label("ends_on"),
        Plan.discount_percentage,
        Plan.mensuite_access,
        Plan.coresync_private_access,
        Plan.monthly_service_credits,
        Plan.priority_booking,
        *place_columns(type_coerce(Service.duration_minutes * literal_column("interval '1 minute'"), Interval)),
    )
    .select_from(Service)
    .join(SpaService, SpaService.service_id == Service.id)
    .join(Category, Category.id == Service.category_id)
    .join(User, User.id == bindparam("viewer", type_=BigInteger))
    .outerjoin(Membership, and_(Membership.user_id == User.id, Membership.status == MembershipStatus.ACTIVE))
    .outerjoin(Plan, Plan.id == Membership.plan_id)
    .outerjoin(Room, IN_ROOM)
    .outerjoin(Location, Location.id == Room.location_id)
    .where(Service.is_active, Service.line == ServiceLine.SPA, is_named(Service, "service"))
)


@dataclass(frozen=True)
class Offer:
    """A service at a time, with everything that its price depends on, the viewer's membership included."""

    row: Mapping[str, Any]

    @property
    def length(self) -> timedelta:
        """How long it takes."""
        return timedelta(minutes=self.row["duration_minutes"])

    def place(self, when: When, now: datetime) -> Place:
        """The room at that time, or BadUserInput."""
        return check_place(self.row, self.row["category_id"], when, self.length, now)

    def plan_on(self, day: date) -> Plan | None:
        """The viewer's plan, if their membership lasts until that day."""
        row = self.row
        if row["membership_id"] is None or row["ends_on"] < day:
            return None
        return Plan(
            discount_percentage=row["discount_percentage"],
            mensuite_access=row["mensuite_access"],
            coresync_private_access=row["coresync_private_access"],
            monthly_service_credits=row["monthly_service_credits"],
        )

    def price(self, plan: Plan | None, addons: Sequence[Mapping[str, Any]], credits_left: int) -> Price:
        """What it costs on a plan."""
        row = self.row
        return price_of(
            plan,
            row["category"],
            price=row["price"],
            member_price=row["member_price"],
            addons=[each["price"] for each in addons],
            credits_left=credits_left,
        )


@dataclass(frozen=True)
class Wish:
    """What the customer asked for beside time and room."""

    addon_ids: Sequence[Key[Addon]]
    programme: str | None
    scene: str | None
    special_requests: str | None
    hold_id: Key[Hold] | None


@allow(SIGNED_IN, one_transaction=True)
async def book_appointment(
    ctx: Context,
    *,
    service_id: Key[Service],
    starts_at: datetime | None = None,
    date: date | None = None,
    start_time: time | None = None,
    room_id: Key[Room] | None = None,
    addon_ids: list[Key[Addon]] | None = None,
    programme: str | None = None,
    scene: str | None = None,
    special_requests: str | None = None,
    hold_id: Key[Hold] | None = None,
) -> Booking:
    """Book a service of the spa at a moment, or at a day and hour of the location; without a room, any free one that suits."""
    wish = Wish(addon_ids or [], programme, scene, special_requests, hold_id)
    if len(wish.addon_ids) > MOST_ADDONS:
        raise BadUserInput(addon_ids=f"At most {MOST_ADDONS}.")
    if special_requests is not None and len(special_requests) > LONGEST_REQUEST:
        raise BadUserInput(special_requests=f"At most {LONGEST_REQUEST} characters.")
    when = When(starts_at, date, start_time)
    when.check()
    offer = await _offer(ctx, service_id, when, room_id)
    rooms = [room_id] if room_id else await _free_rooms(ctx, offer, when)
    for room in rooms[:ROOMS_TRIED]:
        if room is not room_id:
            offer = await _offer(ctx, service_id, when, room)
        place = offer.place(when, ctx.now())
        async with turn(("place", place.room_id, place.starts_at)) as has_waited:
            if has_waited and await is_taken(ctx, place, wish.hold_id):
                continue
            try:
                return await past_expired_holds(ctx, place, partial(_take, ctx, offer, place, wish))
            except SlotTaken:
                continue
    wanted = when.starts_at or datetime.combine(when.day or ctx.now().date(), when.hour or time(), UTC)
    if wanted <= ctx.now():
        raise BadUserInput(start_time="This time has passed.")
    raise SlotTaken(details={"next_slots": await next_slots(ctx, offer.row["category_id"], wanted, offer.length)})


async def _take(ctx: Context, offer: Offer, place: Place, wish: Wish) -> Booking:
    """Book one room at one time, or raise SlotTaken."""
    plan = offer.plan_on(place.day)
    if offer.row["member_only"] and plan is None:
        raise Forbidden("Only members may book this service.")
    addons = await _addons(ctx, offer, wish.addon_ids)
    programme_id = await _programme(ctx, offer, wish.programme)
    scene_id = await find_scene(ctx, ctx.viewer.id, wish.scene)
    async with ctx.writing() as db:
        if wish.hold_id is not None:
            await use_hold(db, ctx, wish.hold_id, place)
        price, credit_id = await _price(ctx, db, offer, plan, addons, place)
        booking = Booking(
            id=offer.row["booking_id"],
            kind=BookingKind.APPOINTMENT,
            customer_id=ctx.viewer.id,
            service_id=offer.row["id"],
            location_id=place.location_id,
            starts_at=place.starts_at,
            ends_at=place.ends_at,
            total_amount=price.total,
            currency=offer.row["currency"],
            special_requests=wish.special_requests,
            status=BookingStatus.PENDING if price.total else BookingStatus.CONFIRMED,
            payment_status=PaymentStatus.PENDING if price.total else PaymentStatus.CHARGED,
            confirmation_sent=place.wants_mail,
        )
        chosen = {"room_id": place.room_id, "programme_id": programme_id, "scene_id": scene_id, "credit_id": credit_id}
        await write_at_end(db, booking, new(Appointment, booking_id=booking.id, **chosen))
        for each in addons:
            await write_at_end(db, new(BookingAddon, booking_id=booking.id, addon_id=each["id"], name=each["name"], price=each["price"]))
        await reserve(db, place.resources, place.starts_at, place.ends_at, booking_id=booking.id)
        await announce(db, BookingRequested(booking))
        if booking.status is BookingStatus.CONFIRMED:
            await announce(db, BookingConfirmed(booking))
        await tell_about(db, booking, News.CONFIRMED if booking.status is BookingStatus.CONFIRMED else News.RECEIVED)
        answers(db, booking)
    return booking


async def _offer(ctx: Context, service: Key[Service], when: When, room: Key[Room] | None) -> Offer:
    rows = await ctx.fetch(OFFER, viewer=ctx.viewer.id, **naming("service", service), **naming("room", room), **when.parameters())
    if not rows:
        raise NotFound("There is no such service.")
    return Offer(rows[0])


async def _free_rooms(ctx: Context, offer: Offer, when: When) -> list[Key[Room]]:
    """Every room that is free then; for a moment, the local day may be the one before or after."""
    days = [when.day] if when.day else [when.starts_at.date() + timedelta(days=offset) for offset in (0, -1, 1)] if when.starts_at else []
    sees = ctx.viewer.is_staff or bool(offer.row["priority_booking"])
    slots = [
        slot
        for day in days
        for slot in await free_slots(ctx, day, offer.row["category_id"], offer.length, with_priority=sees)
        if (slot.starts_at == when.starts_at if when.starts_at else slot.start_time == when.hour)
    ]
    return [Key(number=each.room.id) for each in slots if each.starts_at == slots[0].starts_at]


async def _addons(ctx: Context, offer: Offer, ids: Sequence[Key[Addon]]) -> list[Mapping[str, Any]]:
    if not ids:
        return []
    bookable = select(Addon.id, Addon.name, Addon.price).where(Addon.service_id == offer.row["id"], Addon.is_active)
    found = await ctx.fetch(bookable.where(or_(*[each.names(Addon) for each in ids])).order_by(Addon.id))
    if len(found) != len({(each.number, each.uuid) for each in ids}):
        raise BadUserInput(addon_ids="One of these add-ons cannot be booked with this service.")
    return found


async def _programme(ctx: Context, offer: Offer, name: str | None) -> int | None:
    if not name:
        return None
    for each in await ctx.fetch(select(Programme.id, Programme.slug, Programme.name).where(Programme.service_id == offer.row["id"])):
        if slug(name) in (each["slug"], slug(each["name"])):
            return int(each["id"])
    raise BadUserInput(programme="This service has no such programme.")


async def find_scene(ctx: Context, user_id: int, name: str | None) -> int | None:
    """The number of a preset or of one's own scene, by its name or slug; BadUserInput when there is none."""
    if not name:
        return None
    mine = or_(Scene.owner_id == user_id, and_(Scene.owner_id.is_(None), Scene.is_public))
    named = or_(Scene.slug == slug(name), func.lower(Scene.name) == name.lower())
    found = await ctx.fetch(select(Scene.id).where(mine, named).order_by(Scene.owner_id).limit(1))
    if not found:
        raise BadUserInput(scene="There is no such scene.")
    return int(found[0]["id"])


async def _price(
    ctx: Context, db: AsyncSession, offer: Offer, plan: Plan | None, addons: Sequence[Mapping[str, Any]], place: Place
) -> tuple[Price, int | None]:
    """The price on that day, and the credit that was taken for it."""
    granted = plan.monthly_service_credits if plan else 0
    if offer.price(plan, addons, granted).takes_credit:
        # In this order, as cancelling gives back first the time and then the credit.
        await lock(db, place.resources, place.starts_at, place.ends_at, ctx.now())
        credit = await take_credit(db, offer.row["membership_id"], place.day.replace(day=1), granted)
        if credit is not None:
            return offer.price(plan, addons, 1), credit
    return offer.price(plan, addons, 0), None


async def take_credit(db: AsyncSession, membership_id: int, month: date, granted: int) -> int | None:
    """Use one of the month's credits; none when all are used, however many try at once."""
    taken = insert(MembershipCredit).values(membership_id=membership_id, month=month, used=1)
    return await db.scalar(
        taken.on_conflict_do_update(
            index_elements=["membership_id", "month"], set_={"used": MembershipCredit.used + 1}, where=MembershipCredit.used < granted
        ).returning(MembershipCredit.id)
    )


def slug(name: str) -> str:
    """A name as it stands in addresses: "Swiss Alps" and "swiss_alps" are both swiss-alps."""
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())
