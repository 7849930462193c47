"""Jobs: run once their transaction is committed, tried again, never lost, and seen when they fail for good."""

import asyncio
import functools
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from errors import Unavailable
from jobs.queue import drop, enqueue, failed_jobs, requeue
from jobs.registry import CALENDAR, JOBS, Job
from jobs.worker import Worker, pause_before, working
from models.database import Database
from resolvers.context import Context
from settings import Settings
from tests.people import nobody
from tests.sql import sql, value

SOON = timedelta(milliseconds=50)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - jobs tell nobody
        await asyncio.sleep(0.02)


class Diary:
    """What ran, in which order, for whom."""

    def __init__(self, failures: int = 0) -> None:
        self.runs: list[int] = []
        self.contexts: list[Context] = []
        self.failures = failures

    async def note(self, ctx: Context, number: int) -> None:
        self.runs.append(number)
        self.contexts.append(ctx)
        if len(self.runs) <= self.failures:
            raise Unavailable(f"Try {len(self.runs)} fails.\nkey (email)=(ada@example.com)")

    async def has(self, count: int, seconds: float = 8) -> None:
        async with asyncio.timeout(seconds):
            await until(lambda: len(self.runs) >= count)


@pytest.fixture
def make_context(database: Database, settings: Settings) -> Callable[..., Context]:
    return functools.partial(nobody, database, settings)


@pytest.fixture
def worker(database: Database, make_context: Callable[..., Context]) -> Callable[..., Worker]:
    def make(*jobs: Job, **about: Any) -> Worker:
        return Worker(database.url, make_context, jobs, about.pop("calendar", {}), pause=about.pop("pause", lambda _: SOON), **about)

    return make


async def put(database: Database, *numbers: int, name: str = "note", **about: Any) -> None:
    async with database.sessions.begin() as db:
        for number in numbers:
            await enqueue(db, name, {"number": number}, **about)


async def left(database: Database) -> dict[str, int]:
    rows = await sql(database, "SELECT status::text, count(*) AS count FROM pgqueuer GROUP BY 1")
    return {row["status"]: row["count"] for row in rows}


