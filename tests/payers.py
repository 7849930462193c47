"""The fixtures beside `tests/paying.py`: the simulated outside world, a person, and what she has to pay for."""

from collections.abc import AsyncIterator

import pytest

from gateways.all import open_gateways
from models.bookings import Booking
from models.database import Database
from models.identity import User
from resolvers.context import Context
from settings import Settings
from tests.paying import make_booking
from tests.worlds import make_person


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    """Nobody's context, with every gateway open; tests set who asks."""
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def ann(database: Database) -> User:
    return await make_person(database)


@pytest.fixture
async def booking(database: Database, ann: User) -> Booking:
    return await make_booking(database, ann)
