"""A process that calls what is limited as often as it is told, and says how often it may: `python -m tests.limited URL RATE TIMES`."""

import asyncio
import sys

from errors import RateLimited
from models.database import Database
from resolvers.limits import limit
from settings import Settings
from tests.people import nobody

AT_ONCE = 5


async def main(url: str, rate: str, times: int) -> int:
    """How many calls were granted."""
    granted = 0
    settings = Settings(_env_file=None, database_pool=2)  # type: ignore[call-arg]
    async with Database(url, settings) as database:

        async def some() -> None:
            nonlocal granted
            for _ in range(times // AT_ONCE):
                try:
                    await limit(nobody(database, settings, address="192.0.2.7"), "real", rate)
                    granted += 1
                except RateLimited:
                    pass

        await asyncio.gather(*[some() for _ in range(AT_ONCE)])
    return granted


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
