"""How much memory the server holds after many mixed requests, and whether it grows with as many again."""

import itertools
from collections.abc import Iterator

from bench.calls import Call, Calls
from bench.product import Product
from bench.rounds import Target, measure

MIX = ("catalogue", "my_bookings", "one_service", "one_service", "catalogue_rest", "my_bookings_rest", "one_service_rest", "book")
CONNECTIONS, SECONDS, STAGES = 16, 4, 2
MEGABYTE = 2**20


def measure_stages(product: Product, calls: Calls, requests: int) -> list[tuple[int, int]]:
    """Requests so far and resident bytes: at the start, and after each stage."""
    target = Target("mixed", product.server, _mixed(calls), is_write=True)
    found, sent = [(0, product.server.resident_bytes)], 0
    for stage in range(1, STAGES + 1):
        while sent < stage * requests:
            sent += measure(product, target, CONNECTIONS, SECONDS).requests
        found.append((sent, product.server.resident_bytes))
    return found


def table(found: list[tuple[int, int]]) -> str:
    """A line for each stage."""
    return "\n".join(f"after {sent:>9,} mixed requests: {resident / MEGABYTE:6.1f} MB resident" for sent, resident in found)


def _mixed(calls: Calls) -> Iterator[Call]:
    return itertools.chain.from_iterable(zip(*(calls.of(name) for name in MIX), strict=False))
