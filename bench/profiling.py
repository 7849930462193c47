"""Where the time of the server goes, by operation: py-spy looks at it a few hundred times a second while wrk asks."""

import shutil
import subprocess
import threading
from collections import Counter
from pathlib import Path

from bench.calls import Calls
from bench.product import ROOT, BenchFailed, Product
from bench.rounds import Target, measure

OPERATIONS = ("catalogue", "my_bookings", "one_service", "book", "catalogue_rest")
CONNECTIONS, SECONDS, SAMPLES_A_SECOND = 16, 6, 250
PACKAGES = ("sqlalchemy", "graphql", "asyncpg", "starlette", "uvicorn", "strawberry", "aiodataloader", "orjson", "jwt", "asyncio")
SHOWN = 18
OUTERMOST = ("main.py", "listening.py")


def find_py_spy() -> str:
    """The profiler, or a sentence that says how to get it."""
    found = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(".venv/bin")))
    if found is None:
        raise BenchFailed("The profiler py-spy is missing: install it (.venv/bin/pip install py-spy).")
    return found


def profile(product: Product, calls: Calls) -> str:
    """A paragraph for each operation: the share of each package, and of each function of ours with the libraries that it calls."""
    return "\n\n".join(_profile(product, calls, name) for name in OPERATIONS)


def _profile(product: Product, calls: Calls, name: str) -> str:
    target = Target(name, product.server, calls.of(name), name == "book")
    measure(product, target, CONNECTIONS, 1)
    load = threading.Thread(target=measure, args=(product, target, CONNECTIONS, SECONDS))
    load.start()
    file = product.folder / f"{name}.raw"
    options = ["-d", str(SECONDS - 1), "-r", str(SAMPLES_A_SECOND), "-f", "raw", "-o", str(file), "-p", str(product.server.pid)]
    done = subprocess.run([find_py_spy(), "record", *options], capture_output=True, check=False)  # noqa: S603 - our own arguments
    load.join()
    if done.returncode:
        raise BenchFailed(f"py-spy failed: {done.stderr.decode(errors='replace')[-500:]}")
    return _read(name, file.read_text())


def _read(name: str, stacks: str) -> str:
    packages: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        if any("serve (main.py" in each for each in frames):
            packages[_package(frames[-1])] += int(samples)
            functions[_innermost_of_ours(frames)] += int(samples)
    total = max(packages.total(), 1)
    lines = [f"{name}: " + ", ".join(f"{package} {count / total:.0%}" for package, count in packages.most_common(9) if count > total / 100)]
    lines += [f"  {count / total:4.0%}  {function}" for function, count in functions.most_common(SHOWN)]
    return "\n".join(lines)


def _package(frame: str) -> str:
    """Whose code a frame runs: a package's, or one of our folders'."""
    file = _file(frame)
    return next((each for each in PACKAGES if file.startswith(f"{each}/")), file.partition("/")[0])


def _innermost_of_ours(frames: list[str]) -> str:
    """The function of the product that a sample counts for, whatever library it is just waiting for."""
    ours = [each for each in frames if (ROOT / _file(each)).is_file() and _file(each) not in OUTERMOST]
    if not ours:
        return "HTTP server, framework and event loop"
    function, _, place = ours[-1].rpartition(" (")
    return f"{place.partition(':')[0]} {function}"


def _file(frame: str) -> str:
    return frame.rpartition("(")[2].partition(":")[0]
