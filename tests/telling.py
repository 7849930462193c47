"""What tests of messages share: jobs run by hand, the outbox, and people at the GraphQL door."""

import dataclasses
from typing import Any

import httpx2
import orjson
from sqlalchemy import select, text

from jobs.registry import JOBS
from models.database import Database
from models.identity import Role, User
from models.notifications import Notification, NotificationKind, OutboxMessage
from resolvers.context import Context
from resolvers.notifications import notify
from resolvers.samples import SAMPLES
from settings import Mode, Settings
from tests.people import join, nobody
from tests.test_identity_graphql import Door

RUN = {job.name: job.run for job in JOBS}


class Post:
    """A mail gateway that keeps what it is given, or refuses it."""

    def __init__(self, *refusals: Exception) -> None:
        self.refusals = list(refusals)
        self.sent: list[Any] = []

    async def send(self, mail: Any, *rest: Any) -> None:
        """Take a mail, or a text or push with its words."""
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append((mail, *rest) if rest else mail)


async def person(client: httpx2.AsyncClient, database: Database, settings: Settings, *roles: Role, **about: Any) -> tuple[Door, User]:
    """Somebody new at the GraphQL door."""
    door, joined = Door(client), await join(nobody(database, settings), *roles, **about)
    door.token = joined.access_token
    return door, joined.user


async def work_off(ctx: Context) -> list[str]:
    """Run every job that waits, and those that follow from them, one after another; tells their names."""
    done: list[str] = []
    while True:
        async with ctx.database.sessions.begin() as db:
            take = text("DELETE FROM pgqueuer WHERE id = (SELECT id FROM pgqueuer ORDER BY id LIMIT 1) RETURNING entrypoint, payload")
            row = (await db.execute(take)).one_or_none()
        if row is None:
            return done
        await RUN[row.entrypoint](ctx, **orjson.loads(row.payload))
        done.append(row.entrypoint)


async def outbox(database: Database, *conditions: Any) -> list[OutboxMessage]:
    """What left the house or waits to, oldest first."""
    async with database.sessions() as db:
        return list(await db.scalars(select(OutboxMessage).where(*conditions).order_by(OutboxMessage.id)))


async def bell(database: Database, user: User) -> list[Notification]:
    """What somebody finds in the app, oldest first."""
    async with database.sessions() as db:
        return list(await db.scalars(select(Notification).where(Notification.user_id == user.id).order_by(Notification.id)))


async def tell(ctx: Context, user: User, kind: NotificationKind = NotificationKind.BOOKING_CONFIRMED, **about: Any) -> Notification | None:
    """Tell somebody what the sample of a kind says."""
    async with ctx.writing() as db:
        return await notify(db, user.id, kind, SAMPLES[kind], **about)


def in_production(ctx: Context, **gateways: Any) -> Context:
    """The same context as a production server with these gateways alone would have it."""
    settings = ctx.settings.model_copy(update={"mode": Mode.PRODUCTION})
    none = {"mail": None, "sms": None, "push": None}
    return dataclasses.replace(ctx, settings=settings, gateways=dataclasses.replace(ctx.gateways, **{**none, **gateways}))
