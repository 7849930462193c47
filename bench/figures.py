"""What was measured, as a table for people and as JSON for programs."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.rounds import Round, middle, ratio

Rounds = Mapping[tuple[str, int], Sequence[Round]]
"""The rounds of each target, by its name and the number of connections."""

TITLES = {
    "catalogue": "catalogue of 50",
    "my_bookings": "my 20 bookings",
    "one_service": "one service",
    "book": "book an appointment",
    "catalogue_floor": "  hand-written",
    "my_bookings_floor": "  hand-written",
    "one_service_floor": "  hand-written",
    "book_at_once": "  hand-written, one statement",
    "book_by_list": "  hand-written, list of statements",
    "catalogue_rest": "catalogue, REST document",
    "my_bookings_rest": "my bookings, REST document",
    "one_service_rest": "one service, REST document",
    "catalogue_twin": "  the same document at /graphql",
    "my_bookings_twin": "  the same document at /graphql",
    "one_service_twin": "  the same document at /graphql",
    "hello": "bare handler, hello",
    "catalogue_bare": "bare handler, statements of the catalogue",
    "one_service_bare": "bare handler, statements of one service",
}
GROUPS = (
    ("catalogue", "catalogue_floor"),
    ("my_bookings", "my_bookings_floor"),
    ("one_service", "one_service_floor"),
    ("book", "book_at_once", "book_by_list"),
)
REST_GROUPS = (
    ("catalogue_rest", "catalogue_twin"),
    ("my_bookings_rest", "my_bookings_twin"),
    ("one_service_rest", "one_service_twin"),
)
BARE_GROUP = ("hello", "catalogue_bare", "one_service_bare")
GOALS = {"catalogue": 1.2, "my_bookings": 1.2, "one_service": 1.3, "book": 0.6}
"""How many times the floor's requests the product shall answer; a booking is held against the list of statements."""
REST_GOAL, SPREAD_GOAL = 0.9, 1.5
CPU_GOALS = {"catalogue": 150, "one_service": 60}
BEGIN, END = "<!-- figures, written by make bench -->", "<!-- end of figures -->"


def machine() -> str:
    """On what this ran."""
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.processor(),
    )
    cores, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().total / 2**30
    return f"{cores} cores of {model}, {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}, one server process"


def comparisons(rounds: Rounds, connections: Sequence[int]) -> Iterator[tuple[str, int, float, float | None]]:
    """Each figure to reach: what it is, at how many connections, what it came to, what it shall be."""
    for at in connections:
        for one, *others in GROUPS:
            for other in others:
                if (one, at) in rounds and (other, at) in rounds:
                    goal = GOALS[one] if other != "book_at_once" else None
                    mine, theirs = rounds[one, at], rounds[other, at]
                    yield f"{TITLES[one]} / {TITLES[other].strip()}", at, ratio(mine, theirs), goal
                    spread = (middle(mine).p99 / middle(mine).p50) / (middle(theirs).p99 / middle(theirs).p50)
                    yield f"  p99/p50 of these, product / {TITLES[other].strip()}", at, spread, SPREAD_GOAL if goal else None
    at = connections[0]
    for one, other in REST_GROUPS:
        if (one, at) in rounds:
            yield f"{TITLES[one]} / same document at /graphql", at, ratio(rounds[one, at], rounds[other, at]), REST_GOAL
            first = one.removesuffix("_rest")
            if (first, at) in rounds:
                yield f"{TITLES[one]} / the product's {TITLES[first]}", at, ratio(rounds[one, at], rounds[first, at]), None
    for one, goal in CPU_GOALS.items():
        if (one, at) in rounds and (f"{one}_bare", at) in rounds:
            cpu = middle(rounds[one, at]).server_cpu - middle(rounds[f"{one}_bare", at]).server_cpu
            yield f"CPU µs of {TITLES[one]} less the bare handler's with the same statements", at, cpu, goal


def shall_be_small(name: str) -> bool:
    """Whether less is better."""
    return "p99" in name or "CPU" in name


def is_reached(name: str, value: float, goal: float) -> bool:
    """Whether a figure is where it shall be."""
    return value <= goal if shall_be_small(name) else value >= goal


def table(rounds: Rounds, connections: Sequence[int], statements: Mapping[str, int]) -> str:
    """Both tables in Markdown, which also reads well in a terminal."""
    head = f"| {'target':42} | conn. | requests/s | p50 ms | p99 ms | server CPU µs | PostgreSQL CPU µs | statements |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for (name, at), each in rounds.items():
        one = middle(each)
        asked = str(statements.get(name, ""))
        lines.append(
            f"| {TITLES[name]:42} | {at:>5} | {one.per_second:>10,.0f} | {one.p50 / 1000:>6.1f} | {one.p99 / 1000:>6.1f} "
            f"| {one.server_cpu:>13,.0f} | {one.postgres_cpu:>17,.0f} | {asked:>10} |"
        )
    lines += ["", f"| {'figure':78} | conn. | measured | to reach |", "|---|---|---|---|"]
    for name, at, value, goal in comparisons(rounds, connections):
        shown = f"{value:.0f}" if "CPU" in name else f"{value:.2f}"
        sign = "≤" if shall_be_small(name) else "≥"
        mark = "" if goal is None else f"{sign} {goal} {'✓' if is_reached(name, value, goal) else '✗'}"
        lines.append(f"| {name:78} | {at:>5} | {shown:>8} | {mark:8} |")
    return "\n".join(lines)


def heading(how: str, load: float) -> str:
    """When, where and how; a load of others tells that only the ratios mean anything."""
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{when}, {machine()}; {how}; load of the machine before the run: {load:.1f}."


def as_json(rounds: Rounds, connections: Sequence[int], statements: Mapping[str, int]) -> dict[str, Any]:
    """Everything that was measured."""
    return {
        "at": datetime.now(UTC).isoformat(),
        "machine": machine(),
        "statements": dict(statements),
        "rounds": [{"target": name, "connections": at, "rounds": [vars(each) for each in all_]} for (name, at), all_ in rounds.items()],
        "figures": [
            {"figure": name.strip(), "connections": at, "measured": value, "to_reach": goal}
            for name, at, value, goal in comparisons(rounds, connections)
        ],
    }


def write_into(document: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace the figures that stand in a document."""
    before, _, rest = document.read_text().partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
