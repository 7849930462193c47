"""Runs jobs: in `serve` inside of the server, or apart in `worker`; any number of workers share one queue."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import asyncpg
import orjson
import structlog
from pgqueuer import PgQueuer
from pgqueuer.errors import FailingListenerError, RetryRequested
from pgqueuer.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters

from jobs.queue import measure_jobs
from jobs.registry import CALENDAR, JOBS, Job

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 3600.0
POLL = timedelta(seconds=3)
"""How late a job is seen when the notice of it was lost."""
MEASURE_SECONDS = 15.0
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, FailingListenerError)


class MakeContext(Protocol):
    """How a job gets its context: that of the system itself, under a request id of its own."""

    def __call__(self, *, request_id: str, address: str, door: str) -> Any: ...


class GaveUp(Exception):
    """A job's last try failed; the message is what staff see."""


def pause_before(attempt: int) -> timedelta:
    """The pause before a further try: two seconds, four, eight … up to an hour, each a bit random."""
    seconds = min(FIRST_PAUSE * 2.0**attempt, LONGEST_PAUSE)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - spreads the tries, keeps no secret


@dataclass
class Attempt(AbstractEntrypointExecutor):
    """Runs one kind of job: tries again with growing pauses, and holds the job as failed after its last try."""

    job: Job
    make_context: MakeContext
    pause: Callable[[int], timedelta]

    async def execute(self, job: Any, context: Any) -> None:
        ctx = self.make_context(request_id=f"job_{job.id}", address="jobs", door="jobs")
        try:
            async with asyncio.timeout(self.job.seconds):
                await self.job.run(ctx, **orjson.loads(job.payload or b"{}"))
        except asyncio.CancelledError:
            # pgqueuer would drop a cancelled job; this one was only interrupted by the end of its worker.
            raise RetryRequested(timedelta(0), "interrupted") from None
        except Exception as error:  # whatever went wrong, the job is not lost
            # The first line only: a database error goes on with the values that it is about.
            reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            tries = job.attempts + 1
            log.warning("job_failed", name=self.job.name, id=job.id, tries=tries, error=reason, is_last=tries >= self.job.tries)
            if tries >= self.job.tries:
                raise GaveUp(reason) from None
            raise RetryRequested(self.pause(job.attempts), reason) from None


@dataclass(frozen=True)
class Worker:
    """What a worker runs, and how patient it is."""

    url: str
    make_context: MakeContext
    jobs: Iterable[Job] = JOBS
    calendar: Mapping[str, str] | None = None
    pause: Callable[[int], timedelta] = pause_before
    silence: timedelta = timedelta(seconds=30)
    """After which silence a worker counts as dead and its jobs are run by another."""
    grace: float = 20
    """Seconds that running jobs may take when the worker is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run jobs until told to stop, whatever happens to the connection; jobs that are running then may end."""
        pause = 0.1
        while not stop.is_set():
            try:
                async with asyncpg.create_pool(
                    self.url, min_size=1, max_size=4, timeout=3, command_timeout=10, server_settings={"application_name": "atrium jobs"}
                ) as pool:
                    pause = 0.1
                    await self._work(pool, stop)
            except Exception as error:  # a broken connection shows in many ways, and no worker may end before it is told to
                log.warning("jobs_interrupted", error=type(error).__name__, exc_info=None if isinstance(error, LOST) else error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await stop.wait()
                pause = min(pause * 2, 5.0)

    async def _work(self, pool: asyncpg.Pool, stop: asyncio.Event) -> None:
        queuer = PgQueuer.from_asyncpg_pool(pool)
        for job in self.jobs:
            queuer.entrypoint(job.name, on_failure="hold", accepts_context=False, executor_factory=self._attempt(job))(job.run)
        for name, when in (CALENDAR if self.calendar is None else self.calendar).items():
            queuer.schedule(name, when)(self._enter(queuer, name))
        running = asyncio.create_task(
            queuer.run(dequeue_timeout=POLL, heartbeat_timeout=self.silence, shutdown_on_listener_failure=True), name="jobs"
        )
        stopping = asyncio.create_task(stop.wait())
        measuring = asyncio.create_task(_measure(pool))
        try:
            await asyncio.wait([running, stopping, measuring], return_when=asyncio.FIRST_COMPLETED)
            queuer.shutdown.set()
            await asyncio.wait([running], timeout=self.grace)
        finally:
            for task in (running, stopping, measuring):
                task.cancel()
            ends = await asyncio.gather(running, measuring, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def _attempt(self, job: Job) -> Callable[[EntrypointExecutorParameters], Attempt]:
        return lambda parameters: Attempt(parameters, job, self.make_context, self.pause)

    def _enter(self, queuer: PgQueuer, name: str) -> Callable[[Any], Any]:
        """The calendar only puts jobs into the queue, where they are retried and seen like any other."""

        async def enter(_: Any) -> None:
            await queuer.qm.queries.enqueue(name, b"{}", dedupe_key=f"calendar {name}", on_conflict="skip")

        return enter


async def _measure(pool: asyncpg.Pool) -> None:
    while True:
        await measure_jobs(pool)
        await asyncio.sleep(MEASURE_SECONDS)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    """Run jobs beside something else, and let those that are running end with it."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop), name="worker")
    try:
        yield
    finally:
        stop.set()
        await task
