"""A worker that takes a job and never ends it; run as a program, so that it can be killed."""

import asyncio
import sys
from datetime import timedelta
from typing import Any

from jobs.registry import Job
from jobs.worker import Worker


async def nap(_: Any, number: int) -> None:
    print(number, flush=True)
    await asyncio.sleep(600)


def no_context(*, request_id: str, address: str, door: str) -> tuple[str, str, str]:
    return request_id, address, door


if __name__ == "__main__":
    asyncio.run(Worker(sys.argv[1], no_context, [Job("nap", nap)], {}, silence=timedelta(seconds=2)).run(asyncio.Event()))
