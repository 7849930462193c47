"""Runs migrations on the database that DATABASE_URL, or `-x url=…`, names."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

import models
from models.base import Model
from settings import Settings

assert models  # noqa: S101 - importing it declares every table


def ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    """Whether a table is declared in models/; the job queue brings its own."""
    return not (kind == "table" and (name or "").startswith("pgqueuer"))


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Model.metadata, include_object=ours, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_online() -> None:
    url = context.get_x_argument(as_dictionary=True).get("url") or context.config.attributes.get("url") or Settings().database_url
    if not url:
        raise SystemExit("No database to migrate: set DATABASE_URL, or use `make migrate`, which starts the embedded one.")
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(migrate_online())
