"""What the product asks of PostgreSQL: PostgreSQL itself writes it down for the length of one request."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

ENTRY = re.compile(r"^ATRIUM-BENCH (?P<kind>LOG|DETAIL):  (?:execute \S+: |statement: )?(?P<text>.*)$")
PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
PLACE = re.compile(r"\$(\d+)\b")
QUIET_SECONDS = 0.1
SETTINGS = {"log_statement": "'all'", "log_line_prefix": "'ATRIUM-BENCH '", "log_parameter_max_length": "-1"}


def statements_of(superuser_url: str, log: Path, request: Callable[[], object]) -> list[str]:
    """The statements of one request, with their values in them, in the order in which they ran."""
    asyncio.run(_configure(superuser_url, *(f"ALTER SYSTEM SET {name} = {value}" for name, value in SETTINGS.items())))
    try:
        time.sleep(QUIET_SECONDS)
        begin = log.stat().st_size
        request()
        time.sleep(QUIET_SECONDS)
        seen = log.read_bytes()[begin:].decode(errors="replace")
    finally:
        asyncio.run(_configure(superuser_url, *(f"ALTER SYSTEM RESET {name}" for name in SETTINGS)))
    return _read(seen)


async def _configure(superuser_url: str, *statements: str) -> None:
    connection = await asyncpg.connect(superuser_url)
    try:
        for each in (*statements, "SELECT pg_reload_conf()"):
            await connection.execute(each)
    finally:
        await connection.close()


def _read(seen: str) -> list[str]:
    found: list[str] = []
    for line in seen.splitlines():
        entry = ENTRY.match(line)
        if entry is None:
            if line.startswith("\t") and found:
                found[-1] += f"\n{line[1:]}"
        elif entry["kind"] == "LOG":
            found.append(entry["text"])
        elif found:
            found[-1] = _with_values(found[-1], entry["text"])
    return [each.strip() for each in found if not each.startswith("DEALLOCATE")]


def _with_values(statement: str, parameters: str) -> str:
    values = dict(PARAMETER.findall(parameters))
    return PLACE.sub(lambda place: values.get(place[1], place[0]), statement)