async def test_a_job_runs_only_when_its_transaction_is_committed(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary()
    async with working(worker(Job("note", diary.note))):
        async with database.sessions() as db:
            await enqueue(db, "note", {"number": 1})
            await asyncio.sleep(0.3)
            assert diary.runs == []
            await db.rollback()
        async with database.sessions.begin() as db:
            await enqueue(db, "note", {"number": 2})
            assert diary.runs == []
        await diary.has(1)
    assert diary.runs == [2]
    assert diary.contexts[0].request_id.startswith("job_")
    assert await left(database) == {}


async def test_two_workers_run_each_job_once(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary()
    job = Job("note", diary.note)
    async with working(worker(job)), working(worker(job)):
        for start in range(0, 100, 20):
            await put(database, *range(start, start + 20))
        await diary.has(100)
        await asyncio.sleep(0.3)
    assert Counter(diary.runs) == Counter(range(100))


async def test_a_later_job_waits_for_its_time(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary()
    async with working(worker(Job("note", diary.note))):
        await put(database, 1, after=timedelta(seconds=1))
        await asyncio.sleep(0.6)
        assert diary.runs == []
        await diary.has(1)


async def test_a_key_lets_one_job_wait_at_a_time(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary()
    await put(database, 1, 2, key="same")
    await put(database, 3, key="same")
    async with working(worker(Job("note", diary.note))):
        await diary.has(1)
        while await left(database):  # noqa: ASYNC110 - nor do they here
            await asyncio.sleep(0.02)
        await put(database, 4, key="same")
        await diary.has(2)
    assert diary.runs == [1, 4]


async def test_a_job_that_fails_is_tried_again_with_growing_pauses(database: Database, worker: Callable[..., Worker]) -> None:
    diary, paused = Diary(failures=3), list[int]()

    def pause(attempt: int) -> timedelta:
        paused.append(attempt)
        return SOON

    async with working(worker(Job("note", diary.note), pause=pause)):
        await put(database, 7)
        await diary.has(4)
    assert diary.runs == [7, 7, 7, 7]
    assert paused == [0, 1, 2]
    assert await left(database) == {}
    pauses = [pause_before(attempt).total_seconds() for attempt in (0, 3, 30)]
    assert 1.5 <= pauses[0] <= 2.5
    assert 12 <= pauses[1] <= 20
    assert 2700 <= pauses[2] <= 4500


async def test_a_job_that_fails_for_good_is_kept_shown_and_can_run_again(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary(failures=3)
    async with working(worker(Job("note", diary.note, tries=3))):
        await put(database, 7)
        await diary.has(3)
        async with asyncio.timeout(5):
            while not await failed_jobs(database):  # noqa: ASYNC110 - nor when they fail
                await asyncio.sleep(0.02)
        [failed] = await failed_jobs(database)
        assert (failed.name, failed.payload, failed.tries) == ("note", {"number": 7}, 3)
        assert failed.error == "Unavailable: Try 3 fails."  # and nothing of the lines below, which may hold personal data
        assert await failed_jobs(database, before=failed.number) == []
        async with database.sessions.begin() as db:
            assert await requeue(db, [failed.number, failed.number + 1]) == [failed.number]
        await diary.has(4)
    assert await failed_jobs(database) == []
    assert await left(database) == {}


async def test_a_failed_job_can_be_dropped(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary(failures=1)
    async with working(worker(Job("note", diary.note, tries=1))):
        await put(database, 7)
        await diary.has(1)
    [failed] = await failed_jobs(database)
    async with database.sessions.begin() as db:
        assert await drop(db, [failed.number]) == [failed.number]
        assert await drop(db, [failed.number]) == []
    assert await left(database) == {}


async def test_a_job_that_takes_too_long_is_tried_again(database: Database, worker: Callable[..., Worker]) -> None:
    tries: list[int] = []

    async def dawdle(_: Context, number: int) -> None:
        tries.append(number)
        await asyncio.sleep(5 if len(tries) == 1 else 0)

    async with working(worker(Job("note", dawdle, seconds=0.2))), asyncio.timeout(5):
        await put(database, 1)
        await until(lambda: len(tries) == 2)


async def test_a_worker_that_stops_lets_its_jobs_end(database: Database, worker: Callable[..., Worker]) -> None:
    began, ended = asyncio.Event(), list[int]()

    async def work(_: Context, number: int) -> None:
        began.set()
        await asyncio.sleep(0.5)
        ended.append(number)

    async with working(worker(Job("note", work))):
        await put(database, 1)
        await began.wait()
    assert ended == [1]
    assert await left(database) == {}


async def test_a_job_that_a_stopping_worker_interrupts_is_run_by_the_next(database: Database, worker: Callable[..., Worker]) -> None:
    began = asyncio.Event()

    async def work(_: Context, number: int) -> None:
        began.set()
        await asyncio.sleep(60)

    async with asyncio.timeout(10):
        async with working(worker(Job("note", work), grace=0.2)):
            await put(database, 1)
            await began.wait()
        assert await left(database) == {"queued": 1}
        diary = Diary()
        async with working(worker(Job("note", diary.note))):
            await diary.has(1)


async def test_the_job_of_a_killed_worker_is_run_by_another(database: Database, worker: Callable[..., Worker]) -> None:
    doomed = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-m", "tests.napping_worker", database.url, stdout=asyncio.subprocess.PIPE
    )
    diary = Diary()
    try:
        await put(database, 5, name="nap")
        assert doomed.stdout is not None
        async with asyncio.timeout(20):
            assert await doomed.stdout.readline() == b"5\n"
        assert await left(database) == {"picked": 1}
        async with working(worker(Job("nap", diary.note), silence=timedelta(seconds=2))):
            await asyncio.sleep(3)
            assert diary.runs == []  # it still lives
            doomed.send_signal(signal.SIGKILL)
            await diary.has(1, 15)
    finally:
        if doomed.returncode is None:
            doomed.kill()
        await doomed.wait()
    assert diary.runs == [5]


async def test_a_worker_survives_the_loss_of_its_connections(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary()
    async with working(worker(Job("note", diary.note))):
        await put(database, 1)
        await diary.has(1)
        killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'atrium jobs'"
        assert await value(database, killed) >= 1
        await put(database, 2)
        await diary.has(2, 15)


async def test_the_calendar_queues_one_job_for_all_workers(database: Database, worker: Callable[..., Worker]) -> None:
    runs: list[str] = []

    async def tick(ctx: Context) -> None:
        runs.append(ctx.request_id)

    every_second = {"tick": "* * * * * *"}
    async with working(worker(Job("tick", tick), calendar=every_second)), working(worker(Job("tick", tick), calendar=every_second)):
        await asyncio.sleep(4.5)
    assert 1 <= len(runs) <= 5
    assert len(set(runs)) == len(runs)


async def test_failed_and_waiting_jobs_are_metrics(database: Database, worker: Callable[..., Worker]) -> None:
    diary = Diary(failures=1)
    async with working(worker(Job("note", diary.note, tries=1))):
        await put(database, 7)
        await diary.has(1)
    await put(database, 8, name="nobody")
    async with working(worker(Job("note", diary.note))):
        await asyncio.sleep(0.3)
    assert REGISTRY.get_sample_value("atrium_jobs_failed") == 1
    assert REGISTRY.get_sample_value("atrium_jobs_waiting") == 1


def test_every_job_of_the_calendar_exists_and_names_are_unique() -> None:
    names = Counter(job.name for job in JOBS)
    assert set(CALENDAR) <= set(names)
    assert set(names.values()) == {1}
