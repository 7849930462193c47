"""Moves between statuses: the allowed ones are data, and the database decides races."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict
from models.base import Model

S = TypeVar("S", bound=StrEnum)


async def move(db: AsyncSession, row: Model, to: S, moves: Mapping[S, set[S]], column: str = "status") -> None:
    """Change a status if its table of moves allows it and nobody else changed it meanwhile; Conflict otherwise."""
    present = getattr(row, column)
    if to not in moves.get(present, ()):
        raise Conflict(f"What is {present} cannot become {to}.")
    table: Any = type(row)
    moved = await db.scalar(
        update(table).where(table.id == row.id, getattr(table, column) == present).values({column: to}).returning(table.id),
        execution_options={"synchronize_session": False},
    )
    if moved is None:
        raise Conflict
    await db.refresh(row, [column])
