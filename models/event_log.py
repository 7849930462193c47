"""What happened, in an order that no reader can miss anything of; see docs/decisions/0003-event-log.md."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from models.base import Model


class Xid8(UserDefinedType[int]):
    """PostgreSQL's transaction number with its epoch: never repeats within a cluster."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


ischema_names["xid8"] = Xid8  # so that Alembic knows the type when it compares tables


class EventRecord(Model):
    """One fact that somebody outside may care about. Holds ids and topics, never personal data."""

    __tablename__ = "event_log"
    __history__ = False

    epoch: Mapped[int] = mapped_column(
        server_default=text("event_epoch()"), doc="Which line of transaction numbers wrote it; grows with each restore."
    )
    xid: Mapped[int] = mapped_column(Xid8(), server_default=text("pg_current_xact_id()"), doc="The transaction that wrote it.")
    kind: Mapped[str] = mapped_column(doc="Such as booking.confirmed.")
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text), doc="Who may follow it: user:5, room:1, bookings.")
    subject_id: Mapped[int] = mapped_column(BigInteger, doc="The row it is about; its table follows from the kind.")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="Facts that the row will not show any more.")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    __table_args__ = (
        Index(None, "epoch", "xid", "id", unique=True),
        Index(None, "topics", postgresql_using="gin"),
        Index(None, "at"),
    )


class EventEpoch(Model):
    """One row: the present epoch, the cluster and timeline it belongs to, and how far events were pruned."""

    __tablename__ = "event_epochs"
    __history__ = False

    epoch: Mapped[int] = mapped_column(doc="Seconds since 1970 at which this line of transaction numbers was first written to.")
    system_identifier: Mapped[int] = mapped_column(doc="The cluster.")
    timeline: Mapped[str] = mapped_column(doc="Its timeline: another one after a failover or a recovery to a point in time.")
    pruned_through: Mapped[str | None] = mapped_column(doc="The cursor of the newest event that was pruned.")
