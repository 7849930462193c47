"""The embedded PostgreSQL 18: one server per data folder, shared by every process of the project, gone with the last of them.

A small keeper process (postgres_keeper.py) owns the server. Whoever uses it holds a connection to the keeper, and when the last
of these connections closes, in whatever way its process ended, the keeper stops the server and ends. So nothing is left behind
after Ctrl-C, SIGTERM or even SIGKILL, and two processes never disagree about who may stop it.
"""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

KEEPER = Path(__file__).with_name("postgres_keeper.py")
LONGEST_SOCKET_PATH = 100
"""Linux allows 107 bytes, macOS 103."""
START_SECONDS = 330
"""Crash recovery of a big database may take minutes; the keeper itself gives up after 300 s."""
STOP_SECONDS = 40


class PostgresFailed(Exception):
    """The embedded PostgreSQL cannot be started; the message says why in one sentence."""


def socket_folder(home: Path) -> Path:
    """Where the sockets of a data folder live: inside of it, or in the temporary folder if that path were too long."""
    inside = home / "run"
    if len(os.fsencode(inside / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return inside
    return Path(tempfile.gettempdir()) / f"atrium-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


class EmbeddedPostgres:
    """A handle on the server of one data folder. `options` are server settings, such as fsync="off" for tests."""

    def __init__(self, data_dir: Path, **options: str) -> None:
        self.home = data_dir.resolve() / "postgres"
        self._options = [f"{name}={value}" for name, value in options.items()]
        self._line: socket.socket | None = None
        self._stopping = False

    def start(self) -> str:
        """Start the server or join the running one, and return its address."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            probe = self.home / f".probe-{os.getpid()}"
            probe.write_text("written to see whether the folder can be written\n")
            probe.unlink()
        except OSError as error:
            raise PostgresFailed(f"The data folder {self.home.parent} cannot be written: {error.strerror}.") from error
        self._line, url = self._reach_keeper()
        threading.Thread(target=self._watch_keeper, name="postgres keeper", daemon=True).start()
        return url

    def stop(self) -> None:
        """Let go of the server; when nobody else holds it, wait until it has stopped."""
        line, self._line, self._stopping = self._line, None, True
        if line is None:
            return
        with line, contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_WR)
            line.settimeout(STOP_SECONDS)
            while line.recv(100):
                pass

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _reach_keeper(self) -> tuple[socket.socket, str]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            line = self._call_keeper() or self._spawn_keeper()
            line.settimeout(max(1, deadline - time.monotonic()))
            try:
                answer = json.loads(line.makefile().readline() or "{}")
            except OSError as error:
                line.close()
                raise PostgresFailed(f"PostgreSQL did not start in {START_SECONDS} s; see {self.home / 'log'}.") from error
            if "url" in answer:
                line.settimeout(None)
                return line, str(answer["url"])
            line.close()
            if "error" in answer:
                raise PostgresFailed(str(answer["error"]))
            time.sleep(0.2)  # another keeper is just starting or stopping
        raise PostgresFailed(f"PostgreSQL did not start in {START_SECONDS} s; see {self.home / 'log'}.")

    def _call_keeper(self) -> socket.socket | None:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(str(socket_folder(self.home) / "keeper"))
        except OSError:
            line.close()
            return None
        return line

    def _spawn_keeper(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        try:
            with theirs, (self.home / "log").open("ab") as log:
                keeper = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
                    [sys.executable, str(KEEPER), str(self.home), str(theirs.fileno()), *self._options],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,  # Ctrl-C reaches the whole terminal group; the server must outlive its clients' last words
                )
        except OSError as error:
            raise PostgresFailed(f"PostgreSQL cannot be started in {self.home}: {error.strerror}.") from error
        threading.Thread(target=keeper.wait, name="reap keeper", daemon=True).start()
        return ours

    def _watch_keeper(self) -> None:
        """Should the keeper itself be killed, a new one takes over."""
        while (line := self._line) is not None:
            with contextlib.suppress(OSError):
                while line.recv(100):
                    pass
            if self._stopping:
                return
            with contextlib.suppress(PostgresFailed):
                fresh, _ = self._reach_keeper()
                if self._stopping:
                    fresh.close()
                    return
                self._line = fresh
            line.close()
            time.sleep(0.2)
