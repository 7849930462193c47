"""One round of load with wrk, and what it cost."""

import itertools
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.calls import Call
from bench.product import BenchFailed, Process, Product

SCRIPT = Path(__file__).with_name("wrk.lua")
MEASURED = re.compile(rb"^MEASURED (\{.*\})$", re.MULTILINE)
MOST_A_SECOND = 20_000
"""Requests that are made ready for each second; more than any server here answers, except to those that may come again."""
FEWEST_TO_REPEAT = 2000
"""Requests that come again and again where it does no harm."""
QUIET_SECONDS, LONGEST_AFTERMATH = 0.1, 5.0


@dataclass(frozen=True)
class Target:
    """One server's way to answer one operation."""

    name: str
    server: Process
    calls: Iterator[Call]
    is_write: bool = False


@dataclass(frozen=True)
class Round:
    """What one round showed; times in microseconds."""

    requests: int
    per_second: float
    p50: float
    p95: float
    p99: float
    server_cpu: float
    postgres_cpu: float
    refused: int


def find_wrk() -> str:
    """The load generator, or a sentence that says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchFailed("The load generator wrk is missing: install it (Debian: apt-get install wrk).")
    return found


def measure(product: Product, target: Target, connections: int, seconds: int, *, pause: int | None = None) -> Round:
    """Send requests for some seconds over some connections, as fast as they go or with a pause of about so many milliseconds."""
    number = MOST_A_SECOND // 4 * seconds if target.is_write else FEWEST_TO_REPEAT
    with tempfile.NamedTemporaryFile(prefix="requests-", dir=product.folder) as file:
        file.writelines(each.line() for each in itertools.islice(target.calls, number))
        file.flush()
        _wait_until_idle(product)
        before = target.server.cpu_seconds, product.postgres_cpu_seconds
        measured = _wrk(target, connections, seconds, file.name, pause)
        after = target.server.cpu_seconds, product.postgres_cpu_seconds
    requests = measured["requests"]
    if not requests:  # so slow that nothing was answered in time
        measured |= {"requests": 1, "p50": seconds * 1_000_000, "p95": seconds * 1_000_000, "p99": seconds * 1_000_000}
        requests = 1
    if measured["broken"]:
        raise BenchFailed(f"{target.name}: {measured['broken']} connections broke or timed out.")
    return Round(
        requests,
        requests / measured["microseconds"] * 1e6,
        measured["p50"],
        measured["p95"],
        measured["p99"],
        (after[0] - before[0]) / requests * 1e6,
        (after[1] - before[1]) / requests * 1e6,
        measured["refused"],
    )


def _wait_until_idle(product: Product) -> None:
    """Let the server finish what an earlier round asked for and did not wait for, such as the mails about its bookings."""
    deadline = time.monotonic() + LONGEST_AFTERMATH
    used = product.server.cpu_seconds
    while time.monotonic() < deadline:
        time.sleep(QUIET_SECONDS)
        before, used = used, product.server.cpu_seconds
        if used - before < QUIET_SECONDS / 5:
            return


def _wrk(target: Target, connections: int, seconds: int, requests: str, pause: int | None) -> dict[str, int]:
    url = f"http://127.0.0.1:{target.server.port}/"
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT), url, "--", requests]
    options += [str(pause)] if pause is not None else []
    done = subprocess.run([find_wrk(), *options], capture_output=True, check=False)  # noqa: S603 - our own arguments
    found = MEASURED.search(done.stdout)
    if found is None:
        raise BenchFailed(f"wrk failed: {(done.stderr or done.stdout).decode(errors='replace')[-500:]}")
    measured: dict[str, int] = orjson.loads(found[1])
    return measured


def middle(rounds: Sequence[Round]) -> Round:
    """The median of each figure."""
    return Round(
        requests=sum(each.requests for each in rounds),
        per_second=statistics.median(each.per_second for each in rounds),
        p50=statistics.median(each.p50 for each in rounds),
        p95=statistics.median(each.p95 for each in rounds),
        p99=statistics.median(each.p99 for each in rounds),
        server_cpu=statistics.median(each.server_cpu for each in rounds),
        postgres_cpu=statistics.median(each.postgres_cpu for each in rounds),
        refused=sum(each.refused for each in rounds),
    )


def ratio(rounds: Sequence[Round], others: Sequence[Round]) -> float:
    """The median of the ratios of the requests/s of rounds that ran one after the other."""
    return statistics.median(one.per_second / other.per_second for one, other in zip(rounds, others, strict=True))
