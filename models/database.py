"""The doors to PostgreSQL: an asyncpg pool that reads, and SQLAlchemy sessions that write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
import orjson
from sqlalchemy import Dialect, Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import LRUCache

from errors import Unavailable
from settings import Settings

COMPILED: LRUCache[Any, Any] = LRUCache(1000)
DIALECT: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
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


class Database:
    """The connections of one process to one database."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self._settings = settings
        self.pool: asyncpg.Pool
        self.engine: AsyncEngine
        self.sessions: async_sessionmaker[AsyncSession]

    async def __aenter__(self) -> Self:
        """Open the pools; raises OSError or asyncpg's error when there is no server."""
        size = self._settings.database_pool
        self.pool = await asyncpg.create_pool(
            self.url, min_size=1, max_size=size, connect=self._connect_reader, init=_read_json, reset=_keep_as_it_is
        )
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect_writer,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self._settings.pool_timeout,
            pool_pre_ping=True,
            hide_parameters=True,  # in errors, which are logged
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.dispose()
        await self.pool.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside any transaction; raises Unavailable while the database is away."""
        try:
            async with self.pool.acquire(timeout=self._settings.pool_timeout) as connection:
                yield connection
        except LOST as error:
            raise Unavailable from error

    async def fetch(self, statement: Executable) -> list[asyncpg.Record]:
        """The rows of a statement."""
        text, arguments = spell(statement)
        async with self.reading() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(text, *arguments)
        return rows

    @property
    def longest_write(self) -> float:
        """Seconds that a statement of a reader's connection may take when it writes, as the readers of the event log wait for it."""
        return self._settings.transaction_timeout

    async def _connect_reader(self, *_: Any, **options: Any) -> asyncpg.Connection:
        return await self._connect(
            {"statement_timeout": self._settings.command_timeout, "lock_timeout": self._settings.transaction_timeout},
            {name: value for name, value in options.items() if name in ("connection_class", "record_class")},
        )

    async def _connect_writer(self, *_: Any) -> asyncpg.Connection:
        longest = self._settings.transaction_timeout
        connection = await self._connect({"statement_timeout": longest, "lock_timeout": longest}, {})
        # PostgreSQL 16 cannot limit a whole transaction, only each of its statements and the pauses between them.
        if connection.get_server_version().major >= 17:
            try:
                await connection.execute(f"SET transaction_timeout = {int(longest * 1000)}")
            except BaseException:
                connection.terminate()  # whoever asked for it was cancelled meanwhile, and would leave it open
                raise
        return connection

    async def _connect(self, timeouts: dict[str, float], options: dict[str, Any]) -> asyncpg.Connection:
        settings = self._settings
        patience = {"idle_in_transaction_session_timeout": settings.transaction_timeout, **timeouts}
        return await asyncpg.connect(
            self.url,
            timeout=settings.connect_timeout,
            command_timeout=settings.command_timeout + 1,
            server_settings={
                "application_name": "atrium",
                "timezone": "UTC",
                **{name: str(int(seconds * 1000)) for name, seconds in patience.items()},
            },
            **options,
        )


async def _read_json(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=_to_json, decoder=orjson.loads)


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


async def _keep_as_it_is(_: asyncpg.Connection) -> None:
    """Readers set nothing on a connection, so nothing needs to be reset between them."""
