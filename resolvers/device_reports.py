"""What devices say by themselves: heartbeats, changes that nobody here asked for, and answers that came too late."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import structlog
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Unavailable
from gateways.device_messages import MOST_SETTINGS, Answer, Farewell, Message, State
from models.refusals import TryAgain
from models.rooms import Device, Heartbeat
from resolvers.claims import give_up, take
from resolvers.context import Context
from resolvers.device_commands import as_told, keep_answers, lock_devices, time_out_commands
from subscriptions.facts import Fact, announce_all
from subscriptions.rooms import DeviceChanged, DeviceOffline, DeviceOnline

CLAIM = "devices"
CLAIM_SECONDS, RENEW_SECONDS, SWEEP_SECONDS = 10, 3, 15
"""How long the process that hears reports is waited for, how often it says that it lives, and how often it looks for the silent."""
FRESH = timedelta(seconds=5)
"""A heartbeat this young is not written again."""
MARGIN_SECONDS = 0.2
"""What is heard so soon after a command was stored counts as said before it; what the command itself brought about, the answer tells."""
MOST_ANSWERS = 1000
"""Late answers that are kept while the database is away."""
logger = structlog.get_logger()

# What was heard before a command was given does not undo what the command has changed meanwhile.
KEEP_STATES = (
    text("""
UPDATE devices SET state = devices.state || news.settings
FROM (
  SELECT said.device_id, jsonb_object_agg(part.key, part.value) AS settings
  FROM jsonb_to_recordset(:said) AS said(device_id bigint, settings jsonb, age float8), jsonb_each(said.settings) part
  WHERE NOT EXISTS (
    SELECT FROM device_commands command
    WHERE command.device_id = said.device_id AND command.created_at > clock_timestamp() - said.age * interval '1 second'
      AND command.status IN ('sent', 'done') AND command.value ? part.key
  )
  GROUP BY said.device_id
) news
WHERE devices.id = news.device_id AND NOT devices.state @> news.settings
  AND (SELECT count(*) FROM jsonb_object_keys(devices.state || news.settings)) <= :most
