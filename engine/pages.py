"""Pages of a list: keyset cursors that stay right while the list changes, or numbered pages."""

import base64
import binascii
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Text, and_, cast, func, literal, or_, select
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

from errors import BadUserInput

USUAL, LARGEST, FARTHEST = 20, 100, 100_000
TRUTH, AMOUNT = re.compile("True|False"), re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)


@dataclass(frozen=True)
class Key:
    """One column of the order."""

    element: ColumnElement[Any]
    is_descending: bool


@dataclass(frozen=True)
class Page:
    """Which part of a list was asked for."""

    size: int
    cursor: list[Any] | None
    is_backward: bool
    number: int | None

    @property
    def shape(self) -> tuple[bool, int | None, bool]:
        """What of the page decides on the statement."""
        return self.is_backward, None if self.cursor is None else len(self.cursor), self.number is None

    @property
    def limit(self) -> int:
        """How many rows to read: one more than the page, which tells whether others follow."""
        return self.size + 1

    @property
    def offset(self) -> int:
        """How many rows a numbered page leaves out."""
        return ((self.number or 1) - 1) * self.size

    @classmethod
    def read(cls, arguments: dict[str, Any], largest: int = LARGEST) -> "Page":
        """Understand paging arguments; BadUserInput names the one that is out of range or does not go with another."""
        number, per_page = arguments.get("page"), arguments.get("per_page")
        first, last = arguments.get("first"), arguments.get("last")
        after, before = arguments.get("after"), arguments.get("before")
        is_backward = last is not None or before is not None
        if is_backward and (first is not None or after is not None):
            raise BadUserInput(last="Page either forward with first and after, or backward with last and before.")
        if (number is not None or per_page is not None) and (is_backward or first is not None or after is not None):
            raise BadUserInput(page="Use either numbered pages or cursors.")
        for name, value in (("first", first), ("last", last), ("per_page", per_page)):
            if value is not None and not 0 <= value <= largest:
                raise BadUserInput(**{name: f"At most {largest}."})
        size = next((each for each in (first, last, per_page) if each is not None), min(USUAL, largest))
        if number is None and per_page is not None:
            number = 1
        if number is not None and (number < 1 or number * size > FARTHEST):
            raise BadUserInput(page="There is no such page.")
        cursor = before if is_backward else after
        return cls(size, _opened(cursor, "before" if is_backward else "after"), is_backward, number)


def keys_of(rows: Select[Any], entity: Any) -> list[Key]:
    """The columns of a statement's order, made unique by the row's number."""
    keys = [_key(each) for each in rows._order_by_clauses]
    if not any(each.element is entity.id or getattr(each.element, "key", None) == "id" for each in keys):
        keys.append(Key(entity.id, bool(keys) and keys[-1].is_descending))
    return keys


def part(rows: Select[Any], keys: list[Key], page: Page, limit: Any, offset: Any, cursor: Sequence[Any] | None) -> Select[Any]:
    """The rows of a page; the numbers and the cursor's values may stand for those of later requests."""
    flip = page.is_backward
    ordered = rows.order_by(None).order_by(*[each.element.desc() if each.is_descending != flip else each.element.asc() for each in keys])
    if cursor is not None:
        ordered = ordered.where(_beyond(keys, cursor, flip))
    if page.number is not None:
        ordered = ordered.offset(offset)
    return ordered.limit(limit)


def count(rows: Select[Any]) -> Select[int]:
    """How many rows there are in all."""
    return select(func.count()).select_from(rows.order_by(None).subquery())


def cursor(values: list[Any]) -> str:
    """The opaque text that marks a place in the order."""
    return base64.urlsafe_b64encode(orjson.dumps([None if each is None else str(each) for each in values])).decode()


def _opened(text: str | None, argument: str) -> list[Any] | None:
    if text is None:
        return None
    try:
        values = orjson.loads(base64.urlsafe_b64decode(text.encode()))
        if isinstance(values, list) and all(isinstance(each, str) and "\0" not in each for each in values):
            return values
    except (binascii.Error, ValueError):
        pass
    raise BadUserInput(**{argument: "This is not a cursor."})


def _key(clause: Any) -> Key:
    if isinstance(clause, UnaryExpression) and clause.modifier in (operators.desc_op, operators.asc_op):
        return Key(clause.element, clause.modifier is operators.desc_op)
    return Key(clause, False)


def literals(cursor: Sequence[Any] | None) -> list[Any] | None:
    """A cursor's values for a statement that is made once."""
    return None if cursor is None else [literal(value, Text) for value in cursor]


def facts(page: Page, cursors: Sequence[str], total: int | None, *, has_more: bool) -> dict[str, Any]:
    """What PageInfo may be asked for."""
    is_further = page.cursor is not None or (page.number or 1) > 1
    return {
        "hasNextPage": is_further if page.is_backward else has_more,
        "hasPreviousPage": has_more if page.is_backward else is_further,
        "startCursor": cursors[0] if cursors else None,
        "endCursor": cursors[-1] if cursors else None,
        "page": page.number,
        "perPage": page.size,
        "pages": None if total is None else -(-total // max(page.size, 1)),
        "total": total,
        "__typename": "PageInfo",
    }


def check_cursor(keys: Sequence[Key], cursor: Sequence[str] | None) -> None:
    """Refuse a cursor of a list in another order, before PostgreSQL stumbles over it."""
    if cursor is None:
        return
    if len(keys) != len(cursor) or not all(_is_of(each.element.type.python_type, text) for each, text in zip(keys, cursor, strict=True)):
        raise BadUserInput(after="This cursor belongs to another list.")


def _is_of(kind: type, text: str) -> bool:
    """Whether a text is how a cursor spells a value of this type."""
    if kind in (bool, Decimal):
        return bool((TRUTH if kind is bool else AMOUNT).fullmatch(text))
    try:
        if kind is int:
            return -(2**63) <= int(text) < 2**63 and str(int(text)) == text
        if kind is float:
            return math.isfinite(float(text)) and str(float(text)) == text
        if kind is date:
            return str(date.fromisoformat(text)) == text
        if kind is datetime:
            return text.endswith("+00:00") and str(datetime.fromisoformat(text)) == text
    except ValueError:
        return False
    return True


def _beyond(keys: list[Key], values: Sequence[Any], flip: bool) -> ColumnElement[bool]:
    """Rows after the cursor in an order whose columns may run in different directions."""
    given = [cast(value, each.element.type) for value, each in zip(values, keys, strict=True)]
    alternatives = []
    for position, each in enumerate(keys):
        same = [earlier.element == value for earlier, value in zip(keys[:position], given[:position], strict=True)]
        further = each.element < given[position] if each.is_descending != flip else each.element > given[position]
        alternatives.append(and_(*same, further))
    return or_(*alternatives)
