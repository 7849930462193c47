"""Crowds: who wants the same thing at the same moment waits in this process, not on a database connection each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class _Queue:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


_queues: dict[Hashable, _Queue] = {}
_shared: dict[Hashable, "asyncio.Task[Any]"] = {}


@asynccontextmanager
async def turn(key: Hashable) -> AsyncIterator[bool]:
    """Be the only one of this process inside the block; says whether others were before. Other processes meet in the database."""
    queue = _queues.setdefault(key, _Queue())
    queue.length += 1
    try:
        has_waited = queue.lock.locked()
        async with queue.lock:
            yield has_waited
    finally:
        queue.length -= 1
        if not queue.length:
            _queues.pop(key, None)


async def shared(key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
    """What is worked out once for all who ask while it is being worked out."""
    task = _shared.get(key)
    if task is None or task.get_loop() is not asyncio.get_running_loop():
        task = _shared[key] = asyncio.ensure_future(_work(work))
        task.add_done_callback(lambda done: _shared.pop(key, None) if _shared.get(key) is done else None)
    found: T = await asyncio.shield(task)
    return found


async def _work(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
