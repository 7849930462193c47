"""Restart a command whenever a source file changes."""

import subprocess
from collections.abc import Sequence

from watchfiles import DefaultFilter, watch

from migrations import ROOT
from startup import console

PATIENCE = 10


class Sources(DefaultFilter):
    """What a running server is made of."""

    ignore_dirs = (*DefaultFilter.ignore_dirs, "data", "tests", "docs", ".mypy_cache", ".ruff_cache", "htmlcov")

    def __call__(self, change: object, path: str) -> bool:
        wanted = path.endswith((".py", ".graphql", ".html", ".css", ".js", "/.env"))
        return wanted and super().__call__(change, path)  # type: ignore[arg-type]


def watch_and_run(command: Sequence[str]) -> None:
    """Run the command; end and start it again after each change, until Ctrl-C or SIGTERM."""
    child = subprocess.Popen(command)  # noqa: S603 - our own program
    try:
        for changes in watch(ROOT, watch_filter=Sources(), raise_interrupt=False):
            names = sorted({path.removeprefix(f"{ROOT}/") for _, path in changes})
            console.print(f"[yellow]↻[/] {', '.join(names[:3])} changed", soft_wrap=True)
            _end(child)
            child = subprocess.Popen(command)  # noqa: S603 - our own program
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
