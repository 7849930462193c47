"""What staff do with accounts, and what people ask about their own data."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Visible

if TYPE_CHECKING:
    from models.identity import User


class AccountBlock(Visible):
    """A time in which somebody could not use their account."""

    __tablename__ = "account_blocks"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    reason: Mapped[str] = mapped_column(info=SENSITIVE, doc="Why the account was blocked.")
    blocked_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    lifted_at: Mapped[datetime | None] = mapped_column(doc="When it ended; empty: it holds.")
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    lift_reason: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Why it ended.")

    user: Mapped["User"] = relationship(lazy="raise", foreign_keys=[user_id], doc="Whose account it is.")
    blocked_by: Mapped["User"] = relationship(lazy="raise", foreign_keys=[blocked_by_id], doc="Who blocked it.")
    lifted_by: Mapped["User | None"] = relationship(lazy="raise", foreign_keys=[lifted_by_id], doc="Who lifted it.")

    __table_args__ = (
        Index("uq_account_blocks_present", "user_id", unique=True, postgresql_where=text("lifted_at IS NULL")),
        Index(None, "user_id", "id"),
    )


class DataRequestKind(StrEnum):
    """What was asked about personal data."""

    EXPORT = "export"
    ERASURE = "erasure"


class DataRequest(Visible):
    """A person's data was exported or erased, by themselves or by staff for them."""

    __tablename__ = "data_requests"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[DataRequestKind] = mapped_column(doc="What was asked.")
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"), doc="Who asked: the person, or staff for them.")
    reason: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Why staff asked for it.")
