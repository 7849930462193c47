"""Bring a database to the newest schema with Alembic."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

ROOT = Path(__file__).parent
TURN = 6_151_413_301
"""The advisory lock that lets one process migrate at a time."""

Result = TypeVar("Result")


def config(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config


def newest() -> str:
    """The revision that a current database has."""
    return ScriptDirectory.from_config(config("")).get_current_head() or ""


async def applied(connection: asyncpg.Connection) -> str:
    """The revision of a database, empty if it was never migrated."""
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return ""
    return str(await connection.fetchval("SELECT version_num FROM alembic_version") or "")


def run_apart(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine to its end in a thread of its own, whether or not this one has a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def migrate(url: str) -> bool:
    """Run what is missing; returns whether there was anything to do. Processes that start together take turns."""

    async def upgrade() -> bool:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", TURN)
            if await applied(connection) == newest():
                return False
            await asyncio.to_thread(command.upgrade, config(url), "head")
            return True
        finally:
            await connection.close()

    return run_apart(upgrade)
