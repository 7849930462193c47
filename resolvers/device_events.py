"""What happens to devices, and who may follow it: whoever may set them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Select, func, select, true

from errors import Forbidden, NotFound
from models.bookings import Booking
from models.keys import Key
from models.rooms import Device, DeviceCommand, Room
from resolvers.context import Context
from resolvers.following import Following
from resolvers.operations import SIGNED_IN, allow
from resolvers.rooms import EARLY, has_device_control, may_set, visits

if TYPE_CHECKING:
    from subscriptions.log import Record


class DeviceEventKind(StrEnum):
    """What happened to a device.

    CHANGED: It is set otherwise than before.
    ONLINE: It can be reached again.
    OFFLINE: It has not been heard of for a while.
    COMMAND_ANSWERED: It has answered a command, or let the time for it pass.
    """

    CHANGED = "device.changed"
    ONLINE = "device.online"
    OFFLINE = "device.offline"
    COMMAND_ANSWERED = "command.answered"


@dataclass
class DeviceEvent:
    """Something that happened to a device."""

    cursor: str
    kind: DeviceEventKind
    at: datetime
    device: Select[Device]
    command: Select[DeviceCommand] | None


@allow(SIGNED_IN)
async def follow_devices(
    ctx: Context, *, device_id: Key[Device] | None = None, room_id: Key[Room] | None = None, zone: str | None = None
) -> Following[DeviceEvent]:
    """What happens to devices that the viewer may set: to one, to those of a room or a zone, or to all of them."""
    has_all = true() if ctx.viewer.is_staff else has_device_control(ctx)
    [[sees_all, first_visit]] = await ctx.fetch(
        select(has_all, visits(ctx).with_only_columns(func.min(Booking.starts_at)).scalar_subquery())
    )
    since = None if sees_all else _real(ctx, first_visit) - EARLY if first_visit else None
    if device_id is None and room_id is None and zone is None and sees_all:
        return Following(frozenset({"devices"}), _shown)
    found = select(Device.id).where(may_set(ctx))
    if device_id is not None:
        found = found.where(device_id.names(Device))
    if room_id is not None:
        found = found.where(Device.room_id == room_id.of(Room))
    if zone is not None:
        found = found.where(Device.zone == zone)
    topics = frozenset(f"device:{row[0]}" for row in await ctx.fetch(found))
    if not topics:
        if device_id is None and room_id is None and zone is None:
            raise Forbidden("You are in no room whose devices you may follow.")
        raise NotFound
    return Following(topics, _shown, since)


def _real(ctx: Context, moment: datetime) -> datetime:
    """A moment of the business clock by the real clock, which dates the events."""
    return moment + (datetime.now(UTC) - ctx.now())


def _shown(ctx: Context, record: "Record") -> DeviceEvent | None:
    if record.kind not in list(DeviceEventKind):
        return None
    kind = DeviceEventKind(record.kind)
    command, device_id = None, record.subject_id
    if kind is DeviceEventKind.COMMAND_ANSWERED:
        device_id = record.data["device_id"]
        answered = select(DeviceCommand).join(Device, Device.id == DeviceCommand.device_id)
        command = answered.where(may_set(ctx), DeviceCommand.id == record.subject_id)
    device = select(Device).where(may_set(ctx), Device.id == device_id)
    return DeviceEvent(str(record.cursor), kind, record.at, device, command)
