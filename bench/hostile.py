"""How long the worst documents and bodies keep the process busy: `python -m bench.hostile`."""

import gc
import time
from collections.abc import Callable
from typing import Any

from engine.execute import Engine
from engine.guard import check_values, parse_json
from errors import ApiError
from settings import Settings
from tests.hostile import BODIES, DOCUMENTS

ROUNDS = 5
PROMISED = 0.050


def busy(work: Callable[[], Any]) -> float:
    """Seconds of processor time, at best."""
    took = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.process_time()
        try:
            work()
        except ApiError:
            pass
        took.append(time.process_time() - began)
    return min(took)


def read(body: bytes, largest: int) -> None:
    """What is done with a body before anything else."""
    check_values(parse_json(body[:largest]))


def main() -> None:
    """Print a line for each, the slowest last."""
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    documents = Engine(settings).documents
    lines = [(busy(lambda each=each: documents._read(each.query)), f"document: {each.name}") for each in DOCUMENTS]  # type: ignore[misc]
    lines += [(busy(lambda body=body: read(body, settings.max_body)), f"body: {name}") for name, body in BODIES.items()]  # type: ignore[misc]
    for seconds, name in sorted(lines):
        print(f"{seconds * 1000:7.1f} ms{'  over what is promised' if seconds > PROMISED else ''}  {name}")


if __name__ == "__main__":
    main()
