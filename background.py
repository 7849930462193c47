"""Work that goes on beside the requests for as long as a process serves."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

logger = structlog.get_logger()


@asynccontextmanager
async def alongside(*coroutines: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Run these beside the block, and end them with it; one that fails is logged, and the others go on."""
    tasks = [asyncio.create_task(_guard(each), name=name_of(each)) for each in coroutines]
    try:
        yield
    finally:
        waiting = set(tasks)
        while waiting:  # asyncpg on Python 3.11 may swallow a cancellation that comes just when its work is done
            for task in waiting:
                task.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=1)


async def _guard(coroutine: Coroutine[Any, Any, Any]) -> None:
    try:
        await coroutine
    except Exception:  # whatever it is, the server goes on without this part
        logger.exception("background work failed", work=name_of(coroutine))


def name_of(coroutine: Coroutine[Any, Any, Any]) -> str:
    """The function that it came from."""
    return str(getattr(coroutine, "__qualname__", coroutine))
