"""How a client names a row: by its opaque global id, its UUID or its number."""

import base64
import binascii
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, literal, select
from sqlalchemy.types import BigInteger, Uuid

from errors import BadUserInput
from models.base import Model, Visible

M = TypeVar("M", bound=Model)
LARGEST = 2**63 - 1


def global_id(type_name: str, number: int) -> str:
    """The opaque id under which GraphQL shows a row."""
    return base64.b64encode(f"{type_name}:{number}".encode()).decode()


class Key(Generic[M]):
    """The key of a row of one table, as a client wrote it."""

    __slots__ = ("number", "type_name", "uuid")

    def __init__(self, *, number: int | None = None, uuid: UUID | None = None, type_name: str | None = None) -> None:
        self.number = number
        self.uuid = uuid
        self.type_name = type_name

    @classmethod
    def parse(cls, text: str, argument: str = "id") -> Self:
        """Read any of the three spellings; BadUserInput names the argument when it is none of them."""
        if text.isascii() and text.isdigit():
            number = int(text) if len(text) <= 19 else LARGEST + 1
            if number <= LARGEST:
                return cls(number=number)
        elif len(text) in (32, 36):
            try:
                return cls(uuid=UUID(text))
            except ValueError:
                pass
        return cls._from_global(text, argument)

    @classmethod
    def _from_global(cls, text: str, argument: str) -> Self:
        try:
            name, _, number = base64.b64decode(text.encode(), validate=True).decode().partition(":")
            if name.isidentifier() and number.isascii() and number.isdigit() and len(number) <= 18:
                return cls(number=int(number), type_name=name)
        except (binascii.Error, ValueError):
            pass
        raise BadUserInput(**{argument: "This is not an id."})

    def names(self, table: type[M]) -> ColumnElement[bool]:
        """The condition that picks the row."""
        if self.uuid is not None:
            return _visible(table).uuid == self.uuid
        return table.id == self.number

    def of(self, table: type[M]) -> ColumnElement[int]:
        """The row's number, as a value or a sub-select, for comparing with a foreign key."""
        if self.uuid is not None:
            return select(table.id).where(self.names(table)).scalar_subquery()
        return self.number if isinstance(self.number, ColumnElement) else literal(self.number, BigInteger)

    def __repr__(self) -> str:
        return f"Key({self.number or self.uuid})"


def is_named(table: type[Visible], name: str) -> ColumnElement[bool]:
    """The same condition in a statement that is compiled once; `naming` gives the values of its parameters."""
    by_uuid = select(table.id).where(table.uuid == bindparam(f"{name}_uuid", type_=Uuid())).correlate(None).scalar_subquery()
    return table.id == func.coalesce(bindparam(name, type_=BigInteger()), by_uuid)


def naming(name: str, key: Key[Any] | None) -> dict[str, Any]:
    """The values by which a key, or none, is found where `is_named` asks for it."""
    return {name: key and key.number, f"{name}_uuid": key and key.uuid}


def _visible(table: type[Any]) -> type[Visible]:
    if not issubclass(table, Visible):
        raise BadUserInput(id="This is not an id.")
    return table
