"""What an operation knows about the call: who asks, through which door, and where the world is."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import ColumnElement, DateTime, Executable, literal
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

import clock
from errors import Unauthenticated
from jobs.queue import RINGS, ring
from models.database import Database, Fixed
from models.identity import STAFF, Role
from models.refusals import refusal
from models.together import transaction
from settings import Settings

if TYPE_CHECKING:
    from gateways.all import Gateways
    from resolvers.idempotency import Call
    from resolvers.limits import Quota

REVOKED = "revoked"
"""Under this name a transaction notes whose sessions it has ended."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking: a signed-in person with the roles they hold now, or nobody."""

    user_id: int | None = None
    roles: frozenset[Role] = frozenset()
    session: UUID | None = None
    token_ends_at: datetime | None = None
    kiosk_id: int | None = None
    """A screen at an entrance, which is nobody."""
    program: str | None = None
    """A program that shows a static token of the settings, such as crm; neither is it a person."""

    @property
    def id(self) -> int:
        """The person's number; Unauthenticated when nobody is signed in."""
        if self.user_id is None:
            raise Unauthenticated
        return self.user_id

    @property
    def is_staff(self) -> bool:
        """Whether the person works for the house."""
        return bool(self.roles & STAFF)


NOBODY = Viewer()


@dataclass(frozen=True)
class Context:
    """One request, as operations see it."""

    settings: Settings
    database: Database
    gateways: "Gateways"
    viewer: Viewer = NOBODY
    request_id: str = field(default_factory=lambda: f"req_{uuid4().hex}")
    address: str = "unknown"
    door: str = "graphql"
    language: str = "en"
    idempotency_key: str | None = None
    longest_page: int = 100
    longest_list: int = 1000
    wake: Callable[[], None] = lambda: None
    forget: Callable[[int], None] = lambda _: None
    """Called with each person whose sessions this request has ended, so that this very process does not know them any more."""
    call: "Call | None" = None
    loaders: dict[Any, Any] = field(default_factory=dict)
    quotas: dict[str, "Quota"] = field(default_factory=dict)
    """Where the caller stands under the limits that this request was counted by; the doors tell it."""
    done: Mapping[str, Any] = field(default_factory=dict)
    """What root fields of this operation have done already, where another run of it goes on."""

    def now(self) -> datetime:
        """The business clock's moment."""
        return clock.now()

    def moment(self) -> ColumnElement[datetime]:
        """The same, where SQL computes with it."""
        return literal(self.now(), DateTime(timezone=True))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction that commits when its block ends well; conflicts in the database become coded refusals.

        What the block leaves to write_at_end() goes in one statement, which is the whole transaction when nothing else is asked of `db`.
        """
        try:
            who = {"actor": str(self.viewer.user_id or ""), "request": self.request_id}
            async with transaction(self.database, who) as db:
                if self.call:
                    self.call.begin()
                yield db
                if self.call:
                    await self.call.record(db)
        except (DBAPIError, TimeoutError, asyncpg.PostgresError) as error:
            raise refusal(error) from error
        if RINGS in db.info:
            ring(self.database)
        for user_id in db.info.get(REVOKED, ()):
            self.forget(user_id)
        self.wake()

    async def fetch(self, statement: Executable | Fixed, **values: Any) -> list[Any]:
        """The rows of a statement, outside any transaction; a fixed one takes values."""
        return list(await self.database.fetch(statement, values))

    def with_viewer(self, viewer: Viewer) -> Self:
        """The same request once it is known who asks."""
        return self.but(viewer=viewer)

    def but(self, **changes: Any) -> Self:
        """The same request with some facts changed; what dataclasses.replace does, at a fifth of its cost."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **changes)
        return other
