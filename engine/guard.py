"""What a request carries is looked at before anything reads it: shape, depth, characters, numbers."""

from typing import Any

import orjson

from errors import BadUserInput, MalformedRequest

DEEPEST = 64
LARGEST_NUMBER = 2**63


def parse_json(body: bytes) -> Any:
    """The JSON value of a body; MalformedRequest when it is none, or nested beyond reason."""
    _check_depth(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedRequest("The body is not valid JSON.") from None


def _check_depth(body: bytes) -> None:
    """Refuse deep nesting before parsing; brackets inside strings only make it stricter by counting closers too."""
    depth = deepest = 0
    for byte in body.translate(None, delete=KEEPS_NO_BRACKET):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > 10 * DEEPEST:
            raise MalformedRequest("The body is nested too deeply.")


KEEPS_NO_BRACKET = bytes(each for each in range(256) if each not in b"[]{}")


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
