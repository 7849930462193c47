"""The worker of one process: what it has open, and its way to end."""

import asyncio
import signal

import uvicorn
from starlette.applications import Starlette

from background import alongside
from demo.clock import follow_clock
from engine.runtime import running
from jobs.worker import Worker
from settings import Settings


def work(settings: Settings, database_url: str) -> None:
    """Run jobs until a signal comes, and let those that are running then end."""

    async def until_told() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, stop.set)
        async with running(settings, database_url) as runtime:
            beside = [follow_clock(runtime.database)] if settings.is_demo else []
            async with alongside(*beside):
                await Worker(database_url, runtime.context).run(stop)

    with asyncio.Runner(loop_factory=uvicorn.Config(Starlette()).get_loop_factory()) as runner:
        runner.run(until_told())
