"""Setting the room of an appointment as its guest likes it: at once, or when the appointment is about to begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from errors import ApiError, BadUserInput, Conflict
from gateways.device_messages import Answer
from models.bookings import Appointment, Booking, BookingStatus
from models.keys import Key
from models.preferences import EquipmentSync, Preferences, SyncStatus
from models.rooms import CommandStatus, Device, DeviceAction, DeviceCommand, DeviceType, Scene
from resolvers.appointments import find_scene
from resolvers.bookings import access_appointment
from resolvers.context import Context, Viewer
from resolvers.device_commands import deliver, order_all, record
from resolvers.idempotency import answers
from resolvers.inputs.preferences import EquipmentInput
from resolvers.limits import limit
from resolvers.operations import SIGNED_IN, allow, persistently
from resolvers.rooms import COMMANDS, EARLY
from resolvers.scenes import zones_claimed
from resolvers.turns import turn
from resolvers.wishes import Wishes, check_range, read_wishes, settings_for, standing
from subscriptions.facts import announce
from subscriptions.preferences import EquipmentSynced

HOLDS = (BookingStatus.CONFIRMED, BookingStatus.IN_PROGRESS)
MOST_TRIES, PAUSE = 3, timedelta(seconds=50)
LONGEST_APPOINTMENT = timedelta(days=1)
logger = structlog.get_logger()


@dataclass
class EquipmentResult:
    """What became of the wish for a room."""

    success: bool
    message: str
    sync: EquipmentSync
    failed_devices: list[Device]


@dataclass
class Room:
    """A room that is being set: the orders to its devices, and those that can take none."""

    booking: Booking
    room_id: int
    sync: EquipmentSync
    scene: Scene | None
    commands: list[DeviceCommand]
    failed: list[Device]


@allow(SIGNED_IN)
async def sync_equipment(ctx: Context, *, booking_id: Key[Booking], preferences: EquipmentInput | None = None) -> EquipmentResult:
    """Set the room of an appointment as its guest likes it: now, or once the room is free and the appointment is about to begin."""
    await limit(ctx, "control_device", COMMANDS)
    wished = preferences or EquipmentInput()
    asked = read_wishes({kind: value for kind in DeviceType if (value := getattr(wished, kind)) is not None}, "preferences")
    zones = await _zones(ctx, booking_id.names(Booking))
    async with turn(("equipment", booking_id.number or booking_id.uuid)), zones_claimed(ctx, zones):
        async with ctx.writing() as db:
            booking, appointment = await access_appointment(db, ctx.viewer, booking_id)
            if booking.status not in (*HOLDS, BookingStatus.PENDING) or booking.ends_at <= ctx.now():
                raise Conflict(f"A booking that is {booking.status} or over needs no room.")
            devices = await _devices(db, appointment.room_id)
            check_range(asked, devices, "preferences")
            sync = await _wish(db, booking, asked, await _scene_id(ctx, booking, wished.scene))
            if not await _is_time(db, booking, appointment.room_id, ctx.now()):
                await announce(db, EquipmentSynced(sync, booking.customer_id, appointment.room_id))
                result = EquipmentResult(True, "Your room will be set when your appointment begins", sync, [])
                answers(db, result)
                return result
            room = await _order(db, ctx, booking, appointment, sync, devices)
        return await _follow(ctx, room)


async def prepare_rooms(ctx: Context) -> None:
    """Set the rooms of appointments that are about to begin, as their guests like them; devices that kept silent are asked again."""
    for row in await ctx.fetch(_due(ctx.now())):
        guest = ctx.with_viewer(Viewer(row["customer_id"]))
        try:
            async with zones_claimed(guest, await _zones(guest, Booking.id == row["id"])):
                await _prepare(guest, row["id"])
        except ApiError as refusal:  # one room must not keep the others waiting
            logger.warning("room_not_prepared", booking=row["id"], code=refusal.code)


async def _prepare(ctx: Context, number: int) -> None:
    async with ctx.writing() as db:
        locked = select(Booking, Appointment).join(Appointment, Appointment.booking_id == Booking.id).where(Booking.id == number)
        found = (await db.execute(locked.with_for_update(of=Booking, skip_locked=True))).one_or_none()
        if found is None or found[0].status not in HOLDS or not await _is_time(db, found[0], found[1].room_id, ctx.now()):
            return
        booking, appointment = found
        sync = await db.scalar(select(EquipmentSync).where(EquipmentSync.booking_id == number))
        if sync is None:
            sync = await _wish(db, booking, {}, None)
        elif sync.status is SyncStatus.DONE or sync.tries >= MOST_TRIES or (sync.tried_at and ctx.now() - sync.tried_at < PAUSE):
            return
        room = await _order(db, ctx, booking, appointment, sync, await _devices(db, appointment.room_id))
    await _follow(ctx, room)


async def _order(
    db: AsyncSession, ctx: Context, booking: Booking, appointment: Appointment, sync: EquipmentSync, devices: list[Device]
) -> Room:
    """Store the orders for a room; on a further try, those for devices that did not follow."""
    preferences = await db.scalar(select(Preferences).where(Preferences.user_id == booking.customer_id))
    chosen = sync.scene_id or appointment.scene_id or (preferences and preferences.default_scene_id)
    scene = await db.get(Scene, chosen) if chosen else None
    layers: list[Wishes] = [standing(preferences)] if preferences else []
    if scene is not None:
        layers.append(scene.device_settings)
        if preferences and preferences.scene_config and scene.id == preferences.default_scene_id:
            layers.append(preferences.scene_config)
    layers.append(sync.wishes)
    wanted = [
        (device, settings)
        for device in devices
        if (not sync.missed or device.id in sync.missed) and (settings := settings_for(device, layers))
    ]
    sync.tries, sync.tried_at = sync.tries + 1, ctx.now()
    failed = [device for device, _ in wanted if device.in_maintenance]
    able = [(device, settings) for device, settings in wanted if not device.in_maintenance]
    commands = await order_all(db, ctx, able, DeviceAction.SET_SCENE)
    return Room(booking, appointment.room_id, sync, scene, commands, failed)


async def _follow(ctx: Context, room: Room) -> EquipmentResult:
    """Send the orders, and keep which devices followed."""
    told = await deliver(ctx, room.commands)
    return cast(EquipmentResult, await persistently(lambda: _write_down(ctx, room, told)))


async def _write_down(ctx: Context, room: Room, told: Sequence[Answer | None]) -> EquipmentResult:
    async with ctx.writing() as db:
        known = await record(db, ctx, room.commands, told)
        failed = [*room.failed, *(device for command, device in known if command.status is not CommandStatus.DONE)]
        sync = await db.get_one(EquipmentSync, room.sync.id, with_for_update=True)
        if sync.tried_at == room.sync.tried_at:  # nobody wished for something else meanwhile
            sync.status = SyncStatus.PARTLY if failed else SyncStatus.DONE
            sync.missed = [device.id for device in failed]
            sync.applied_at = ctx.now()
            if room.scene is not None and sync.tries == 1:
                await db.execute(update(Scene).where(Scene.id == room.scene.id).values(usage_count=Scene.usage_count + 1))
            await announce(db, EquipmentSynced(sync, room.booking.customer_id, room.room_id))
        result = EquipmentResult(not failed, _told(failed), sync, failed)
        answers(db, result)
    return result


async def _wish(db: AsyncSession, booking: Booking, asked: Wishes, scene_id: int | None) -> EquipmentSync:
    """Keep what is wished for an appointment, in place of what was wished before."""
    fresh: dict[str, Any] = {
        "scene_id": scene_id,
        "wishes": asked,
        "status": SyncStatus.WAITING,
        "missed": [],
        "tries": 0,
        "tried_at": None,
    }
    kept = insert(EquipmentSync).values(booking_id=booking.id, **fresh)
    returned = kept.on_conflict_do_update(index_elements=["booking_id"], set_=fresh).returning(EquipmentSync)
    return (await db.scalars(returned, execution_options={"populate_existing": True})).one()


async def _scene_id(ctx: Context, booking: Booking, name: str | None) -> int | None:
    """The scene that was asked for, among those that the guest may use."""
    try:
        return await find_scene(ctx, booking.customer_id, name)
    except BadUserInput:
        raise BadUserInput(preferences="There is no such scene.") from None


async def _zones(ctx: Context, which: ColumnElement[bool]) -> list[str]:
    """The zones that are set with the room of an appointment; none for whom it is not there."""
    found = select(Device.zone).distinct().join(Appointment, Appointment.room_id == Device.room_id)
    found = found.join(Booking, Booking.id == Appointment.booking_id).where(which)
    rows = await ctx.fetch(found if ctx.viewer.is_staff else found.where(Booking.customer_id == ctx.viewer.id))
    return [row["zone"] for row in rows]


async def _devices(db: AsyncSession, room_id: int) -> list[Device]:
    return list(await db.scalars(select(Device).where(Device.room_id == room_id).order_by(Device.id)))


async def _is_time(db: AsyncSession, booking: Booking, room_id: int, now: datetime) -> bool:
    """Whether the room may be set: it is nearly time, and the guest before has left."""
    if booking.status not in HOLDS or booking.starts_at > now + EARLY:
        return False
    return not await db.scalar(select(_is_taken(room_id, now, booking.id)))


def _is_taken(room_id: Any, now: datetime, but: Any) -> ColumnElement[bool]:
    """Whether another appointment takes place in a room; room and booking are numbers or columns."""
    other, place = aliased(Booking), aliased(Appointment)
    return exists().where(
        place.room_id == room_id,
        other.id == place.booking_id,
        other.id != but,
        other.status.in_(HOLDS),
        other.starts_at <= now,
        other.starts_at > now - LONGEST_APPOINTMENT,
        other.ends_at > now,
    )


def _due(now: datetime) -> Select[int, int]:
    """Appointments that are about to begin, or have begun, and whose room has still to be set."""
    is_open = and_(EquipmentSync.status != SyncStatus.DONE, EquipmentSync.tries < MOST_TRIES)
    is_liked = and_(EquipmentSync.id.is_(None), or_(Appointment.scene_id.is_not(None), Preferences.id.is_not(None)))
    return (
        select(Booking.id, Booking.customer_id)
        .join(Appointment, Appointment.booking_id == Booking.id)
        .outerjoin(EquipmentSync, EquipmentSync.booking_id == Booking.id)
        .outerjoin(Preferences, Preferences.user_id == Booking.customer_id)
        .where(
            Booking.status.in_(HOLDS),
            Booking.starts_at.between(now - LONGEST_APPOINTMENT, now + EARLY),
            Booking.ends_at > now,
            or_(is_open, is_liked),
            ~_is_taken(Appointment.room_id, now, Booking.id),
        )
        .order_by(Booking.starts_at, Booking.id)
    )


def _told(failed: list[Device]) -> str:
    if not failed:
        return "Your room is set as you like it"
    return f"Your room is set, except for {', '.join(device.name for device in failed)}"
