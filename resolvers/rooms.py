"""Rooms, what can be set in them, and by whom."""

import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound
from gateways.devices import Report
from models.bookings import Appointment, Booking, BookingStatus
from models.identity import User
from models.keys import Key
from models.memberships import Membership, Plan, is_current
from models.rooms import CommandStatus, Device, DeviceAction, DeviceCommand, Room, Scene, SceneType
from models.scheduling import Location
from resolvers.context import Context
from resolvers.device_commands import deliver, order, record
from resolvers.device_settings import asked_for, check_scene, of_scene
from resolvers.idempotency import answers
from resolvers.inputs.rooms import DeviceFilter, SceneInput
from resolvers.inputs.scalars import Json
from resolvers.limits import limit
from resolvers.operations import ANYONE, SIGNED_IN, allow

DeviceId = Key[Device]
SceneId = Key[Scene]
COMMANDS = "120/minute"
"""Enough for a slider under a finger, too few to wear a device out."""
LONGEST_DURATION = 24 * 3600
MOST_SCENES = 100
EARLY = timedelta(minutes=15)
"""Guests may prepare their room this long before the appointment."""


@dataclass
class ControlResult:
    """What became of a command."""

    success: bool
    message: str
    device: Device
    command: DeviceCommand


@dataclass
class SceneActivation:
    """What became of a scene."""

    success: bool
    message: str
    scene: Scene
    failed_devices: list[Device]


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
    async with ctx.writing() as db:
        device = await db.scalar(get_device(ctx, id=id))
        if device is None:
            raise NotFound
        settings = asked_for(device, action, value)
        if device.in_maintenance:
            raise Conflict("This device is out of service.")
        command = await order(db, ctx, device, action, settings, duration_seconds)
    [report] = await deliver(ctx, [command])
    async with ctx.writing() as db:
        command, device = await record(db, ctx, command.id, report)
        result = ControlResult(command.status is CommandStatus.DONE, _told(device, report), device, command)
        answers(db, result)
    return result


@allow(SIGNED_IN)
def get_followed_room(ctx: Context, *, door_number: int) -> Select[Room]:
    """The room with this number on its door, if the viewer may follow its devices: staff any, others where they may set one."""
    found = select(Room).where(Room.number == door_number)
    return found if ctx.viewer.is_staff else found.where(select(Device.id).where(Device.room_id == Room.id, may_set(ctx)).exists())


@allow(SIGNED_IN)
def list_scenes(ctx: Context, *, zone: str | None = None) -> Select[Scene]:
    """Presets of the house, scenes that others share, and the viewer's own."""
    found = select(Scene).where(_may_use(ctx)).order_by(Scene.id)
    return found.where(Scene.zone == zone) if zone is not None else found


@allow(SIGNED_IN)
async def create_scene(ctx: Context, *, input: SceneInput) -> Scene:
    """Keep a scene of one's own."""
    name = input.name.strip()
    if not 0 < len(name) <= 80:
        raise BadUserInput(name="Give a name of at most 80 characters.")
    if len(input.description) > 500:
        raise BadUserInput(description="Give at most 500 characters.")
    async with ctx.writing() as db:
        devices = list(await db.scalars(select(Device).where(Device.zone == input.zone)))
        if not devices:
            raise BadUserInput(zone="There is no such zone.")
        scene = Scene(
            owner_id=ctx.viewer.id,
            name=name,
            slug=await _free_slug(db, ctx.viewer.id, name),
            description=input.description,
            zone=input.zone,
            device_settings=check_scene(input.device_settings, devices),
        )
        db.add(scene)
        await db.flush()
        answers(db, scene)
    return scene


@allow(SIGNED_IN)
async def activate_scene(ctx: Context, *, id: SceneId) -> SceneActivation:
    """Set all devices of a scene's zone that the viewer may set, and tell which did not follow."""
    await limit(ctx, "control_device", COMMANDS)
    async with ctx.writing() as db:
        scene = await db.scalar(select(Scene).where(_may_use(ctx), id.names(Scene)))
        if scene is None:
            raise NotFound
        devices = list(await db.scalars(list_devices(ctx, filter=DeviceFilter(zone=scene.zone))))
        wanted = [(device, settings) for device in devices if (settings := of_scene(scene.device_settings, device))]
        if not wanted:
            raise Conflict("There is no device that you may set in this zone.")
        failed = [device for device, _ in wanted if device.in_maintenance]
        commands = [
            await order(db, ctx, device, DeviceAction.SET_SCENE, settings) for device, settings in wanted if not device.in_maintenance
        ]
    reports = await deliver(ctx, commands)
    async with ctx.writing() as db:
        for command, report in zip(commands, reports, strict=True):
            answered, device = await record(db, ctx, command.id, report)
            if answered.status is not CommandStatus.DONE:
                failed.append(device)
        used = update(Scene).where(Scene.id == scene.id).values(usage_count=Scene.usage_count + 1).returning(Scene)
        scene = await db.scalar(used)
        if scene is None:
            raise NotFound  # its owner deleted it meanwhile
        result = SceneActivation(not failed, _followed(scene, failed), scene, failed)
        answers(db, result)
    return result


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


def _may_use(ctx: Context) -> ColumnElement[bool]:
    return or_(Scene.is_public, Scene.scene_type == SceneType.PRESET, Scene.owner_id == ctx.viewer.id)


async def _free_slug(db: AsyncSession, owner_id: int, name: str) -> str:
    """A slug that none of the owner's scenes bears; Conflict when they have too many scenes."""
    await db.execute(select(User.id).where(User.id == owner_id).with_for_update(key_share=True))  # one new scene at a time
    taken = set(await db.scalars(select(Scene.slug).where(Scene.owner_id == owner_id)))
    if len(taken) >= MOST_SCENES:
        raise Conflict(f"You have {MOST_SCENES} scenes already.")
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "scene"
    return next(each for number in range(1, MOST_SCENES + 2) if (each := slug if number == 1 else f"{slug}-{number}") not in taken)


def _told(device: Device, report: Report | None) -> str:
    if report is None:
        return f"{device.name} did not answer in time"
    if report.refusal:
        return f"{device.name} refused: {report.refusal}"
    return f"{device.device_type.capitalize()} adjusted successfully"


def _followed(scene: Scene, failed: list[Device]) -> str:
    if not failed:
        return f"{scene.name} activated successfully"
    return f"{scene.name} activated, except for {', '.join(device.name for device in failed)}"
