"""What all tables share: keys, names of constraints, and how Python types are stored."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import BigInteger, DateTime, Enum, Identity, MetaData, Numeric, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SENSITIVE = {"sensitive": True}
"""`info` of a column whose value the history must not keep: secrets and personal data."""

Money = Annotated[Decimal, mapped_column(Numeric(12, 2))]
Currency = Annotated[str, mapped_column(Text)]


def _values(members: type[enum.Enum]) -> list[str]:
    return [member.value for member in members]


class Model(DeclarativeBase):
    """A table with a number as its key."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        enum.Enum: Enum(enum.Enum, native_enum=False, length=40, values_callable=_values),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(BigInteger),
    }

    __abstract__ = True
    __history__ = True
    """Whether every change of a row is kept in `history`; false for logs, counters and what expires by itself."""

    id: Mapped[int] = mapped_column(Identity(), primary_key=True, sort_order=-10, doc="The row's number.")


class Visible(Model):
    """A table whose rows a client can name: besides the number they carry a time-ordered UUID."""

    __abstract__ = True

    uuid: Mapped[UUID] = mapped_column(default=uuid_utils.compat.uuid7, unique=True, sort_order=-9, doc="Time-ordered UUID.")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90, doc="When it was made.")
