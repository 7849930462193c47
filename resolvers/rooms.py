"""Rooms, what can be set in them, and by whom."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import ColumnElement, Select, or_, select, true

from errors import BadUserInput, Conflict, NotFound
from gateways.device_messages import Answer
from models.bookings import Appointment, Booking, BookingStatus
from models.keys import Key
from models.memberships import Membership, Plan, is_current
from models.rooms import CommandStatus, Device, DeviceAction, DeviceCommand, Room
from models.scheduling import Location
from resolvers.context import Context
from resolvers.device_commands import deliver, order, reachable, record
from resolvers.device_settings import asked_for
from resolvers.idempotency import answers
from resolvers.inputs.rooms import DeviceFilter
from resolvers.inputs.scalars import Json
from resolvers.limits import limit
from resolvers.operations import ANYONE, SIGNED_IN, allow, persistently

DeviceId = Key[Device]
COMMANDS = "120/minute"
"""Enough for a slider under a finger, too few to wear a device out."""
LONGEST_DURATION = 24 * 3600
EARLY = timedelta(minutes=15)
"""Guests may prepare their room this long before the appointment."""


@dataclass
class ControlResult:
    """What became of a command."""

    success: bool
    message: str
    device: Device
    command: DeviceCommand


@allow(ANYONE)
def list_rooms(ctx: Context, *, location_id: Key[Location] | None = None) -> Select[Room]:
    """Rooms that can be booked, by the number on the door."""
    found = select(Room).where(Room.is_active).order_by(Room.number)
    return found.where(Room.location_id == location_id.of(Location)) if location_id else found


@allow(SIGNED_IN)
def list_devices(ctx: Context, *, filter: DeviceFilter | None = None) -> Select[Device]:
    """Devices that the viewer may set: staff and members with device control all, a guest those of the room they are in."""
    found = select(Device).where(may_set(ctx)).order_by(Device.id)
    if filter is None:
        return found
    if filter.zone is not None:
        found = found.where(Device.zone == filter.zone)
    if filter.device_type is not None:
        found = found.where(Device.device_type == filter.device_type)
    if filter.room_id is not None:
        room: Key[Room] = Key.parse(filter.room_id, "room_id")
        found = found.where(Device.room_id == room.of(Room))
    return found


@allow(SIGNED_IN)
def get_device(ctx: Context, *, id: DeviceId) -> Select[Device]:
    """One device that the viewer may set."""
    return select(Device).where(may_set(ctx), id.names(Device))


@allow(SIGNED_IN)
async def control_device(
    ctx: Context, *, id: DeviceId, action: DeviceAction, value: Json | None = None, duration_seconds: int | None = None
) -> ControlResult:
    """Set a device and wait for its answer; with a duration the change is reverted afterwards."""
    await limit(ctx, "control_device", COMMANDS)
    if duration_seconds is not None and not 0 < duration_seconds <= LONGEST_DURATION:
        raise BadUserInput(duration_seconds=f"Give 1 to {LONGEST_DURATION} seconds.")
    reachable(ctx)
    async with ctx.writing() as db:
        device = await db.scalar(get_device(ctx, id=id))
        if device is None:
            raise NotFound
        settings = asked_for(device, action, value)
        if device.in_maintenance:
            raise Conflict("This device is out of service.")
        command = await order(db, ctx, device, action, settings, duration_seconds)
    told = await deliver(ctx, [command])

    async def finish() -> ControlResult:
        async with ctx.writing() as db:
            [(answered, device)] = await record(db, ctx, [command], told)
            result = ControlResult(answered.status is CommandStatus.DONE, _told(device, answered, told[0]), device, answered)
            answers(db, result)
        return result

    return cast(ControlResult, await persistently(finish))


@allow(SIGNED_IN)
def get_followed_room(ctx: Context, *, door_number: int) -> Select[Room]:
    """The room with this number on its door, if the viewer may follow its devices: staff any, others where they may set one."""
    found = select(Room).where(Room.number == door_number)
    return found if ctx.viewer.is_staff else found.where(select(Device.id).where(Device.room_id == Room.id, may_set(ctx)).exists())


def may_set(ctx: Context) -> ColumnElement[bool]:
    """The condition on devices that the viewer may set now."""
    if ctx.viewer.is_staff:
        return true()
    return or_(has_device_control(ctx), Device.room_id.in_(visits(ctx).with_only_columns(Appointment.room_id)))


def has_device_control(ctx: Context) -> ColumnElement[bool]:
    """Whether the viewer's membership lets them set every device."""
    membership = (
        select(Membership.id)
        .join(Plan, Plan.id == Membership.plan_id)
        .where(Membership.user_id == ctx.viewer.id, is_current(Membership, ctx.moment()), Plan.iot_control_access)
    )
    return membership.exists()


def visits(ctx: Context) -> Select[Booking]:
    """The viewer's appointments that take place now, or will in a moment."""
    now = ctx.now()
    return (
        select(Booking)
        .join(Appointment, Appointment.booking_id == Booking.id)
        .where(
            Booking.customer_id == ctx.viewer.id,
            Booking.status.in_([BookingStatus.CONFIRMED, BookingStatus.IN_PROGRESS]),
            Booking.starts_at <= now + EARLY,
            Booking.ends_at > now,
        )
    )


def _told(device: Device, command: DeviceCommand, answer: Answer | None) -> str:
    if command.status is CommandStatus.TIMED_OUT:
        return f"{device.name} did not answer in time"
    if command.status is CommandStatus.REFUSED:
        return f"{device.name} refused: {answer.refusal}" if answer else f"{device.name} refused"
    return f"{device.device_type.capitalize()} adjusted successfully"
