"""What is measured against: the rows of world.sql, and the tokens of the people in them."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from resolvers.tokens import Use, issue
from settings import Settings

FIRST = 1_000_000
SERVICES, PEOPLE, ROOMS, CATEGORIES = 400, 5000, 200, 8
HOURS = range(6, 22)
FIRST_DAY = 14
LONGEST_DAY = 360
SLOTS = (LONGEST_DAY - FIRST_DAY) * len(HOURS) * ROOMS
"""How many different appointments can be made."""
ZONE = ZoneInfo("America/New_York")
RESTING = (
    *("categories", "services", "spa_services", "addons", "programmes", "schedules", "schedule_hours", "locations", "rooms"),
    *("users", "user_roles", "bookings", "appointments", "payments"),
)
"""The tables whose triggers rest while they are filled."""
FILLED = (*RESTING, "resources", "reservations", "sessions")
ROWS = Path(__file__).with_name("world.sql").read_text()


async def load(url: str) -> None:
    """Fill the database, in one transaction, and let the planner know what is in it."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for table in RESTING:
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            await connection.execute(ROWS)
            for table in RESTING:
                await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            for table in FILLED:
                await connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")  # noqa: S608
        await connection.execute(f"VACUUM ANALYZE {', '.join(FILLED)}")
    finally:
        await connection.close()


def tokens() -> list[str]:
    """An access token for each person, as signing in would have issued it."""
    settings = Settings(_env_file=None, access_minutes=600)  # type: ignore[call-arg]
    return [issue(settings, Use.ACCESS, FIRST + n, UUID(int=FIRST + n)).text for n in range(PEOPLE)]


def appointment(n: int) -> tuple[int, int, int, datetime]:
    """Person, service, room and time of the n-th appointment; none gets in the way of another or of those in world.sql."""
    number, room = divmod(n % SLOTS, ROOMS)
    return FIRST + n % PEOPLE, FIRST + n * 7 % SERVICES, FIRST + room, hour(number)


def hour(number: int) -> datetime:
    """One of the hours in which nothing is booked yet."""
    day, of_day = divmod(number, len(HOURS))
    return datetime.combine(date.today() + timedelta(days=FIRST_DAY + day), time(HOURS[of_day]), ZONE).astimezone(UTC)
