"""Devices come into the house, and out of service: what staff say of them."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, NotFound
from models.identity import Role
from models.keys import Key
from models.rooms import Device, DeviceType, Heartbeat, Room
from resolvers.context import Context
from resolvers.device_settings import WORD
from resolvers.idempotency import answers
from resolvers.inputs.rooms import DeviceInput, DevicePatch
from resolvers.operations import allow
from subscriptions.facts import announce
from subscriptions.rooms import DeviceOffline, DeviceOnline

LONGEST_NAME = 80
GREATEST_VALUE = 1_000_000
USUAL = {DeviceType.TEMPERATURE: (60, 85, 72), DeviceType.SCENT: (0, 10, 3)}
"""Smallest, largest and first value where it is not told; the temperature is in degrees Fahrenheit."""


@allow(Role.SUPER_ADMIN, Role.ADMIN)
async def create_device(ctx: Context, *, input: DeviceInput) -> Device:
    """Register a device, whose number then stands in its topics at the broker."""
    low, high, first = USUAL.get(input.device_type, (0, 100, 50))
    low = low if input.min_value is None else input.min_value
    high = high if input.max_value is None else input.max_value
    async with ctx.writing() as db:
        device = Device(
            name=_name(input.name),
            device_type=input.device_type,
            zone=_zone(input.zone),
            room_id=await _room(db, input.room_id),
            state={},
            min_value=low,
            max_value=high,
            default_value=min(max(first, low), high) if input.default_value is None else input.default_value,
        )
        _check_values(device)
        db.add(device)
        await db.flush()
        answers(db, device)
    return device


@allow(Role.SUPER_ADMIN, Role.ADMIN)
async def update_device(ctx: Context, *, id: Key[Device], input: DevicePatch) -> Device:
    """Rename or move a device, change its limits, or take it out of service for a while."""
    async with ctx.writing() as db:
        device = await db.scalar(select(Device).where(id.names(Device)).with_for_update(key_share=True))
        if device is None:
            raise NotFound
        if input.name is not None:
            device.name = _name(input.name)
        if input.zone is not None:
            device.zone = _zone(input.zone)
        if input.room_id is not None:
            device.room_id = await _room(db, input.room_id)
        for field in ("min_value", "max_value", "default_value"):
            if (value := getattr(input, field)) is not None:
                setattr(device, field, value)
        _check_values(device)
        if input.in_maintenance not in (None, device.in_maintenance):
            await _serve(db, device, is_in_service=device.in_maintenance)
        await db.flush()
        answers(db, device)
    return device


async def _serve(db: AsyncSession, device: Device, *, is_in_service: bool) -> None:
    """Take a device out of service or back; whoever follows a living one hears of it."""
    device.in_maintenance = not is_in_service
    is_alive = select(Heartbeat.id).where(Heartbeat.device_id == device.id, Heartbeat.good_until > func.now(), ~Heartbeat.is_missed)
    if await db.scalar(is_alive) is not None:
        await announce(db, DeviceOnline(device) if is_in_service else DeviceOffline(device))


def _check_values(device: Device) -> None:
    if not -GREATEST_VALUE <= device.min_value <= device.max_value <= GREATEST_VALUE:
        raise BadUserInput(max_value="The largest value is not below the smallest one.")
    if not device.min_value <= device.default_value <= device.max_value:
        raise BadUserInput(default_value=f"Give a number from {device.min_value} to {device.max_value}.")


def _name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadUserInput(name=f"Give a name of at most {LONGEST_NAME} characters.")
    return name


def _zone(text: str) -> str:
    if not WORD.fullmatch(text):
        raise BadUserInput(zone="Give a name of at most 40 letters and digits, such as mensuite_main.")
    return text


async def _room(db: AsyncSession, id: str | None) -> int | None:
    """The number of the room that is meant, if any."""
    if id is None:
        return None
    key: Key[Room] = Key.parse(id, "room_id")
    number = await db.scalar(select(Room.id).where(key.names(Room)))
    if number is None:
        raise BadUserInput(room_id="There is no such room.")
    return number
