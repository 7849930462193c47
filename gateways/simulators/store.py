"""Where simulated providers keep their objects: a table of the server's own PostgreSQL.

A table and not a file under the data folder, because any number of processes may serve a demo together, and an object
and the webhook that tells of it must be kept, or not, in one transaction.
"""

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.simulations import SimulatedObject

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 1))")

Thing = dict[str, Any]


class Store:
    """The objects of one simulated provider, within one transaction."""

    def __init__(self, db: AsyncSession, provider: str) -> None:
        self._db = db
        self._provider = provider

    async def lock(self, name: str) -> None:
        """Let one transaction at a time deal with a name."""
        await self._db.execute(LOCK, {"name": f"{self._provider} {name}"})

    async def get(self, key: str, kind: str) -> Thing | None:
        """An object of a kind, locked until the transaction ends."""
        found = select(SimulatedObject.data).where(
            SimulatedObject.provider == self._provider, SimulatedObject.key == key, SimulatedObject.kind == kind
        )
        return await self._db.scalar(found.with_for_update())

    async def put(self, key: str, kind: str, thing: Thing) -> None:
        """Keep an object, instead of what was kept under its id."""
        row = insert(SimulatedObject).values(provider=self._provider, key=key, kind=kind, data=thing)
        changed = row.on_conflict_do_update(index_elements=["provider", "key"], set_={"data": row.excluded.data})
        await self._db.execute(changed)

    async def find(self, kind: str, **having: Any) -> list[Thing]:
        """The objects of a kind with these values, oldest first."""
        found = select(SimulatedObject.data).where(
            SimulatedObject.provider == self._provider, SimulatedObject.kind == kind, SimulatedObject.data.contains(having)
        )
        return list(await self._db.scalars(found.order_by(SimulatedObject.id)))
