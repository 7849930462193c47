"""Running a read once for all its arguments: it is given symbols instead of values, and what it says is kept as a statement.

An operation that only says which rows is a function of which arguments are present, of enums, truths and the caller's roles;
other values only ever reach the statement. A symbol takes part in SQL expressions and in nothing else: whatever would look
at its value in Python raises, and then the operation is run anew for every call.
"""

import dataclasses
import enum
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import BigInteger, BindParameter, ColumnElement, CompoundSelect, Date, DateTime, Numeric, Select, Text, Time, Uuid
from sqlalchemy.orm import QueryableAttribute

import clock
from models.database import DIALECT
from models.keys import Key
from resolvers.context import Context

TYPES: dict[type, Any] = {
    str: Text(),
    int: BigInteger(),
    Decimal: Numeric(),
    datetime: DateTime(timezone=True),
    date: Date(),
    time: Time(),
    UUID: Uuid(),
}
VIEWER, NOW = "the viewer", "the moment"
"""Slots that are no arguments; arguments are called by one word."""


class NotSymbolic(Exception):
    """A value that cannot be kept apart from the statement."""


class Symbol(BindParameter[Any]):
    """Stands for a value of later requests, under a name. Whatever else than SQL looks at it raises."""

    inherit_cache = False

    def __init__(self, slot: str, kind: Any) -> None:
        super().__init__(None, None, type_=kind, unique=True, required=False)
        self.slot = slot

    # SQLAlchemy itself compares and hashes the parts of a statement; for everybody else the result would be an answer about no value.

    def __eq__(self, other: object) -> Any:
        _keep_apart(is_sql=isinstance(other, ColumnElement | QueryableAttribute) and not isinstance(other, Symbol))
        return super().__eq__(other)

    def __ne__(self, other: object) -> Any:
        _keep_apart(is_sql=isinstance(other, ColumnElement | QueryableAttribute) and not isinstance(other, Symbol))
        return super().__ne__(other)

    def __hash__(self) -> int:
        _keep_apart()
        return super().__hash__()

    def __repr__(self) -> str:
        _keep_apart()
        return str(object.__repr__(self))

    def __format__(self, _: str) -> str:
        raise NotSymbolic

    def __str__(self) -> str:
        raise NotSymbolic

    def __iter__(self) -> NoReturn:
        raise NotSymbolic

    def __contains__(self, _: object) -> NoReturn:
        raise NotSymbolic


class Withheld(Symbol):
    """Stands for what a statement that is kept may not know at all."""


def _keep_apart(*, is_sql: bool = False) -> None:
    """NotSymbolic unless SQLAlchemy asks, or the result is SQL."""
    asking = sys._getframe(2).f_globals.get("__name__", "")
    if not is_sql and not asking.startswith("sqlalchemy."):
        raise NotSymbolic


def signature(value: Any) -> Any:
    """What of an argument decides on the statement: presence, kind, enums and truths; NotSymbolic for lists and JSON."""
    if value is None or isinstance(value, bool | enum.Enum):
        return value
    if isinstance(value, Key):
        return "key" if value.uuid is None else "uuid"
    if type(value) in TYPES:
        return type(value)
    if dataclasses.is_dataclass(value):
        return (type(value), *(signature(getattr(value, each.name)) for each in dataclasses.fields(value)))
    raise NotSymbolic


def symbolic(value: Any, slot: str) -> Any:
    """The same argument with symbols for its values."""
    if value is None or isinstance(value, bool | enum.Enum):
        return value
    if isinstance(value, Key):
        if value.uuid is None:
            return Key(number=Symbol(slot, BigInteger()))  # type: ignore[arg-type]
        return Key(uuid=Symbol(slot, Uuid()))  # type: ignore[arg-type]
    if type(value) in TYPES:
        return Symbol(slot, TYPES[type(value)])
    made = object.__new__(type(value))
    for each in dataclasses.fields(value):
        object.__setattr__(made, each.name, symbolic(getattr(value, each.name), f"{slot}.{each.name}"))
    return made


def values(value: Any, slot: str, found: dict[str, Any]) -> None:
    """Collect the values for which `symbolic` put symbols."""
    if value is None or isinstance(value, bool | enum.Enum):
        return
    if isinstance(value, Key):
        found[slot] = value.number if value.uuid is None else value.uuid
    elif type(value) in TYPES:
        found[slot] = value
    else:
        for each in dataclasses.fields(value):
            values(getattr(value, each.name), f"{slot}.{each.name}", found)


SHARED = frozenset({"viewer", "settings", "longest_list", "now", "moment"})
"""What of a context is the same for all requests that share a plan, or stands for it."""


class SymbolicContext(Context):
    """A context whose viewer and moment stand for those of later requests; of one request it tells nothing."""

    def __getattribute__(self, name: str) -> Any:
        if name not in SHARED and not name.startswith("__"):
            raise NotSymbolic
        return super().__getattribute__(name)

    def now(self) -> datetime:
        return self.moment()  # type: ignore[return-value]

    def moment(self) -> ColumnElement[datetime]:
        return Symbol(NOW, DateTime(timezone=True))


def symbolic_context(ctx: Context) -> Context:
    """The context in which a read is run for all callers of these roles."""
    viewer: Any = ctx.viewer
    if viewer.user_id is not None:
        session, ends_at = Withheld("session", Uuid()), Withheld("token_ends_at", DateTime(timezone=True))
        viewer = dataclasses.replace(viewer, user_id=Symbol(VIEWER, BigInteger()), session=session, token_ends_at=ends_at)
    given = {each.name: getattr(ctx, each.name) for each in dataclasses.fields(ctx)}
    return SymbolicContext(**{**given, "viewer": viewer})


class Given(dict[str, Any]):
    """Values for statements; who asks, and when, is looked up only where a statement wants to know it."""

    def __init__(self, ctx: Context, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(more or {})
        self._ctx = ctx

    def __missing__(self, slot: str) -> Any:
        if slot == VIEWER:
            return self._ctx.viewer.user_id
        if slot == NOW:
            return self._ctx.now()
        raise KeyError(slot)


@dataclasses.dataclass(frozen=True)
class Statement:
    """The text of a statement, and where each of its arguments comes from."""

    text: str
    slots: tuple[tuple[str | None, Any, Callable[[Any], Any] | None], ...]

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """The arguments in the statement's order."""
        return [
            constant if slot is None else given[slot] if process is None else process(given[slot]) for slot, constant, process in self.slots
        ]


def compile_statement(select: Select[Any] | CompoundSelect[Any]) -> Statement:
    """Compile a statement once; what is no symbol in it is kept as it is."""
    compiled: Any = select.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    constants = compiled.construct_params(_check=False)
    slots: list[tuple[str | None, Any, Callable[[Any], Any] | None]] = []
    for name in compiled.positiontup:
        bound, process = compiled.binds.get(name), compiled._bind_processors.get(name)
        if isinstance(bound, Withheld):
            raise NotSymbolic
        if isinstance(bound, Symbol):
            slots.append((bound.slot, None, process))
        elif bound is not None and bound.callable is clock.now:
            slots.append((NOW, None, process))
        else:
            constant = constants[name]
            slots.append((None, process(constant) if process and constant is not None else constant, None))
    return Statement(str(compiled), tuple(slots))
