"""The doors to PostgreSQL."""

import asyncio
from typing import Any

import asyncpg
import pytest

from models.database import Database
from settings import Settings


async def test_a_connection_whose_opening_is_cancelled_is_not_left_open(
    database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[asyncpg.Connection] = []
    connect = asyncpg.connect

    async def connect_and_be_cancelled(*arguments: Any, **options: Any) -> asyncpg.Connection:
        opened.append(await connect(*arguments, **options))
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return opened[0]

    monkeypatch.setattr(asyncpg, "connect", connect_and_be_cancelled)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(Database(database_url, settings)._connect_writer())
    assert opened[0].is_closed()
