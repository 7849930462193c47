"""What every test may ask for: a migrated PostgreSQL of its own kind, the app on it, and clients at its doors."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from starlette.applications import Starlette

from demo.load import load
from listening import Server, bind
from main import create_app
from migrations import migrate
from models.database import Database
from postgres import EmbeddedPostgres
from resolvers.leases import leases_of
from settings import Settings
from tests.described import as_described

pytest_plugins = ["tests.payers", "tests.followers"]

EMPTY_WHAT_WAS_USED = """
DO $$ DECLARE used record; BEGIN
  -- a replica fires no trigger, so neither foreign keys nor the append-only tables object; DELETE is much faster here than TRUNCATE
  SET LOCAL session_replication_role = replica;
  FOR used IN SELECT relid::regclass AS name FROM pg_stat_user_tables
              WHERE relname NOT IN ('alembic_version', 'event_epochs') AND pg_relation_size(relid) > 0 LOOP
    EXECUTE format('DELETE FROM %s', used.name);
  END LOOP;
  PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


def as_superuser(url: str) -> str:
    """The same database for its administrator."""
    return url.replace("//atrium@", "//postgres@", 1)


def _another_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run something to its end outside of the tests' loop."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def template_url() -> Iterator[str]:
    """A migrated database that no test uses, so that others can be copied from it."""
    with (
        tempfile.TemporaryDirectory(prefix="atr-") as folder,
        EmbeddedPostgres(Path(folder), fsync="off", synchronous_commit="off", full_page_writes="off", autovacuum="off") as url,
    ):
        migrate(url)
        yield url


@pytest.fixture(scope="session")
def database_url(template_url: str) -> str:
    """The database of the tests; emptied after each test that used it."""
    _another_loop(_run(template_url.replace("/atrium?", "/postgres?"), "CREATE DATABASE tests TEMPLATE atrium"))
    return template_url.replace("/atrium?", "/tests?")


@pytest.fixture(scope="session")
def demo_url(template_url: str, settings: Settings) -> str:
    """A database with the demo world, which stays as it is over all tests."""
    _another_loop(_run(template_url.replace("/atrium?", "/postgres?"), "CREATE DATABASE demo TEMPLATE atrium"))
    url = template_url.replace("/atrium?", "/demo?")
    _another_loop(load(settings, url))
    return url


@pytest.fixture
def fresh_database(template_url: str) -> Iterator[Callable[[str], str]]:
    """Makes further databases, migrated and empty, or empty altogether with template "template0"."""
    administration = template_url.replace("/atrium?", "/postgres?")
    made: list[str] = []

    def make(template: str = "atrium") -> str:
        name = f"fresh_{len(made)}"
        _another_loop(_run(administration, f"CREATE DATABASE {name} TEMPLATE {template}"))
        made.append(name)
        return template_url.replace("/atrium?", f"/{name}?")

    yield make
    for name in made:
        _another_loop(_run(administration, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(autouse=True)
def _emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no row behind."""
    yield
    if "database_url" in request.fixturenames:
        _another_loop(_run(as_superuser(request.getfixturevalue("database_url")), EMPTY_WHAT_WAS_USED))
    if "database" in request.fixturenames:
        leases_of(request.getfixturevalue("database")).forget()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Demo mode with small pools, a data folder of its own and without jobs that run by themselves, whatever the environment says."""
    folder = str(tmp_path_factory.mktemp("data"))
    return Settings(_env_file=None, database_pool=8, run_jobs=False, data_dir=folder)  # type: ignore[call-arg]


@pytest.fixture(scope="session")
async def database(database_url: str, settings: Settings) -> AsyncIterator[Database]:
    async with Database(database_url, settings) as database:
        yield database


@asynccontextmanager
async def in_one_task(context: AbstractAsyncContextManager[Any]) -> AsyncIterator[None]:
    """Enter and leave a context in the same task, which task groups insist on and fixtures do not grant."""
    ready, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with context:
            ready.set()
            await done.wait()

    holder = asyncio.create_task(hold())
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([holder, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if holder.done():
        await holder
    try:
        yield
    finally:
        done.set()
        await holder


@pytest.fixture
async def app(database_url: str, settings: Settings) -> AsyncIterator[Starlette]:
    """The app with everything open that its lifespan opens."""
    app = create_app(settings, database_url)
    async with in_one_task(app.router.lifespan_context(app)):
        yield app


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client that calls the app without a network; what older systems answer must be as their OpenAPI says."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    hooks = {"response": [as_described(app)]}
    async with httpx2.AsyncClient(transport=transport, base_url="http://atrium.test", event_hooks=hooks) as client:
        yield client


@asynccontextmanager
async def serving(app: Starlette, settings: Settings, port: int = 0) -> AsyncIterator[str]:
    """The address, such as http://127.0.0.1:40123, of a real server of an app that is open."""
    started = asyncio.Event()
    running = Server(app, settings, started.set)
    with bind("127.0.0.1", port, "PORT") as listener:
        task = asyncio.create_task(running.serve(sockets=[listener]))
        await asyncio.wait_for(started.wait(), 5)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        running.should_exit = True
        await task


@pytest.fixture
async def server(app: Starlette, settings: Settings) -> AsyncIterator[str]:
    """The address of a real server in this process, of the same app as `client`."""
    async with serving(app, settings) as address:
        yield address
