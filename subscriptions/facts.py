"""How a fact gets into the event log: in the transaction that makes it true, and out to the readers after its commit.

Topics say who may follow an event, and a reader's rights are checked against them when it subscribes:
`user:5` holds what person 5 may see, so only they and the staff follow it; `bookings` and `devices` hold everything of
their kind and are the staff's; `room:1` and `device:1` are for the staff, for members who may set devices, and for whoever
has an appointment in the room; `session:…` is for the connections of that session. `data` holds numbers, statuses and times,
never a name or an address: readers load the rows themselves, with their own rights.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from models.event_log import EventRecord
from models.together import new, write_at_end


class Fact(Protocol):
    """Something that became true; `kind` is what readers and webhooks know it by."""

    kind: ClassVar[str]

    @property
    def topics(self) -> list[str]:
        """Who may follow it."""

    @property
    def subject_id(self) -> int:
        """The row it is about."""

    @property
    def data(self) -> dict[str, Any]:
        """What the row will not show any more."""


async def announce(db: AsyncSession, fact: Fact) -> None:
    """Write a fact to the event log, in this transaction."""
    if db.new:
        await db.flush()  # so that a row made in this transaction has its number
    await write_at_end(db, new(EventRecord, kind=fact.kind, topics=fact.topics, subject_id=fact.subject_id, data=fact.data))


async def announce_all(db: AsyncSession, facts: Iterable[Fact]) -> None:
    """Write many facts to the event log in their order, in this transaction."""
    for fact in facts:
        await announce(db, fact)
