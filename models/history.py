"""Who changed what: written by a trigger on every table with `__history__`, in the same transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model


class Change(Model):
    """One row was inserted, updated or deleted. Values of sensitive columns are replaced by ***."""

    __tablename__ = "history"
    __history__ = False

    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), doc="When.")
    actor_id: Mapped[int | None] = mapped_column(BigInteger, doc="The person who did it; empty: the system.")
    request_id: Mapped[str | None] = mapped_column(doc="The request or job in which it was done.")
    table_name: Mapped[str] = mapped_column(doc="The table.")
    row_id: Mapped[int] = mapped_column(BigInteger, doc="The row's number.")
    action: Mapped[str] = mapped_column(doc="insert, update or delete.")
    before: Mapped[dict[str, Any] | None] = mapped_column(doc="Old values of the columns that changed.")
    after: Mapped[dict[str, Any] | None] = mapped_column(doc="New values of the columns that changed.")

    __table_args__ = (Index(None, "table_name", "row_id", "id"), Index(None, "at"), Index(None, "actor_id", "id"))


def trigger_on(table: str, *sensitive: str) -> str:
    """The statement by which a migration lets the history follow a table, without the values of its sensitive columns."""
    names = ", ".join(f"'{column}'" for column in sorted(sensitive))
    return (
        f"CREATE TRIGGER record_history AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION record_history({names})"
    )
