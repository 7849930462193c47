"""The CRM's data in files, as the commands write and read them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateways.all import open_gateways
from models.database import Database
from resolvers import crm_backup
from resolvers.context import Context
from resolvers.crm_backup import BadBackup, Restored
from settings import Settings
from startup import CannotStart


async def back_up(settings: Settings, database_url: str, file: Path) -> int:
    """Write a backup; CannotStart when the file cannot be written."""
    try:
        async with _context(settings, database_url) as ctx:
            return await crm_backup.back_up(ctx, file)
    except OSError as error:
        raise CannotStart(f"{file} cannot be written: {error.strerror}.") from error


async def restore(settings: Settings, database_url: str, file: Path) -> Restored:
    """Read a backup; CannotStart when the file is missing or damaged, before anything is changed."""
    try:
        async with _context(settings, database_url) as ctx:
            return await crm_backup.restore(ctx, file)
    except OSError as error:
        raise CannotStart(f"{file} cannot be read: {error.strerror}.") from error
    except BadBackup as error:
        raise CannotStart(f"{file} was not restored. {error}") from error


@asynccontextmanager
async def _context(settings: Settings, database_url: str) -> AsyncIterator[Context]:
    async with Database(database_url, settings) as database, open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways, request_id="crm_files", address="command", door="command")
