"""What devices say by themselves: heartbeats, and changes that nobody here asked for."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from errors import Unavailable
from gateways.devices import Beat, Report
from models.refusals import TryAgain
from models.rooms import Device, Heartbeat
from resolvers.context import Context
from subscriptions.facts import announce
from subscriptions.rooms import DeviceChanged, DeviceOffline, DeviceOnline

SWEEP_SECONDS = 15
FRESH = timedelta(seconds=5)
"""A heartbeat this young is not written again, however many processes hear it."""
logger = structlog.get_logger()


async def keep_reports(ctx: Context, changes: Mapping[int, Mapping[str, Any]], beats: Collection[int]) -> None:
    """Write the newest word of each device, in one short transaction."""
    async with ctx.writing() as db:
        due = select(Device.id).where(Device.id.in_({*beats, *changes})).order_by(Device.id)
        alive = list(await db.scalars(due))
        missed = await db.scalars(
            select(Heartbeat.device_id).where(Heartbeat.device_id.in_(alive), Heartbeat.is_missed).order_by(Heartbeat.id).with_for_update()
        )
        back = list(missed)
        if alive:
            fresh = {"seen_at": func.now(), "good_until": func.now() + _patience(ctx), "is_missed": False}
            await db.execute(
                insert(Heartbeat)
                .values([{"device_id": each, **fresh} for each in alive])
                .on_conflict_do_update(
                    index_elements=["device_id"], set_=fresh, where=or_(Heartbeat.is_missed, Heartbeat.seen_at < func.now() - FRESH)
                )
            )
        touched = {*back, *changes}
        devices = await db.scalars(select(Device).where(Device.id.in_(touched)).order_by(Device.id).with_for_update(key_share=True))
        for device in devices:
            state = {**device.state, **changes.get(device.id, {})}
            if state != device.state:
                device.state = state
                await announce(db, DeviceChanged(device))
            if device.id in back:
                await announce(db, DeviceOnline(device))


async def miss_devices(ctx: Context) -> None:
    """Announce the devices that have become silent."""
    async with ctx.writing() as db:
        silent = update(Heartbeat).where(~Heartbeat.is_missed, Heartbeat.good_until < func.now()).values(is_missed=True)
        lost = list(await db.scalars(silent.returning(Heartbeat.device_id)))
        for device in await db.scalars(select(Device).where(Device.id.in_(lost), ~Device.in_maintenance).order_by(Device.id)):
            await announce(db, DeviceOffline(device))


def _patience(ctx: Context) -> timedelta:
    return timedelta(seconds=ctx.settings.device_offline_after)


async def hear_devices(ctx: Context) -> None:
    """Keep what devices say, for as long as the process serves."""
    devices = ctx.gateways.devices
    if devices is None:
        return
    changes: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    beats: set[int] = set()
    while True:
        for message in await devices.heard():
            if isinstance(message, Beat):
                beats.add(message.device_id)
            elif isinstance(message, Report) and not message.refusal:
                changes[message.device_id] |= message.settings
        try:
            await keep_reports(ctx, changes, beats)
        except (Unavailable, TryAgain):
            logger.warning("device reports wait for the database", devices=len({*changes, *beats}))
            continue  # they are kept with the next ones
        changes.clear()
        beats.clear()


async def watch_devices(ctx: Context) -> None:
    """Notice which devices say nothing, for as long as the process serves."""
    # After a pause of the server nobody is called silent before they could speak.
    await asyncio.sleep(ctx.settings.device_offline_after)
    while True:
        try:
            await miss_devices(ctx)
        except (Unavailable, TryAgain):
            logger.warning("silent devices are looked for later")
        await asyncio.sleep(SWEEP_SECONDS)
