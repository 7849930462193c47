"""The engine answers every document as a naive executor does."""

import asyncio
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

import clock
from settings import Settings
from tests.comparing import LARGE, VIEWERS, World, open_world, values_of
from tests.scenarios import Author, Choices, Scenario


@pytest.fixture(scope="module")
def world(template_url: str, settings: Settings) -> Iterator[World]:
    """The demo world, at a moment that stands still."""
    loop = asyncio.new_event_loop()

    async def prepare(statement: str) -> None:
        connection = await asyncpg.connect(template_url.replace("/atrium?", "/postgres?"))
        await connection.execute(statement)
        await connection.close()

    loop.run_until_complete(prepare("CREATE DATABASE differential TEMPLATE atrium"))
    url = template_url.replace("/atrium?", "/differential?")
    database = loop.run_until_complete(open_world(url, settings))
    with pytest.MonkeyPatch.context() as patch:
        moment = clock.now()
        patch.setattr(clock, "now", lambda: moment)
        yield World(settings.model_copy(update=LARGE), database, loop, loop.run_until_complete(values_of(database)))
    loop.run_until_complete(database.__aexit__())
    loop.run_until_complete(prepare("DROP DATABASE differential WITH (FORCE)"))
    loop.close()


def scenario_of(world: World, below: Callable[[int], int], *roots: str) -> Scenario:
    schema = world.references[False].schema
    assert schema.query_type is not None
    return Author(schema, world.values, Choices(below), roots or sorted(schema.query_type.fields)).write(list(VIEWERS))


def test_queries_are_answered_as_by_the_reference(world: World) -> None:
    @bounded(
        max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink]
    )
    @given(st.data())
    def compare(data: st.DataObject) -> None:
        world.check(scenario_of(world, lambda number: data.draw(st.integers(0, number - 1))))

    compare()
