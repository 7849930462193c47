"""Rows that are written together: what a transaction writes at its end goes to PostgreSQL as one statement."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import asyncpg
import orjson
from sqlalchemy import BigInteger, BindParameter, ColumnElement, Text, bindparam, cast, func, insert, literal_column, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import LRUCache

from errors import Unavailable
from models.base import Model
from models.database import LOST, WHO, Database, Fixed

Parameter = Callable[[str, TypeEngine[Any]], BindParameter[Any]]
PARTS = "parts"
"""Under this name a transaction keeps what it writes at its end."""
COMPILED: LRUCache[Any, Any] = LRUCache(500)
# The jobs' own trigger would notify the workers inside of the transaction, and such commits wait for each other; see jobs/queue.py.
SAYS = "set_config('atrium.actor', :actor, true), set_config('atrium.request', :request, true), set_config('atrium.bell', :bell, true)"


@dataclass(frozen=True, eq=False)
class Form:
    """A statement that writes, for any values: made of a parameter for each of their names, and compiled once.

    Several of one form become one with several rows, which keep their order. Nothing else has an order within one statement.
    """

    make: Callable[[Sequence[Parameter]], UpdateBase]
    has_rows: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A statement with its values."""

    form: Form
    values: Mapping[str, Any]


def new(table: type[Model], **given: Any) -> Part:
    """The insert of a row; columns that are not given get their defaults."""
    return _insert(table, given)


def next_number(table: type[Model]) -> ColumnElement[int]:
    """The number of a row that will be written at the end; asked for with whatever else must be known before."""
    return func.nextval(literal_column(f"'{table.__tablename__}_id_seq'"), type_=BigInteger)


async def write_at_end(db: AsyncSession, *rows: Model | Part) -> None:
    """Have rows written when the transaction ends, all in one statement; whoever must know their numbers asks for them before."""
    parts = [each if isinstance(each, Part) else _insert(type(each), each.__dict__) for each in rows]
    waiting: list[Part] | None = db.info.get(PARTS)
    if waiting is None:
        await db.flush()
        await _write(db, parts, {"actor": "", "request": "", "bell": ""})
    else:
        waiting += parts


@asynccontextmanager
async def transaction(database: Database, who: Mapping[str, str]) -> AsyncIterator[AsyncSession]:
    """A session that begins with its first statement, and in the end writes what waits for it, and commits.

    When nothing else was asked, that one statement is the transaction: it needs neither a BEGIN nor a COMMIT.
    """
    db = database.sessions(info={WHO: who, PARTS: []})
    try:
        yield db
        parts: list[Part] = db.info[PARTS]
        if db.in_transaction():
            await db.flush()
            if parts:
                await _write(db, parts, {**who, "bell": "after"})
            await db.commit()
        elif parts:
            await database.run(*_spell(parts, {**who, "bell": "after"}))
    finally:
        if db.in_transaction() or db.sync_session.identity_map:
            await asyncio.shield(asyncio.create_task(db.close()))


async def driver_connection(db: AsyncSession) -> asyncpg.Connection:
    """The connection of a session, in its transaction."""
    connection = await db.connection()
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None  # noqa: S101 - a connection in use has one
    if not raw.is_in_transaction():
        await connection.execute(text("SELECT 1"))  # SQLAlchemy begins the transaction only with its first statement
    return raw


async def _write(db: AsyncSession, parts: Sequence[Part], says: Mapping[str, str]) -> None:
    statement, arguments = _spell(parts, says)
    connection = await driver_connection(db)
    try:
        await connection.fetch(statement, *arguments)
    except LOST as error:
        raise Unavailable from error


def _insert(table: type[Model], given: Mapping[str, Any]) -> Part:
    values = {}
    for name, default, is_json, is_ours in _columns(table):
        if name in given:
            value = given[name]
        elif is_ours:
            value = default(None) if callable(default) else default
        else:
            continue  # PostgreSQL's own: a number, a moment, a computed text
        values[name] = orjson.dumps(value).decode() if is_json and value is not None else value
    return Part(_insertion(table, tuple(values)), values)


@cache
def _columns(table: type[Model]) -> list[tuple[str, Any, bool, bool]]:
    """Name, default, whether it holds JSON, and whether its value comes from us when nothing is given."""
    found = []
    for column in table.__table__.columns:
        default = getattr(column.default, "arg", None)
        from_postgres = column.server_default is not None or column.primary_key
        found.append((column.name, default, isinstance(column.type, JSONB), not from_postgres or default is not None))
    return found


@cache
def _insertion(table: type[Model], names: tuple[str, ...]) -> Form:
    kinds = {name: table.__table__.columns[name].type for name in names}
    return Form(lambda rows: insert(table).values([{name: _value(each, name, kinds[name]) for name in names} for each in rows]))


def _value(parameter: Parameter, name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    # JSON as text, since reading and writing connections have codecs of their own for it.
    return cast(parameter(name, Text()), JSONB) if isinstance(kind, JSONB) else parameter(name, kind)


def _spell(parts: Sequence[Part], says: Mapping[str, str]) -> tuple[str, list[Any]]:
    """The statement that writes all of this, and its arguments."""
    groups: dict[Any, list[Part]] = {}
    for each in parts:
        groups.setdefault(each.form if each.form.has_rows else each, []).append(each)
    shape = tuple([(each[0].form, len(each)) for each in groups.values()])
    statement = COMPILED.get(shape)
    if statement is None:
        statement = COMPILED[shape] = _joined(shape)
    values = dict(says)
    for number, rows in enumerate(groups.values()):
        for row, part in enumerate(rows):
            for name, value in part.values.items():
                values[f"{number}.{row} {name}"] = value
    found: tuple[str, list[Any]] = statement.spell(values)
    return found


def _joined(shape: Sequence[tuple[Form, int]]) -> Fixed:
    parts = [
        form.make([_parameters_of(number, row) for row in range(count)]).cte(f"part_{number}") for number, (form, count) in enumerate(shape)
    ]
    says = text(SAYS).bindparams(*[bindparam(name, type_=Text()) for name in ("actor", "request", "bell")])
    return Fixed(select(says).add_cte(*parts))


def _parameters_of(number: int, row: int) -> Parameter:
    return lambda name, kind: bindparam(f"{number}.{row} {name}", type_=kind)
