"""The product as a user starts it, in a temporary folder, and whatever else the bench starts; all of it ends with the bench."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from postgres import EmbeddedPostgres

ROOT = Path(__file__).parent.parent
START_SECONDS = 180
STOP_SECONDS = 60
TOKEN_MINUTES = 600
POINTS = 1_000_000_000


class BenchFailed(Exception):
    """Why nothing can be measured, in one sentence."""


@dataclass(frozen=True)
class Process:
    """Something that serves, and where."""

    pid: int
    port: int

    @property
    def cpu_seconds(self) -> float:
        """What it has used of the processor so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def resident_bytes(self) -> int:
        """What it holds in memory now."""
        return int(psutil.Process(self.pid).memory_info().rss)


@dataclass(frozen=True)
class Product:
    """The running product with its database."""

    server: Process
    database_url: str
    folder: Path

    @property
    def superuser_url(self) -> str:
        """The same database for whoever owns the cluster."""
        return self.database_url.replace("//atrium@", "//postgres@")

    @property
    def postgres_cpu_seconds(self) -> float:
        """What PostgreSQL has used of the processor so far, the backends that have ended included."""
        postmaster = psutil.Process(int((self.folder / "postgres/cluster/postmaster.pid").read_text().split("\n", 1)[0]))
        times = postmaster.cpu_times()
        used = float(times.user + times.system + times.children_user + times.children_system)
        for each in postmaster.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                backend = each.cpu_times()
                used += backend.user + backend.system
        return used


@contextlib.contextmanager
def running_product(*, command: tuple[str, ...] = (), settings: Mapping[str, str] | None = None) -> Iterator[Product]:
    """`python main.py serve` over an empty database of its own; `command` may stand before main.py, such as a profiler's options."""
    folder = Path(tempfile.mkdtemp(prefix="atrium-bench-"))
    ports = free_port(), free_port()
    environment = os.environ | {
        "DATA_DIR": str(folder),
        "HOST": "127.0.0.1",
        "PORT": str(ports[0]),
        "CRM_PORT": str(ports[1]),
        "DATABASE_URL": "",
        "BROADCAST_URL": "",
        "MODE": "demo",
        "ACCESS_MINUTES": str(TOKEN_MINUTES),
        "COST_BUDGET": str(POINTS),  # counted as ever, and never used up
        "COST_BUDGET_STRANGERS": str(POINTS),
        "RUN_JOBS": "false",  # mails and the like belong to `make worker`; the opponents write none
        "LOG_LEVEL": "warning",  # nor do they write a line per request
        **(settings or {}),
    }
    try:
        with (folder / "serve.log").open("wb") as log, started([*command, "main.py", "serve"], environment, log.fileno()) as pid:
            server = Process(pid, ports[0])
            wait_until_it_answers(server, "/livez", folder / "serve.log")
            with EmbeddedPostgres(folder) as url:
                yield Product(server, url, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_floor(product: Product, statements: Path) -> Iterator[Process]:
    """The hand-written server over the same database, on the same HTTP server."""
    port = free_port()
    environment = os.environ | {"BENCH_DATABASE_URL": product.database_url, "BENCH_STATEMENTS": str(statements)}
    options = ["-m", "uvicorn", "bench.floor:app", "--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    with (product.folder / "floor.log").open("wb") as log, started(options, environment, log.fileno()) as pid:
        server = Process(pid, port)
        wait_until_it_answers(server, "/hello", product.folder / "floor.log")
        yield server


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(arguments: list[str], environment: dict[str, str], output: int) -> Iterator[int]:
    """A Python program of ours, ended by its process id in whatever way the block ends."""
    program = subprocess.Popen(  # noqa: S603 - our own programs with our own arguments
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
    )
    try:
        yield program.pid
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            program.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def wait_until_it_answers(server: Process, path: str, log: Path) -> None:
    """BenchFailed with the end of its log when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5):
                return
        except (OSError, urllib.error.HTTPError):
            if not psutil.pid_exists(server.pid) or psutil.Process(server.pid).status() == psutil.STATUS_ZOMBIE:
                break
            time.sleep(0.1)
    raise BenchFailed(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")
