"""What happens between a command and its work: settings, database, migrations. Whatever prevents it is said in one sentence."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from dotenv.parser import parse_stream
from pydantic import ValidationError
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from demo.load import load
from errors import ApiError
from migrations import ROOT, migrate, run_apart
from postgres import EmbeddedPostgres, PostgresFailed
from settings import Settings

LEAST_FREE_BYTES = 48_000_000
"""A WAL segment is 16 MB, and recovery may need some."""
OLDEST_SERVER = 16

console = Console(highlight=False)

ending = threading.Event()
"""Whether a signal has asked this process to end: an exception raised inside a finalizer is lost, this is not."""


class CannotStart(Exception):
    """Why a command cannot do its work; each line is one clear sentence."""


class Step:
    """One line of progress; `detail` may be filled in meanwhile."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.detail = ""


def leave_if_ending() -> None:
    """End the process in order if a signal has asked for it."""
    if ending.is_set():
        raise SystemExit(0)


@contextmanager
def step(name: str, detail: str = "") -> Iterator[Step]:
    """Show that something is being done, and when it is done, how long it took."""
    leave_if_ending()
    began, this = time.perf_counter(), Step(name)
    this.detail = detail
    with console.status(f"{name} …") if console.is_terminal else contextlib.nullcontext():
        yield this
    leave_if_ending()
    console.print(f"[green]✓[/] {name:<12} {this.detail}  [dim]{time.perf_counter() - began:.1f} s[/]", soft_wrap=True)


def read_settings(env_file: Path = ROOT / ".env") -> Settings:
    """The settings of this process, or a sentence for each that is wrong, without its value."""
    wrong = list(_broken_lines(env_file))
    if wrong:
        raise CannotStart("\n".join(wrong))
    try:
        return Settings(_env_file=env_file)  # type: ignore[call-arg]
    except ValidationError as error:
        raise CannotStart("\n".join(_sentence(dict(each)) for each in error.errors())) from error


def _broken_lines(env_file: Path) -> Iterator[str]:
    if not env_file.exists():
        return
    try:
        with env_file.open(encoding="utf-8") as lines:
            for binding in parse_stream(lines):
                if binding.error:
                    yield f"Line {binding.original.line} of {env_file} cannot be understood: write NAME=value there."
    except OSError as error:
        yield f"{env_file} cannot be read: {error.strerror}."
    except UnicodeDecodeError:
        yield f"{env_file} is not UTF-8 text."


def _sentence(error: dict[str, object]) -> str:
    location = error["loc"]
    name = ".".join(str(part) for part in location).upper() if isinstance(location, tuple) else ""
    said = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{name} is not valid: {said[:1].lower()}{said[1:]}." if name else f"{said[:1].upper()}{said[1:]}."


def data_dir(settings: Settings) -> Path:
    """The folder that holds the embedded PostgreSQL."""
    return settings.data_folder


@contextmanager
def running_database(settings: Settings) -> Iterator[str]:
    """The address of a database that answers: the external one, or the embedded server for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        with step("PostgreSQL") as this:
            if settings.database_url:
                url, where = settings.database_url, urlsplit(settings.database_url).hostname or "local socket"
            else:
                folder = data_dir(settings)
                url, where = stack.enter_context(_embedded(folder)), f"embedded, in {_short(folder)}"
            this.detail = f"{server_version(url)}, {where}"
        yield url


@contextmanager
def _embedded(folder: Path) -> Iterator[str]:
    refuse_full_disk(folder)
    server = EmbeddedPostgres(folder)
    try:
        url = server.start()
    except PostgresFailed as error:
        raise CannotStart(str(error)) from error
    try:
        yield url
    finally:
        server.stop()


def refuse_full_disk(folder: Path) -> None:
    """A database on a full disk fails in many ways; say the cause before."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if free < LEAST_FREE_BYTES:
        raise CannotStart(
            f"The disk that holds {folder} is full: {free // 1_000_000} MB are free, {LEAST_FREE_BYTES // 1_000_000} MB are needed."
        )


def server_version(url: str) -> str:
    """The version of the server at an address; refuses one that is away or too old."""

    async def ask() -> str:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return str(await connection.fetchval("SHOW server_version")).split(" ", 1)[0]
        finally:
            await connection.close()

    try:
        version = run_apart(ask)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error).splitlines()[0] if isinstance(error, asyncpg.PostgresError) else "nobody answers there"
        raise CannotStart(f"PostgreSQL at {urlsplit(url).hostname or 'its socket'} cannot be used: {reason}.") from error
    if int(version.split(".", 1)[0].rstrip("betarc")) < OLDEST_SERVER:
        raise CannotStart(f"PostgreSQL {version} is too old: {OLDEST_SERVER} or newer is needed.")
    return version


BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError, ApiError, OSError)
"""What a database that fails while it is prepared raises."""


@contextmanager
def _failing_clearly(settings: Settings, what: str) -> Iterator[None]:
    """Say in one sentence what failed; a full disk shows itself in many ways, so it is asked after."""
    try:
        yield
    except BROKEN as error:
        if not settings.database_url:
            refuse_full_disk(data_dir(settings))
        raise CannotStart(f"{what}: {(str(error).splitlines() or [type(error).__name__])[0].rstrip('.')}.") from error


def migrated(settings: Settings, url: str) -> None:
    """Bring the database to the newest schema."""
    with step("Migrations") as this, _failing_clearly(settings, "The migrations failed"):
        this.detail = "applied" if migrate(url) else "up to date"


def demo_loaded(settings: Settings, url: str) -> None:
    """Fill a demo server with the demo world, as far as it is not there yet."""
    if not settings.is_demo:
        return
    with step("Demo world") as this, _failing_clearly(settings, "The demo world cannot be loaded"):
        chapters = run_apart(lambda: load(settings, url))
        this.detail = f"{chapters} chapters loaded" if chapters else "up to date"


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
