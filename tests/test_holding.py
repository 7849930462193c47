"""No document that is allowed holds the loop for long, not even when it is seen for the first time."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from engine.answers import written
from engine.execute import Engine
from models.database import Database
from models.identity import Role
from resolvers.context import Viewer
from settings import Settings
from tests.people import nobody
from tests.permitted import documents, watching_the_loop

LOOP_SECONDS = 0.15
"""Three times the 50 ms that are promised, since the machine of the tests may be slow; of processor time, so that it may be busy."""
SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]
DOCUMENTS = documents(Engine(SETTINGS).schema, SETTINGS)


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    """What is there before is kept out of collections, as a server does when it has started."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_no_permitted_document_holds_the_loop(demo_url: str, settings: Settings, name: str) -> None:
    engine = Engine(settings)
    async with Database(demo_url, settings) as database:
        ctx = nobody(database, settings).with_viewer(Viewer(11, frozenset({Role.SUPER_ADMIN})))

        async def answer() -> bytes:
            found = await engine.run(DOCUMENTS[name], ctx, operation_name="Q0" if name == "ten operations" else None)
            assert found.was_run, found.errors
            return written(found.body(ctx))

        await engine.run("{ bookings { nodes { service { name } } } }", ctx)
        with watching_the_loop() as held:
            for _ in range(2):
                assert await asyncio.create_task(answer())
    assert held.longest < LOOP_SECONDS


def test_the_documents_are_as_large_as_may_be() -> None:
    assert len(DOCUMENTS["a text of 100 kB"]) == SETTINGS.max_query
    engine = Engine(SETTINGS)
    assert [engine.documents.get(each).errors for each in DOCUMENTS.values()] == [[]] * len(DOCUMENTS)
    larger = documents(engine.schema, SETTINGS.model_copy(update={"max_fields": 2 * SETTINGS.max_fields}))["as many pages as fit"]
    assert engine.documents.get(larger).errors
