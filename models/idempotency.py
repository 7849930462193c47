"""Keys under which clients repeat a write without doing it twice."""

from datetime import datetime

from sqlalchemy import UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SENSITIVE, Model


class IdempotencyKey(Model):
    """A write that was done under a key, by whom, and what it answered. Kept for 24 hours."""

    __tablename__ = "idempotency_keys"
    __history__ = False

    scope: Mapped[str] = mapped_column(doc="Who used the key: user:5, or a keyed hash of the stranger's address.")
    key: Mapped[str]
    operation: Mapped[str]
    body_hash: Mapped[str] = mapped_column(doc="Keyed SHA-256 of the operation's name and arguments.")
    answer: Mapped[str] = mapped_column(info=SENSITIVE, doc="What the operation returned, encrypted; rows by their key.")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)

    __table_args__ = (UniqueConstraint("scope", "key"),)