RETURNING devices.id, room_id, state
""")
    .bindparams(bindparam("said", type_=JSONB))
    .columns(Device.id, Device.room_id, Device.state)
)
"""Answers with what is announced, and not with whole rows, which would take ten times as long to build."""

MISSED = text("SELECT device_id FROM device_heartbeats WHERE device_id = ANY(:ids) AND is_missed ORDER BY id FOR UPDATE")
KEEP_BEATS = text("""
INSERT INTO device_heartbeats AS beat (device_id, seen_at, good_until, is_missed)
SELECT id, now(), now() + CAST(:patience AS interval), false FROM devices WHERE id = ANY(:ids) ORDER BY id
ON CONFLICT (device_id) DO UPDATE SET seen_at = excluded.seen_at, good_until = excluded.good_until, is_missed = false
WHERE beat.is_missed OR beat.seen_at < now() - CAST(:fresh AS interval)
RETURNING device_id, xmax = 0
""")
"""xmax is 0 in a row that was not there before."""


@dataclass
class Heard:
    """The newest word of each device since the last time it was written down."""

    states: dict[int, list[State]] = field(default_factory=dict)
    """Of each, in the order in which they were heard; a setting stands only in the last one that names it."""
    alive: dict[int, bool] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)

    @classmethod
    def of(cls, messages: Iterable[Message]) -> "Heard":
        """What some messages say."""
        heard = cls()
        heard.add(messages)
        return heard

    def add(self, messages: Iterable[Message]) -> None:
        """Hear more; of each device the last word counts."""
        for message in messages:
            if isinstance(message, Answer):
                self.answers.append(message)
            else:
                if isinstance(message, State):
                    self._change(message)
                if not isinstance(message, State) or not message.is_remembered:
                    self.alive[message.device_id] = not isinstance(message, Farewell)
        del self.answers[:-MOST_ANSWERS]

    def _change(self, state: State) -> None:
        earlier = self.states.get(state.device_id, ())
        for each in earlier:
            for name in each.settings.keys() & state.settings.keys():
                del each.settings[name]
        self.states[state.device_id] = [*(each for each in earlier if each.settings), state]

    @property
    def devices(self) -> set[int]:
        """Of which devices something was heard."""
        return {*self.states, *self.alive, *(each.device_id for each in self.answers)}


async def keep_reports(ctx: Context, heard: Heard) -> None:
    """Write down what was heard in one short transaction, with as many statements for one device as for a thousand."""
    beats = sorted(number for number, is_alive in heard.alive.items() if is_alive)
    async with ctx.writing() as db:
        await lock_devices(db, {*heard.states, *(each.device_id for each in heard.answers)})
        facts: list[Fact] = [
            *await _changed(db, [each for states in heard.states.values() for each in states]),
            *await _back(db, ctx, beats),
            *await _gone(db, heard.alive.keys() - set(beats)),
        ]
        await announce_all(db, facts)
        await keep_answers(db, ctx, [as_told(each) for each in heard.answers])


async def _changed(db: AsyncSession, states: Collection[State]) -> list[Fact]:
    if not states:
        return []
    now = time.monotonic() + MARGIN_SECONDS
    said = [{"device_id": each.device_id, "settings": each.settings, "age": now - each.at} for each in states]
    kept = await db.execute(KEEP_STATES, {"said": said, "most": MOST_SETTINGS})
    return [DeviceChanged(each) for each in kept]


async def _back(db: AsyncSession, ctx: Context, beats: list[int]) -> list[Fact]:
    if not beats:
        return []
    back = set(await db.scalars(MISSED, {"ids": beats}))
    patience = timedelta(seconds=ctx.settings.device_offline_after)
    kept = await db.execute(KEEP_BEATS, {"ids": beats, "patience": patience, "fresh": FRESH})
    back |= {number for number, is_new in kept if is_new}
    return [DeviceOnline(each) for each in await _in_service(db, back)]


async def _gone(db: AsyncSession, farewells: Collection[int]) -> list[Fact]:
    if not farewells:
        return []
    gone = update(Heartbeat).where(Heartbeat.device_id.in_(farewells), ~Heartbeat.is_missed)
    lost = await db.scalars(gone.values(is_missed=True, good_until=func.now()).returning(Heartbeat.device_id))
    return [DeviceOffline(each) for each in await _in_service(db, lost.all())]


async def _in_service(db: AsyncSession, numbers: Collection[int]) -> Iterable[Device]:
    if not numbers:
        return []
    return await db.scalars(select(Device).where(Device.id.in_(numbers), ~Device.in_maintenance).order_by(Device.id))


async def miss_devices(ctx: Context) -> None:
    """Announce the devices that have become silent."""
    async with ctx.writing() as db:
        silent = update(Heartbeat).where(~Heartbeat.is_missed, Heartbeat.good_until < func.now()).values(is_missed=True)
        lost = (await db.scalars(silent.returning(Heartbeat.device_id))).all()
        await announce_all(db, [DeviceOffline(each) for each in await _in_service(db, lost)])


async def hear_devices(ctx: Context) -> None:
    """Keep what devices say, for as long as the process serves."""
    devices, heard = ctx.gateways.devices, Heard()
    if devices is None:
        return
    while True:
        heard.add(await devices.heard(ctx.settings.device_report_seconds))
        try:
            await keep_reports(ctx, heard)
        except (Unavailable, TryAgain):
            logger.warning("device_reports_wait_for_the_database", devices=len(heard.devices))
            continue  # they are kept with the next ones
        except Exception:  # whatever a device has said, the others are heard on
            logger.exception("device_reports_dropped", devices=sorted(heard.devices)[:20])
        heard = Heard()


async def lead_devices(ctx: Context) -> None:
    """Be the one process that hears reports and notices silence, or wait to become it.

    Should two overlap for a moment, nothing is announced twice, as an event is written only with the change that it tells of.
    """
    devices = ctx.gateways.devices
    if devices is None:
        return
    holder, began, swept, leads = uuid4(), 0.0, 0.0, False
    try:
        while True:
            was_leading, now = leads, time.monotonic()
            try:
                leads = await take(ctx.database, CLAIM, holder, CLAIM_SECONDS)
                if leads and not was_leading:
                    began = now
                # Nobody is called silent before they could speak to this process.
                if leads and now - began > ctx.settings.device_offline_after and now - swept > SWEEP_SECONDS:
                    swept = now
                    await miss_devices(ctx)
                    await time_out_commands(ctx)
            except (Unavailable, TryAgain):
                logger.warning("silent_devices_are_looked_for_later")
            await devices.hear_reports(leads)
            await asyncio.sleep(RENEW_SECONDS)
    finally:
        with contextlib.suppress(Unavailable):
            await give_up(ctx.database, CLAIM, holder)
