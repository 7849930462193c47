"""The business clock of a demo server: moved by one process, followed by all."""

import asyncio
from datetime import timedelta
from typing import NoReturn

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

import clock
from errors import Unavailable
from models.database import Database
from models.demo import DemoNote

NAME = "clock"
# The queue knows only the real time, so what is due later by the business clock is brought forward.
JOBS_COME_SOONER = text("UPDATE pgqueuer SET execute_after = execute_after - make_interval(secs => :seconds) WHERE status = 'queued'")
LOOK_SECONDS = 0.5
LONGEST_LEAP = timedelta(days=3660).total_seconds()


async def read_clock(database: Database) -> float:
    """Let this process's clock run as far ahead as the database says; returns how many seconds that is."""
    ahead = await _ahead(database)
    clock.set_ahead(ahead)
    return ahead


async def move_clock(database: Database, seconds: float | None) -> float:
    """Move the clock ahead by some seconds, or back to the real time, and waiting jobs with it; returns how far ahead it is then."""
    async with database.sessions.begin() as db:
        note = await db.scalar(select(DemoNote).where(DemoNote.name == NAME).with_for_update())
        before = float(note.value["ahead_seconds"]) if note else 0.0
        after = 0.0 if seconds is None else before + seconds
        made = insert(DemoNote).values(name=NAME, value={"ahead_seconds": after})
        await db.execute(made.on_conflict_do_update(index_elements=["name"], set_={"value": made.excluded.value}))
        await db.execute(JOBS_COME_SOONER, {"seconds": after - before})
    clock.set_ahead(after)
    return after


async def follow_clock(database: Database) -> NoReturn:
    """Keep this process's clock where the database says, for as long as it serves."""
    known = 0.0
    while True:
        try:
            if (ahead := await _ahead(database)) != known:
                clock.set_ahead(known := ahead)
        except Unavailable:
            pass  # the clock stays as it was until the database is back
        await asyncio.sleep(LOOK_SECONDS)


async def _ahead(database: Database) -> float:
    rows = await database.fetch(select(DemoNote.value).where(DemoNote.name == NAME))
    return float(rows[0]["value"]["ahead_seconds"]) if rows else 0.0
