"""In which form a client wants its answer: what its Accept header says, and what we make of it."""

from dataclasses import dataclass
from functools import lru_cache

MODERN, PLAIN = "application/graphql-response+json", "application/json"
EVENTS, PARTS = "text/event-stream", "multipart/mixed"
OFFERED = {MODERN: MODERN, PLAIN: PLAIN, EVENTS: EVENTS, "*/*": PLAIN, "application/*": PLAIN}
OLDER_PARTS = "deferspec"
"""What clients add that read the answers to @defer only as they were drafted in 2022; they get them whole."""


@dataclass(frozen=True)
class Media:
    """The media type of an answer, none when the client takes none of ours, and whether it reads an answer in parts."""

    kind: str | None
    in_parts: bool = False


JSON = Media(PLAIN)
USUAL_LENGTH = 300
"""Longer ones are read anew each time, so that nobody fills the memory with them."""


def choose(accept: str | None, *, whole: bool = False) -> Media:
    """The heaviest type that we have; the client's order decides between equals, so events only come to who names them before JSON."""
    if not accept:
        return JSON
    return (_choose if len(accept) <= USUAL_LENGTH else _choose.__wrapped__)(accept, whole)


@lru_cache(1000)
def _choose(accept: str, whole: bool) -> Media:
    best: tuple[float, str | None] = (0, None)
    in_parts = False
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        offered = OFFERED.get(kind)
        if offered and weight > best[0] and not (whole and offered == EVENTS):
            best = (weight, offered)
        in_parts = in_parts or (kind == PARTS and weight > 0 and not any(part.startswith(OLDER_PARTS) for part in parameters))
    if best[1] is None and in_parts and not whole:
        return Media(MODERN, in_parts)
    return Media(best[1], in_parts and not whole)


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0
