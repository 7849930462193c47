"""Lets clients that others wrote try a server of its own: npm's packages, by the versions and hashes of the lock."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.program import running

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules" / ".package-lock.json"
LOCK = HERE / "package-lock.json"


def _install(npm: str) -> None:
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < LOCK.stat().st_mtime:
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HERE, check=True)  # noqa: S603 - nothing of a stranger


def main() -> int:
    """Install, serve, run; the exit code is that of the tests."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("These tests need Node.js 20 or newer with npm.", file=sys.stderr)
        return 1
    _install(npm)
    with tempfile.TemporaryDirectory(prefix="atr-") as folder, running(Path(folder) / "data", "serve") as program:
        program.wait_for("Atrium is ready")
        environment = {**os.environ, "ATRIUM": f"http://127.0.0.1:{program.port}"}
        tests = sorted(str(each.name) for each in HERE.glob("*.test.js"))
        one_by_one = [node, "--test", "--test-concurrency=1", "--test-timeout=60000"]
        ran = subprocess.run([*one_by_one, *tests], cwd=HERE, env=environment, check=False)  # noqa: S603 - tests of ours
        program.end()
        return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
