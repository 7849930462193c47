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
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _guard(coroutine: Coroutine[Any, Any, Any]) -> None:
    try:
        await coroutine
    except Exception:  # whatever it is, the server goes on without this part
        logger.exception("background work failed", work=name_of(coroutine))


def name_of(coroutine: Coroutine[Any, Any, Any]) -> str:
    """The function that it came from."""
    return str(getattr(coroutine, "__qualname__", coroutine))
