"""What becomes of a command to a device: stored, sent, answered, and perhaps reverted."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Unavailable
from gateways.devices import Command, Report
from jobs.queue import enqueue
from models.rooms import COMMAND_MOVES, CommandStatus, Device, DeviceAction, DeviceCommand
from resolvers.context import Context
from resolvers.moves import move
from subscriptions.facts import announce
from subscriptions.rooms import CommandAnswered, DeviceChanged


async def order(
    db: AsyncSession, ctx: Context, device: Device, action: DeviceAction, settings: dict[str, Any], duration_seconds: int | None = None
) -> DeviceCommand:
    """Store a command; with a duration, also the job that takes it back."""
    command = DeviceCommand(
        device_id=device.id,
        user_id=ctx.viewer.user_id,
        action=action,
        value=settings,
        duration_seconds=duration_seconds,
        previous_state=device.state,
    )
    db.add(command)
    await db.flush()
    if duration_seconds is not None:
        await enqueue(db, "revert_device", {"command_id": command.id}, after=timedelta(seconds=duration_seconds))
    return command


async def deliver(ctx: Context, commands: Sequence[DeviceCommand]) -> list[Report | None]:
    """Send stored commands, all at once, and wait for the answers; nothing stands for a device that kept silent."""
    devices = ctx.gateways.devices
    if devices is None:
        raise Unavailable("No gateway to devices is set up.")
    sent = (devices.send(Command(each.uuid, each.device_id, each.value), ctx.settings.device_timeout) for each in commands)
    return list(await asyncio.gather(*sent))


async def record(db: AsyncSession, ctx: Context, command_id: int, report: Report | None) -> tuple[DeviceCommand, Device]:
    """Keep what a device answered, and announce it."""
    command = await db.get_one(DeviceCommand, command_id)
    device = await db.get_one(Device, command.device_id, with_for_update={"key_share": True})
    if report is None:
        await move(db, command, CommandStatus.TIMED_OUT, COMMAND_MOVES)
    else:
        await move(db, command, CommandStatus.REFUSED if report.refusal else CommandStatus.DONE, COMMAND_MOVES)
        command.answered_at = ctx.now()
        if not report.refusal:
            device.state = {**device.state, **report.settings}
            await announce(db, DeviceChanged(device))
    await announce(db, CommandAnswered(command, device))
    return command, device


async def revert_device(ctx: Context, command_id: int) -> None:
    """Take back what a command with a duration changed; raises Unavailable while the device keeps silent."""
    async with ctx.writing() as db:
        command = await db.get_one(DeviceCommand, command_id)
        device = await db.get_one(Device, command.device_id)
        settings = await _still_in_force(db, command, device)
        if not settings:
            return
        back = await order(db, ctx, device, DeviceAction.REVERT, settings)
    [report] = await deliver(ctx, [back])
    async with ctx.writing() as db:
        await record(db, ctx, back.id, report)
    if report is None:
        raise Unavailable(f"{device.name} did not answer.")


async def _still_in_force(db: AsyncSession, command: DeviceCommand, device: Device) -> dict[str, Any]:
    """The former values of what the command changed and nobody has set for good since."""
    later = await db.scalars(
        select(DeviceCommand.value).where(
            DeviceCommand.device_id == device.id,
            DeviceCommand.id > command.id,
            DeviceCommand.status == CommandStatus.DONE,
            DeviceCommand.duration_seconds.is_(None),
            DeviceCommand.action != DeviceAction.REVERT,
        )
    )
    settled = {name for value in later for name in value}
    return {
        name: command.previous_state[name]
        for name, value in command.value.items()
        if name not in settled and name in command.previous_state and device.state.get(name) == value != command.previous_state[name]
    }
