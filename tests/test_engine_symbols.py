"""Symbols reach statements and nothing else: whatever looks at a value in Python is asked anew for every call."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Select, Text, select

from engine.compiled import WRONG_WITH_SYMBOLS
from engine.symbols import VIEWER, Symbol, compile_statement, symbolic_context
from models.bookings import Booking
from models.catalogue import Service
from models.identity import Role
from resolvers.context import Context, Viewer
from settings import Settings

MISUSES: list[Callable[[Any], Any]] = [
    lambda text: f"{text}",
    lambda text: f"{text!r}",
    lambda text: "%s" % text,  # noqa: UP031 - people write it
    str,
    repr,
    bool,
    len,
    int,
    float,
    hash,
    list,
    sorted,
    json.dumps,
    lambda text: text == "a",
    lambda text: "a" == text,
    lambda text: text != "a",
    lambda text: text == text,
    lambda text: text in ("a", "b"),
    lambda text: text in {"a"},
    lambda text: text in {"a": 1},
    lambda text: text in "abc",
    lambda text: "a" in text,
    lambda text: {"a": 1}.get(text),
    lambda text: {text},
    lambda text: [1, 2][text],
    lambda text: text[0],
    lambda text: text[:2],
    lambda text: text.lower(),
    lambda text: text.strip(),
    lambda text: text or "a",
    lambda text: text and "a",
    lambda text: not text,
    lambda text: text < "b" or None,
    lambda text: text >= "b" and None,
    lambda text: max(text, "b"),
    lambda text: sorted([text, text]),
    lambda text: "".join([text]),
    lambda text: re.match("a", text),
    lambda text: dict([text]),
    lambda text: [*text],
    lambda text: (text, "a") == ("a", "a"),
    lambda text: [text].index("a"),
]


@pytest.mark.parametrize("misuse", MISUSES)
def test_looking_at_a_symbol_raises(misuse: Callable[[Any], Any]) -> None:
    with pytest.raises(WRONG_WITH_SYMBOLS):
        misuse(Symbol("text", Text()))


def test_a_symbol_takes_part_in_sql_on_either_side() -> None:
    symbol: Any = Symbol("text", Text())
    either = select(Service.id).where(Service.slug == symbol, symbol == Service.name, symbol != Service.slug, Service.name.in_([symbol]))
    assert [slot for slot, _, _ in compile_statement(either).slots] == ["text"]


@pytest.fixture
def symbols(settings: Settings) -> Context:
    viewer = Viewer(7, frozenset({Role.CUSTOMER}), session=None, token_ends_at=datetime.now(UTC))
    return symbolic_context(Context(settings, None, None, viewer, language="de", door="coresync"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["request_id", "address", "door", "language", "idempotency_key", "longest_page", "loaders", "call"])
def test_a_kept_statement_knows_nothing_of_the_request_it_was_made_for(symbols: Context, name: str) -> None:
    with pytest.raises(WRONG_WITH_SYMBOLS):
        getattr(symbols, name)


def test_a_kept_statement_knows_no_session(symbols: Context) -> None:
    def rows(of: Any) -> Select[Any]:
        return select(Booking).where(Booking.uuid == of)

    assert [slot for slot, _, _ in compile_statement(rows(symbols.viewer.id)).slots] == [VIEWER]
    with pytest.raises(WRONG_WITH_SYMBOLS):
        compile_statement(rows(symbols.viewer.session))
    with pytest.raises(WRONG_WITH_SYMBOLS):
        compile_statement(select(Booking).where(Booking.starts_at < symbols.viewer.token_ends_at))
