"""The doors to PostgreSQL: asyncpg connections that read, and SQLAlchemy sessions that write."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from operator import itemgetter
from typing import Any, Self

import asyncpg
import orjson
from sqlalchemy import BindParameter, Connection, Dialect, Executable, event, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.util import LRUCache

from errors import Unavailable
from models.readers import Readers
from settings import Settings

COMPILED: LRUCache[Any, Any] = LRUCache(1000)
DIALECT: Dialect = PGDialect_asyncpg(dbapi=PGDialect_asyncpg.import_dbapi())  # type: ignore[no-untyped-call]
WHO = "who"
"""Under this name a session keeps who writes in it, and under which request, for the history."""
SAY_WHO = text("SELECT set_config('atrium.actor', :actor, true), set_config('atrium.request', :request, true)")
LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
)
"""What asyncpg raises while the database is away, starting, stopping, full or too slow."""


class Writing(Session):
    """A session that writes; its transaction says first who does."""


@event.listens_for(Writing, "after_begin")
def _say_who(session: Session, _: object, connection: Connection) -> None:
    if WHO in session.info:
        connection.execute(SAY_WHO, session.info[WHO])


def spell(statement: Executable) -> tuple[str, list[Any]]:
    """The SQL text of a statement, with $1 and so on, and its arguments in that order; statements of one shape are compiled once."""
    key = statement._generate_cache_key()  # type: ignore[attr-defined]
    found = COMPILED.get(key.key) if key else None
    if found is None:
        found = statement.compile(dialect=DIALECT, cache_key=key, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
        if key and not found.literal_execute_params and not found.post_compile_params:
            COMPILED[key.key] = found
    values = found.construct_params(key.params if key else None, extracted_parameters=key.bindparams if key else None)
    processors = found._bind_processors
    return str(found), [
        processors[name](values[name]) if name in processors and values[name] is not None else values[name] for name in found.positiontup
    ]


class Fixed:
    """A statement that is compiled once, when it is first run; its values are given under the names of its bindparam()s."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement

    def spell(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Its text, and these values in its order."""
        text, slots = self._compiled
        return text, [each(values) for each in slots]

    @cached_property
    def _compiled(self) -> tuple[str, list[Callable[[Mapping[str, Any]], Any]]]:
        found: Any = self._statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
        return str(found), [_slot(name, found.binds[name], found._bind_processors.get(name)) for name in found.positiontup]


def _slot(name: str, bound: BindParameter[Any], process: Callable[[Any], Any] | None) -> Callable[[Mapping[str, Any]], Any]:
    """Takes the value of one place out of those that are given; what the statement says itself stays as it is."""
    if not bound.required:
        constant = process(bound.value) if process and bound.value is not None else bound.value
        return lambda _: constant
    if process is None:
        return itemgetter(name)
    return lambda values: None if values[name] is None else process(values[name])


class Database:
    """The connections of one process to one database."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self._settings = settings
        self.engine: AsyncEngine
        self.sessions: async_sessionmaker[AsyncSession]

    async def __aenter__(self) -> Self:
        """Open the pools; raises OSError or asyncpg's error when there is no server."""
        size = self._settings.database_pool
        self.readers = Readers(self._connect_reader, size, self._settings.pool_timeout)
        self.readers.give_back(await self.readers.take())
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect_writer,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self._settings.pool_timeout,
            hide_parameters=True,  # in errors, which are logged
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False, sync_session_class=Writing)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.dispose()
        await self.readers.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside any transaction; raises Unavailable while the database is away."""
        try:
            connection = await self.readers.take()
            try:
                yield connection
            except asyncpg.PostgresError:
                self.readers.give_back(connection)
                raise
            except BaseException:
                self.readers.drop(connection)
                raise
            self.readers.give_back(connection)
        except LOST as error:
            raise Unavailable from error

    async def run(self, text: str, arguments: list[Any]) -> list[asyncpg.Record]:
        """The records of a statement that was compiled before; raises Unavailable while the database is away."""
        try:
            return await self.readers.fetch(text, arguments)
        except LOST as error:
            raise Unavailable from error

    async def fetch(self, statement: Executable | Fixed, values: Mapping[str, Any] | None = None) -> list[asyncpg.Record]:
        """The rows of a statement; a fixed one takes values."""
        return await self.run(*(statement.spell(values or {}) if isinstance(statement, Fixed) else spell(statement)))

    @property
    def longest_write(self) -> float:
        """Seconds that a statement of a reader's connection may take when it writes, as the readers of the event log wait for it."""
        return self._settings.transaction_timeout

    async def _connect_reader(self) -> asyncpg.Connection:
        # Not in parallel: that would take longer to begin than these statements take, and mix the rows of a tree (engine/whole.py).
        connection = await self._connect(self._settings.command_timeout, max_parallel_workers_per_gather="0")
        with _whole(connection):
            for name in ("json", "jsonb"):
                await connection.set_type_codec(name, schema="pg_catalog", encoder=_to_json, decoder=orjson.loads)
        return connection

    async def _connect_writer(self, *_: Any) -> asyncpg.Connection:
        longest = self._settings.transaction_timeout
        connection = await self._connect(longest)
        # PostgreSQL 16 cannot limit a whole transaction, only each of its statements and the pauses between them.
        if connection.get_server_version().major >= 17:
            with _whole(connection):
                await connection.execute(f"SET transaction_timeout = {int(longest * 1000)}")
        return connection

    async def _connect(self, longest_statement: float, **more: str) -> asyncpg.Connection:
        settings = self._settings
        patience = {
            "statement_timeout": longest_statement,
            "lock_timeout": settings.transaction_timeout,
            "idle_in_transaction_session_timeout": settings.transaction_timeout,
        }
        return await asyncpg.connect(
            self.url,
            timeout=settings.connect_timeout,
            command_timeout=settings.command_timeout + 1,
            server_settings={
                "application_name": "atrium",
                "timezone": "UTC",
                "jit": "off",
                **{name: str(int(seconds * 1000)) for name, seconds in patience.items()},
                **more,
            },
        )


def _refuse_closed(connection: Any, *_: Any) -> None:
    """Let the pool make a new connection for one that a restart has ended; asking the server each time would cost three exchanges."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


@contextmanager
def _whole(connection: asyncpg.Connection) -> Iterator[None]:
    """Set a connection up, or end it: whoever asked for it was cancelled meanwhile, and would leave it open."""
    try:
        yield
    except BaseException:
        connection.terminate()
        raise


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
