"""Who still uses what: calls are counted per route and client, in a metric and, in batches, in a small table."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date

import prometheus_client
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

import clock
from models.admin import EndpointUse
from models.database import Database

CALLS = prometheus_client.Counter("atrium_rest_calls", "Calls of old endpoints.", ["system", "route", "client", "outcome"])
PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9._-]{0,39})(?:[/ ].*)?")
CLIENTS = 100
UNKNOWN, OTHER = "unknown", "other"
log = logging.getLogger("atrium.rest")

_known: set[str] = set()


def client_name(headers: Mapping[str, str]) -> str:
    """The program that calls, as far as it says so: the first product of its User-Agent, never a person or an address."""
    found = PRODUCT.fullmatch(headers.get("user-agent", ""))
    if found is None:
        return UNKNOWN
    name = found[1].lower()
    # Names are the client's to choose, so their number is bounded.
    if name not in _known and len(_known) >= CLIENTS:
        return OTHER
    _known.add(name)
    return name


FLUSH_SECONDS = 30.0


class Usage:
    """The calls that this process has not written down yet."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[date, str, str, str]] = Counter()
        self._refused: Counter[tuple[date, str, str, str]] = Counter()

    def count(self, system: str, route: str, client: str, status: int) -> None:
        """One call was answered."""
        outcome = "refused" if status >= 400 else "answered"
        CALLS.labels(system, route, client, outcome).inc()
        key = (clock.now().date(), system, route, client)
        self._calls[key] += 1
        if status >= 400:
            self._refused[key] += 1

    async def flush(self, database: Database) -> None:
        """Add what was counted since the last time to the table; what cannot be written is kept for the next time."""
        calls, refused = self._calls, self._refused
        self._calls, self._refused = Counter(), Counter()
        if not calls:
            return
        rows = [
            {"day": key[0], "system": key[1], "route": key[2], "client": key[3], "calls": number, "refused": refused[key]}
            for key, number in sorted(calls.items())
        ]
        new = insert(EndpointUse).values(rows)
        added = {"calls": EndpointUse.calls + new.excluded.calls, "refused": EndpointUse.refused + new.excluded.refused}
        try:
            async with database.sessions.begin() as db:
                await db.execute(new.on_conflict_do_update(constraint="uq_endpoint_uses_day_system_route_client", set_=added))
        except BaseException:
            self._calls += calls
            self._refused += refused
            raise


@asynccontextmanager
async def counting(database: Database) -> AsyncIterator[Usage]:
    """Counts for as long as the process serves, written down every half minute and at the end."""
    usage = Usage()
    writer = asyncio.create_task(_write_down(usage, database))
    try:
        yield usage
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        await _try_to_flush(usage, database)


async def _write_down(usage: Usage, database: Database) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        await _try_to_flush(usage, database)


async def _try_to_flush(usage: Usage, database: Database) -> None:
    try:
        await usage.flush(database)
    except (SQLAlchemyError, OSError) as error:
        log.warning("the use of old endpoints could not be written down: %r", error)
