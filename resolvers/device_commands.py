"""What becomes of a command to a device: stored, sent, answered or timed out, and perhaps reverted."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Unavailable
from gateways.device_messages import Answer, Command
from gateways.devices import Devices
from jobs.queue import enqueue
from models.rooms import CommandStatus, Device, DeviceAction, DeviceCommand
from resolvers.context import Context
from resolvers.operations import persistently
from subscriptions.facts import Fact, announce_all
from subscriptions.rooms import CommandAnswered, DeviceChanged

GRACE = timedelta(seconds=10)
"""So long after the time-out a command may still wait for the process that sent it to write down what became of it."""

LOCK = text("SELECT id FROM devices WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")

# Only the first word about a command counts, whichever process it comes from.
ANSWER = text("""
UPDATE device_commands SET
  status = told.status, answered_at = CASE told.status WHEN 'timed_out' THEN NULL ELSE CAST(:now AS timestamptz) END
FROM jsonb_to_recordset(:told) AS told(uuid uuid, device_id bigint, status text)
WHERE device_commands.uuid = told.uuid AND device_commands.device_id = told.device_id AND device_commands.status = 'sent'
RETURNING device_commands.*
""").bindparams(bindparam("told", type_=JSONB))

# What a later command has set already is not set back by the late word about an earlier one.
OBEY = text("""
UPDATE devices SET state = devices.state || news.settings
FROM (
  SELECT command.device_id, jsonb_object_agg(part.key, part.value) AS settings
  FROM device_commands command JOIN jsonb_to_recordset(:told) AS told(uuid uuid, settings jsonb) ON told.uuid = command.uuid,
    jsonb_each(told.settings) part
  WHERE command.id = ANY(:commands) AND NOT EXISTS (
    SELECT FROM device_commands later
    WHERE later.device_id = command.device_id AND later.created_at >= command.created_at AND later.id > command.id
      AND later.status = 'done' AND later.value ? part.key
  )
  GROUP BY command.device_id
) news
WHERE devices.id = news.device_id
RETURNING devices.*
""").bindparams(bindparam("told", type_=JSONB))

# The value to go back to is the one before the first of several changes that are all meant to pass.
PASSING = text("""
SELECT DISTINCT ON (name) name, value, previous_state, duration_seconds
FROM device_commands, jsonb_object_keys(value) AS name
WHERE device_id = :device_id AND status = 'done' AND created_at > now() - interval '2 days' AND name = ANY(:names)
ORDER BY name, id DESC
""")


def reachable(ctx: Context) -> Devices:
    """The line to the devices; Unavailable where the house has none."""
    if ctx.gateways.devices is None:
        raise Unavailable("No broker for devices is configured.")
    return ctx.gateways.devices


async def order(
    db: AsyncSession, ctx: Context, device: Device, action: DeviceAction, settings: dict[str, Any], duration_seconds: int | None = None
) -> DeviceCommand:
    """Store a command; with a duration, also the job that takes it back."""
    [command] = await order_all(db, ctx, [(device, settings)], action, duration_seconds)
    return command


async def order_all(
    db: AsyncSession,
    ctx: Context,
    wanted: Sequence[tuple[Device, dict[str, Any]]],
    action: DeviceAction,
    duration_seconds: int | None = None,
) -> list[DeviceCommand]:
    """Store commands to several devices with one statement; with a duration, also the jobs that take them back."""
    commands = [
        DeviceCommand(
            device_id=device.id,
            user_id=ctx.viewer.user_id,
            action=action,
            value=settings,
            duration_seconds=duration_seconds,
            previous_state=device.state if duration_seconds is None else await _lasting(db, device, settings),
        )
        for device, settings in wanted
    ]
    db.add_all(commands)
    await db.flush()
    if duration_seconds is not None:
        for command in commands:
            await enqueue(db, "revert_device", {"command_id": command.id}, after=timedelta(seconds=duration_seconds))
    return commands


async def _lasting(db: AsyncSession, device: Device, settings: dict[str, Any]) -> dict[str, Any]:
    """The state that a device has apart from changes that will pass."""
    found = await db.execute(PASSING, {"device_id": device.id, "names": list(settings)})
    passing = {
        name: previous[name]
        for name, value, previous, duration_seconds in found
        if duration_seconds is not None and name in previous and device.state.get(name) == value[name]
    }
    return {**device.state, **passing}


async def deliver(ctx: Context, commands: Sequence[DeviceCommand]) -> list[Answer | None]:
    """Send stored commands, all at once, and wait for the answers; nothing stands for a device that kept silent."""
    devices, seconds = reachable(ctx), ctx.settings.device_timeout
    sent = (devices.send(Command(each.uuid, each.device_id, each.value, each.id), seconds) for each in commands)
    return list(await asyncio.gather(*sent))


async def record(
    db: AsyncSession, ctx: Context, commands: Sequence[DeviceCommand], told: Sequence[Answer | None]
) -> list[tuple[DeviceCommand, Device]]:
    """Keep and announce what devices answered, unless another process heard it first; returns each command and its device as they are."""
    await lock_devices(db, {each.device_id for each in commands})
    await keep_answers(db, ctx, [_kept(each.uuid, each.device_id, answer) for each, answer in zip(commands, told, strict=True)])
    ids = [each.id for each in commands]
    known = select(DeviceCommand, Device).join(Device, Device.id == DeviceCommand.device_id).where(DeviceCommand.id.in_(ids))
    by_id = {command.id: (command, device) for command, device in await db.execute(known)}
    return [by_id[each] for each in ids]


async def lock_devices(db: AsyncSession, numbers: Collection[int]) -> None:
    """Let nobody else write down anything of these devices; what others wrote before is seen by the statements that follow."""
    if numbers:
        await db.execute(LOCK, {"ids": list(numbers)})


async def keep_answers(db: AsyncSession, ctx: Context, answers: Sequence[dict[str, Any]]) -> None:
    """Write down and announce what became of commands that nobody knew the end of yet, in a few statements however many they are.

    The devices are locked already.
    """
    if not answers:
        return
    answered = select(DeviceCommand).from_statement(ANSWER).execution_options(populate_existing=True)
    moved = list(await db.scalars(answered, {"told": list(answers), "now": ctx.now()}))
    done = [each.id for each in moved if each.status is CommandStatus.DONE]
    obeyed: dict[int, Device] = {}
    if done:
        changed = select(Device).from_statement(OBEY).execution_options(populate_existing=True)
        obeyed = {each.id: each for each in await db.scalars(changed, {"commands": done, "told": list(answers)})}
    unchanged = {each.device_id for each in moved} - set(obeyed)
    devices = obeyed | ({each.id: each for each in await db.scalars(select(Device).where(Device.id.in_(unchanged)))} if unchanged else {})
    facts: list[Fact] = []
    for command in sorted(moved, key=lambda each: each.id):
        device = devices[command.device_id]
        if command.status is CommandStatus.DONE:
            facts.append(DeviceChanged(device))
        facts.append(CommandAnswered(command, device))
    await announce_all(db, facts)


def as_told(answer: Answer) -> dict[str, Any]:
    """An answer as `keep_answers` takes it."""
    return _kept(answer.command_id, answer.device_id, answer)


def _kept(command: UUID, device_id: int, answer: Answer | None) -> dict[str, Any]:
    status = CommandStatus.TIMED_OUT if answer is None else CommandStatus.REFUSED if answer.refusal else CommandStatus.DONE
    return {"uuid": str(command), "device_id": device_id, "status": status, "settings": answer.settings if answer else {}}


async def time_out_commands(ctx: Context) -> None:
    """Write down as unanswered what a process sent that died before it knew the end."""
    async with ctx.writing() as db:
        long_ago = func.now() - timedelta(seconds=ctx.settings.device_timeout) - GRACE
        forgotten = select(DeviceCommand.id).where(DeviceCommand.status == CommandStatus.SENT, DeviceCommand.created_at < long_ago)
        which = forgotten.order_by(DeviceCommand.id).with_for_update(skip_locked=True)
        moved = update(DeviceCommand).where(DeviceCommand.id.in_(which)).values(status=CommandStatus.TIMED_OUT).returning(DeviceCommand)
        commands = list(await db.scalars(moved, execution_options={"synchronize_session": False}))
        if not commands:
            return
        found = await db.scalars(select(Device).where(Device.id.in_({each.device_id for each in commands})))
        devices = {each.id: each for each in found}
        await announce_all(db, (CommandAnswered(each, devices[each.device_id]) for each in commands))


async def revert_device(ctx: Context, command_id: int) -> None:
    """Take back what a command with a duration changed; raises Unavailable while the device keeps silent."""
    async with ctx.writing() as db:
        command = await db.get_one(DeviceCommand, command_id)
        device = await db.get_one(Device, command.device_id)
        settings = await _still_in_force(db, command, device)
        if not settings:
            return
        back = await order(db, ctx, device, DeviceAction.REVERT, settings)
    told = await deliver(ctx, [back])

    async def finish() -> None:
        async with ctx.writing() as db:
            await record(db, ctx, [back], told)

    await persistently(finish)
    if told == [None]:
        raise Unavailable(f"{device.name} did not answer.")


async def _still_in_force(db: AsyncSession, command: DeviceCommand, device: Device) -> dict[str, Any]:
    """The former values of what the command changed and no newer command has; raises Unavailable while that is not known."""
    later = select(DeviceCommand.value, DeviceCommand.status).where(
        DeviceCommand.device_id == device.id,
        DeviceCommand.created_at >= command.created_at,
        DeviceCommand.id > command.id,
        DeviceCommand.status.in_([CommandStatus.DONE, CommandStatus.SENT]),
    )
    settled: set[str] = set()
    for value, status in await db.execute(later):
        if status is CommandStatus.SENT and value.keys() & command.value.keys():
            raise Unavailable(f"{device.name} has not answered a newer command yet.")
        settled |= value.keys()
    return {
        name: command.previous_state[name]
        for name, value in command.value.items()
        if name not in settled and name in command.previous_state and device.state.get(name) == value != command.previous_state[name]
    }
