"""Runs main.py as a user would, in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psutil

from migrations import ROOT

PATIENCE = 60
NOTHING: Mapping[str, str] = {}


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """One run of a command, with its words so far."""

    def __init__(self, data: Path, *command: str, root: Path = ROOT, environment: Mapping[str, str] = NOTHING) -> None:
        self.data, self.port, self.crm_port = data, free_port(), free_port()
        self._output = data.parent / f"{data.name}-{self.port}.out"
        defaults = {"HOST": "127.0.0.1", "PORT": str(self.port), "CRM_PORT": str(self.crm_port), "DATA_DIR": str(data)}
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR") or name.startswith("COV")}
        with self._output.open("w") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "main.py", *command],
                cwd=root,
                env=inherited | defaults | dict(environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def words(self) -> str:
        return self._output.read_text()

    def wait_for(self, words: str, times: int = 1) -> None:
        """Wait until the program has said something."""
        deadline = time.monotonic() + PATIENCE
        while self.words.count(words) < times:
            assert self.process.poll() is None, self.words
            assert time.monotonic() < deadline, self.words
            time.sleep(0.02)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def ask(self, query: str, token: str = "") -> dict[str, Any]:
        """The data of a GraphQL answer that must have no errors."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = httpx2.post(f"http://127.0.0.1:{self.port}/graphql", json={"query": query}, headers=headers, timeout=20).json()
        assert "errors" not in answer, answer
        found: dict[str, Any] = answer["data"]
        return found

    def book(self, days: int = 2) -> str:
        """John of the demo world takes the last free slot of a day; returns the reference of his booking."""
        signed_in = self.ask('mutation { signIn(email: "user@example.com", password: "password123") { accessToken } }')
        token = signed_in["signIn"]["accessToken"]
        day = (datetime.now(UTC) + timedelta(days=days)).date()
        slots = self.ask(f'{{ availability(serviceId: 1, date: "{day}") {{ slots {{ startsAt }} }} }}', token)["availability"]["slots"]
        booked = self.ask(f'mutation {{ bookAppointment(serviceId: 1, startsAt: "{slots[-1]["startsAt"]}") {{ reference }} }}', token)
        return str(booked["bookAppointment"]["reference"])

    def remains(self) -> list[str]:
        """The command lines of processes that still use the data folder."""
        return [" ".join(line) for line in map(_command_line, psutil.process_iter()) if any(str(self.data) in word for word in line)]

    def leaves_nothing(self, within: float = 0) -> bool:
        """Whether all processes of the data folder are gone."""
        deadline = time.monotonic() + within
        while self.remains() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.remains()


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return [] if process.status() == psutil.STATUS_ZOMBIE else list(process.cmdline())
    except psutil.Error:
        return []


@contextmanager
def running(data: Path, *command: str, root: Path = ROOT, environment: Mapping[str, str] = NOTHING) -> Iterator[Program]:
    """A program that is killed at the end, should it still run."""
    program = Program(data, *command, root=root, environment=environment)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()
        program.leaves_nothing(within=20)
