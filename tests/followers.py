"""The fixtures beside `tests/following.py`: a spa, the parts of the running app, and people who join."""

from collections.abc import Awaitable, Callable

import pytest
from starlette.applications import Starlette

from engine.runtime import Runtime
from models.database import Database
from models.identity import Role
from resolvers.sessions import SignedIn
from tests.people import join
from tests.worlds import Spa, make_spa


@pytest.fixture
async def spa(database: Database) -> Spa:
    return await make_spa(database)


@pytest.fixture
def runtime(app: Starlette) -> Runtime:
    runtime: Runtime = app.state.runtime
    return runtime


@pytest.fixture
def people(runtime: Runtime) -> Callable[..., Awaitable[SignedIn]]:
    """Somebody new, signed in, with the roles."""

    async def person(*roles: Role) -> SignedIn:
        return await join(runtime.context(request_id="people", address="people"), *roles)

    return person
