"""Migrations lead to exactly the tables that models/ declares, from an empty database, once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import asyncpg
from alembic import command
from alembic.script import ScriptDirectory

import migrations


def test_the_migrations_make_what_the_models_declare(fresh_database: Callable[[str], str]) -> None:
    config = migrations.config(fresh_database("atrium"))
    with ThreadPoolExecutor(1) as thread:  # Alembic's environment runs a loop of its own
        thread.submit(command.check, config).result()


def test_an_empty_database_is_migrated_once(fresh_database: Callable[[str], str]) -> None:
    url = fresh_database("template0")
    assert migrations.migrate(url) is True
    assert migrations.migrate(url) is False

    async def applied() -> str:
        connection = await asyncpg.connect(url)
        try:
            return await migrations.applied(connection)
        finally:
            await connection.close()

    assert migrations.run_apart(applied) == migrations.newest()


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory.from_config(migrations.config("")).get_heads()) == 1
