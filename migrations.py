"""Bring a database to the newest schema with Alembic."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

ROOT = Path(__file__).parent


def _config(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config


def newest() -> str:
    """The revision that a current database has."""
    return ScriptDirectory.from_config(_config("")).get_current_head() or ""


async def applied(connection: asyncpg.Connection) -> str:
    """The revision of a database, empty if it was never migrated."""
    try:
        return str(await connection.fetchval("SELECT version_num FROM alembic_version") or "")
    except asyncpg.UndefinedTableError:
        return ""


def migrate(url: str) -> bool:
    """Run what is missing; returns whether there was anything to do."""

    async def is_current() -> bool:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await applied(connection) == newest()
        finally:
            await connection.close()

    def run() -> bool:
        if asyncio.run(is_current()):
            return False
        command.upgrade(_config(url), "head")
        return True

    # Alembic's environment runs a loop of its own, which the caller's thread may have too
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()
