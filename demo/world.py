"""What the chapters of the demo world share: its first day, and how rows with fixed numbers come in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import uuid_utils.compat
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import Model, Visible


class World:
    """One demo world; dates are relative to the day on which it was begun. `hashes` holds the hash of each demo password."""

    def __init__(self, today: date, now: datetime, hashes: Mapping[str, str]) -> None:
        self.today = today
        self.now = now
        self.hashes = hashes

    def day(self, offset: int) -> date:
        """A day so many days from the first."""
        return self.today + timedelta(days=offset)

    def moment(self, offset: int, at: time, time_zone: str) -> datetime:
        """A local time of such a day, in UTC."""
        return datetime.combine(self.day(offset), at, ZoneInfo(time_zone)).astimezone(UTC)


async def put(db: AsyncSession, table: type[Model], rows: Sequence[dict[str, Any]], batch: int = 1000) -> list[int]:
    """Insert many rows and return their numbers, in their order; a row may name its own number."""
    numbers: list[int] = []
    visible = issubclass(table, Visible)
    for start in range(0, len(rows), batch):
        part = [{"uuid": uuid_utils.compat.uuid7(), **row} if visible else row for row in rows[start : start + batch]]
        numbers += await db.scalars(insert(table).returning(table.id, sort_by_parameter_order=True), part)
    if rows and "id" in rows[0]:
        await _continue_after(db, table)
    return numbers


async def _continue_after(db: AsyncSession, table: type[Model]) -> None:
    """Let new rows be numbered after those that brought their number."""
    sequence = func.pg_get_serial_sequence(table.__tablename__, "id")
    await db.execute(select(func.setval(sequence, select(func.max(table.id)).scalar_subquery())))
