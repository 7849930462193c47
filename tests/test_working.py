"""Where jobs run: inside of the server, or in a worker of its own."""

import asyncio
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from main import create_app
from models.database import Database
from models.notifications import OutboxMessage
from resolvers.notifications import send
from settings import Settings
from tests.conftest import in_one_task
from tests.program import running
from tests.sql import value


async def put(database: Database) -> int:
    async with database.sessions.begin() as db:
        return (await send(db, to="ann@example.com", body="Hello")).id


async def sent(database: Database, number: int) -> datetime:
    """When a message was sent; waits for it."""
    async with asyncio.timeout(20):
        while True:
            [row] = await database.fetch(select(OutboxMessage.sent_at).where(OutboxMessage.id == number))
            if row["sent_at"]:
                moment: datetime = row["sent_at"]
                return moment
            await asyncio.sleep(0.05)


async def test_a_server_runs_jobs_beside_its_doors(database: Database, settings: Settings) -> None:
    number = await put(database)
    app = create_app(settings.model_copy(update={"run_jobs": True}), database.url)
    async with in_one_task(app.router.lifespan_context(app)):
        assert await sent(database, number)


async def test_a_server_leaves_jobs_to_workers_when_told_to(database: Database, settings: Settings) -> None:
    app = create_app(settings, database.url)
    async with in_one_task(app.router.lifespan_context(app)):
        assert not await value(database, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atrium jobs'")


async def test_a_worker_alone_runs_jobs_until_it_is_told_to_stop(fresh_database: Callable[[str], str], settings: Settings) -> None:
    url = await asyncio.to_thread(fresh_database, "atrium")
    with tempfile.TemporaryDirectory(prefix="atr-") as folder:
        with running(Path(folder) / "data", "worker", environment={"DATABASE_URL": url}) as program:
            await asyncio.to_thread(program.wait_for, "Jobs are run as they come")
            async with Database(url, settings) as database:
                assert await sent(database, await put(database))
            assert await asyncio.to_thread(program.end) == 0
            assert "Everything has stopped" in program.words
            assert "Traceback" not in program.words
