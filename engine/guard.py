"""What a request carries is looked at before anything reads it: shape, depth, characters, numbers."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from errors import BadUserInput, MalformedRequest

DEEPEST = 64
MOST_VALUES = 20_000
LARGEST_NUMBER = 2**63


def parse_json(body: bytes) -> Any:
    """The JSON value of a body; MalformedRequest when it is none, nested beyond reason, or made of too many values."""
    # Counting is a thousand times faster than walking, and nearly every body is well below.
    is_suspect = body.count(b"[") + body.count(b"{") > DEEPEST or body.count(b",") > MOST_VALUES
    try:
        if not is_suspect:
            return orjson.loads(body)
        with _no_collecting():
            value = orjson.loads(body)
            _check_size(value)
    except orjson.JSONDecodeError:  # also beyond 1,024 levels
        raise MalformedRequest("The body is not valid JSON.") from None
    return value


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Keep the collector from walking hundreds of thousands of new lists again and again, only to find them all in use."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check_size(value: Any) -> None:
    """Refuse what would keep the process busy, level by level."""
    level, seen = [value], 0
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        seen += len(inner)
        if seen > MOST_VALUES:
            raise MalformedRequest("The body has too many values.")
        if not inner:
            return
        level = inner
    raise MalformedRequest("The body is nested too deeply.")


def check_values(value: Any, *, depth: int = 0) -> None:
    """Refuse what no column can hold: NUL, lone surrogates, numbers beyond 64 bits, deep nesting."""
    if depth > DEEPEST:
        raise BadUserInput("A value is nested too deeply.")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        if not -LARGEST_NUMBER <= value < LARGEST_NUMBER:
            raise BadUserInput("A number is too large.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_text(str(name))
            check_values(inner, depth=depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check_values(inner, depth=depth + 1)


def _check_text(value: str) -> None:
    if "\0" in value:
        raise BadUserInput("A text holds a character that cannot be stored.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadUserInput("A text holds a character that cannot be stored.") from None
