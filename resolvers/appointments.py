"""Booking an appointment: price, credit, room and person, all in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Forbidden, NotFound, SlotTaken
from models.bookings import Appointment, Booking, BookingAddon, BookingKind, BookingStatus, PaymentStatus
from models.catalogue import Addon, Category, Programme, Service, ServiceLine, SpaService
from models.keys import Key
from models.memberships import Membership, MembershipCredit, MembershipStatus, Plan
from models.rooms import Room, Scene
from models.scheduling import Hold, Location, Reservation
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.operations import SIGNED_IN, allow
from resolvers.people import resource_of
from resolvers.prices import Price, price_of
from resolvers.reserving import lock, reserve
from resolvers.scheduling import free_slots, local_moment, next_slots, sees_priority, suitable_room, within_hours
from subscriptions.bookings import BookingConfirmed, BookingRequested
from subscriptions.facts import announce

ROOMS_TRIED, MOST_ADDONS, LONGEST_REQUEST = 5, 20, 2000


@dataclass(frozen=True)
class Offer:
    """A service with everything that its price depends on."""

    service: Service
    spa: SpaService
    category: Category

    @property
    def length(self) -> timedelta:
        """How long it takes."""
        return timedelta(minutes=self.service.duration_minutes)


@dataclass(frozen=True)
class Wish:
    """What the customer asked for beside time and room."""

    addon_ids: Sequence[Key[Addon]]
    programme: str | None
    scene: str | None
    special_requests: str | None
    hold_id: Key[Hold] | None


@allow(SIGNED_IN)
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
    offer = await _offer(ctx, service_id)
    begins, rooms = await _candidates(ctx, offer, starts_at, date, start_time, room_id)
    for room in rooms[:ROOMS_TRIED]:
        try:
            return await _take(ctx, offer, room, begins, wish)
        except SlotTaken:
            continue
    raise SlotTaken(details={"next_slots": await next_slots(ctx, offer.category.id, begins, offer.length)})


async def _take(ctx: Context, offer: Offer, room_id: Key[Room], begins: datetime, wish: Wish) -> Booking:
    """Book one room at one time, or raise SlotTaken."""
    ends = begins + offer.length
    async with ctx.writing() as db:
        room = await suitable_room(db, room_id, offer.category.id)
        await within_hours(db, ctx, room, begins, ends)
        location = await db.get_one(Location, room.location_id)
        addons = await _addons(db, offer, wish.addon_ids)
        programme_id = await _programme(db, offer, wish.programme)
        scene_id = await _scene(db, ctx.viewer.id, wish.scene)
        person = await resource_of(db, ctx.viewer.id)
        price, credit_id = await _price(db, ctx, offer, addons, begins.astimezone(ZoneInfo(location.time_zone)).date())
        await lock(db, [room.resource_id, person], ctx.now())
        if wish.hold_id is not None:
            await _use_hold(db, ctx, wish.hold_id, room, begins)
        booking = Booking(
            kind=BookingKind.APPOINTMENT,
            customer_id=ctx.viewer.id,
            service_id=offer.service.id,
            location_id=location.id,
            starts_at=begins,
            ends_at=ends,
            total_amount=price.total,
            currency=offer.service.currency,
            special_requests=wish.special_requests,
            status=BookingStatus.PENDING if price.total else BookingStatus.CONFIRMED,
            payment_status=PaymentStatus.PENDING if price.total else PaymentStatus.CHARGED,
        )
        db.add(booking)
        await db.flush()
        await reserve(db, [room.resource_id, person], begins, ends, booking_id=booking.id)
        db.add(Appointment(booking_id=booking.id, room_id=room.id, programme_id=programme_id, scene_id=scene_id, credit_id=credit_id))
        db.add_all([BookingAddon(booking_id=booking.id, addon_id=each.id, name=each.name, price=each.price) for each in addons])
        await announce(db, BookingRequested(booking))
        if booking.status is BookingStatus.CONFIRMED:
            await announce(db, BookingConfirmed(booking))
        answers(db, booking)
    return booking


async def _offer(ctx: Context, id: Key[Service]) -> Offer:
    async with ctx.database.sessions() as db:
        found = await db.execute(
            select(Service, SpaService, Category)
            .join(SpaService, SpaService.service_id == Service.id)
            .join(Category, Category.id == Service.category_id)
            .where(id.names(Service), Service.is_active, Service.line == ServiceLine.SPA)
        )
        row = found.first()
    if row is None:
        raise NotFound("There is no such service.")
    return Offer(*row)


async def _candidates(
    ctx: Context, offer: Offer, starts_at: datetime | None, day: date | None, hour: time | None, room_id: Key[Room] | None
) -> tuple[datetime, list[Key[Room]]]:
    """The moment, and the rooms to try: the one that was asked for, or every free one."""
    if starts_at is None and (day is None or hour is None):
        missing = {name: "This field is required." for name, value in (("date", day), ("start_time", hour)) if value is None}
        raise BadUserInput(**missing)
    if room_id is not None:
        if starts_at is None:
            assert day is not None  # noqa: S101 - for the type checker
            assert hour is not None  # noqa: S101
            starts_at = local_moment(day, hour, await _zone(ctx, room_id))
        return starts_at, [room_id]
    days = [day] if day else [(starts_at + timedelta(days=offset)).date() for offset in (0, -1, 1)] if starts_at else []
    slots = [
        slot
        for each in days
        for slot in await free_slots(ctx, each, offer.category.id, offer.length, with_priority=await sees_priority(ctx))
        if (slot.starts_at == starts_at if starts_at else slot.start_time == hour)
    ]
    if not slots:
        moment = starts_at or datetime.combine(day or ctx.now().date(), hour or time(), ZoneInfo("UTC"))
        if moment <= ctx.now():
            raise BadUserInput(start_time="This time has passed.")
        return moment, []
    return slots[0].starts_at, [Key(number=each.room.id) for each in slots if each.starts_at == slots[0].starts_at]


async def _zone(ctx: Context, room_id: Key[Room]) -> str:
    rows = await ctx.fetch(select(Location.time_zone).join(Room, Room.location_id == Location.id).where(room_id.names(Room)))
    if not rows:
        raise BadUserInput(room_id="There is no such room.")
    return str(rows[0][0])


async def _addons(db: AsyncSession, offer: Offer, ids: Sequence[Key[Addon]]) -> list[Addon]:
    if not ids:
        return []
    chosen = or_(*[each.names(Addon) for each in ids])
    found = list(await db.scalars(select(Addon).where(Addon.service_id == offer.service.id, Addon.is_active, chosen).order_by(Addon.id)))
    if len(found) != len({(each.number, each.uuid) for each in ids}):
        raise BadUserInput(addon_ids="One of these add-ons cannot be booked with this service.")
    return found


async def _programme(db: AsyncSession, offer: Offer, name: str | None) -> int | None:
    if not name:
        return None
    programmes = await db.scalars(select(Programme).where(Programme.service_id == offer.service.id))
    for each in programmes:
        if slug(name) in (each.slug, slug(each.name)):
            return each.id
    raise BadUserInput(programme="This service has no such programme.")


async def _scene(db: AsyncSession, user_id: int, name: str | None) -> int | None:
    if not name:
        return None
    mine = or_(Scene.owner_id == user_id, and_(Scene.owner_id.is_(None), Scene.is_public))
    found = await db.scalar(
        select(Scene.id)
        .where(mine, or_(Scene.slug == slug(name), func.lower(Scene.name) == name.lower()))
        .order_by(Scene.owner_id)
        .limit(1)
    )
    if found is None:
        raise BadUserInput(scene="There is no such scene.")
    return found


async def _price(db: AsyncSession, ctx: Context, offer: Offer, addons: Sequence[Addon], day: date) -> tuple[Price, int | None]:
    """The price on that day, and the credit that was taken for it."""
    found = await db.execute(
        select(Membership, Plan)
        .join(Plan, Plan.id == Membership.plan_id)
        .where(Membership.user_id == ctx.viewer.id, Membership.status == MembershipStatus.ACTIVE, Membership.ends_on >= day)
    )
    membership, plan = found.first() or (None, None)
    if offer.spa.member_only and plan is None:
        raise Forbidden("Only members may book this service.")
    amounts: list[Decimal] = [each.price for each in addons]

    def price(credits_left: int) -> Price:
        return price_of(
            plan,
            offer.category.slug,
            price=offer.service.price,
            member_price=offer.spa.member_price,
            addons=amounts,
            credits_left=credits_left,
        )

    if membership is not None and plan is not None and price(plan.monthly_service_credits).takes_credit:
        credit = await take_credit(db, membership.id, day.replace(day=1), plan.monthly_service_credits)
        if credit is not None:
            return price(1), credit
    return price(0), None


async def take_credit(db: AsyncSession, membership_id: int, month: date, granted: int) -> int | None:
    """Use one of the month's credits; none when all are used, however many try at once."""
    taken = insert(MembershipCredit).values(membership_id=membership_id, month=month, used=1)
    return await db.scalar(
        taken.on_conflict_do_update(
            index_elements=["membership_id", "month"], set_={"used": MembershipCredit.used + 1}, where=MembershipCredit.used < granted
        ).returning(MembershipCredit.id)
    )


async def _use_hold(db: AsyncSession, ctx: Context, id: Key[Hold], room: Room, begins: datetime) -> None:
    """Give the held time to the booking that follows in the same transaction."""
    hold = await db.scalar(select(Hold).where(id.names(Hold), Hold.user_id == ctx.viewer.id, Hold.expires_at > ctx.now()).with_for_update())
    if hold is None or (hold.room_id, hold.starts_at) != (room.id, begins):
        raise BadUserInput(hold_id="This hold has expired or is for another slot.")
    await db.execute(delete(Reservation).where(Reservation.hold_id == hold.id), execution_options={"synchronize_session": False})
    hold.expires_at = ctx.now()


def slug(name: str) -> str:
    """A name as it stands in addresses: "Swiss Alps" and "swiss_alps" are both swiss-alps."""
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())
