"""The engine answers every document as a naive executor does."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from settings import Settings
from tests.comparing import LARGE, VIEWERS, Differs, World, open_world, values_of
from tests.faults import FAULTS
from tests.scenarios import Author, Choices, Scenario

EXAMPLES = int(os.environ.get("FUZZ", "0"))
"""How many random documents each comparison tries, other ones each time; by default few, and always the same."""
pytestmark = [
    # graphql-core drops what it has not awaited yet when a null goes up
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SIMPLE = list(HealthCheck)
WRITES = ("updateProfile", "setDefaultCard", "cancelBooking", "releaseHold")
"""Mutations that leave the world as it is when they are done twice, or are refused."""


@pytest.fixture(scope="module")
def world(demo_url: str, settings: Settings) -> Iterator[World]:
    """The demo world, with the engine and the reference on it."""
    loop = asyncio.new_event_loop()
    logging.disable(logging.ERROR)  # of what planted faults break
    database = loop.run_until_complete(open_world(demo_url, settings))
    yield World(settings.model_copy(update=LARGE), database, loop, loop.run_until_complete(values_of(database)))
    loop.run_until_complete(database.__aexit__())
    loop.close()
    logging.disable(logging.NOTSET)


def written(world: World, below: Callable[[int], int], *roots: str) -> Scenario:
    """A random document with its calls; about some root fields, or about any of the query's."""
    schema = world.references[False].schema
    assert schema.query_type is not None
    is_mutation = bool(roots) and roots[0] not in schema.query_type.fields
    author = Author(schema, world.values, Choices(below), roots or sorted(schema.query_type.fields))
    return author.write(list(VIEWERS), is_mutation=is_mutation)


def compare(world: World, examples: int, *roots: str, raw: bool = False, at_once: bool = False) -> None:
    """Compare that many random scenarios."""

    @bounded(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=SIMPLE,
        phases=[Phase.generate],
    )
    @given(st.randoms(use_true_random=True))
    def all_agree(chance: Random) -> None:
        world.check(written(world, chance.randrange, *roots), raw=raw, at_once=at_once)

    all_agree()


@pytest.mark.parametrize("raw", [False, True], ids=["graphql", "raw"])
def test_queries_are_answered_as_by_the_reference(world: World, raw: bool) -> None:
    compare(world, 200, raw=raw)


def test_callers_who_ask_at_once_are_answered_as_if_they_were_alone(world: World) -> None:
    compare(world, 80, at_once=True)


def test_mutations_are_answered_as_by_the_reference(world: World) -> None:
    compare(world, 30, *WRITES)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, roots = FAULTS[name]
    plant(monkeypatch)
    world.renew()
    with pytest.raises(Differs):
        compare(world, 1000, *roots)
    monkeypatch.undo()
    world.renew()
