"""Files that were uploaded: what may be told of them. The bytes are in the file store, under the key."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SENSITIVE, Visible


class FilePurpose(StrEnum):
    """What an uploaded file is for, which decides what it may be and how large.

    INVESTMENT_DOCUMENT: A document about an opportunity, as PDF.
    """

    INVESTMENT_DOCUMENT = "investment_document"


class StoredFile(Visible):
    """A file that somebody uploads, or has; it counts only once its bytes were looked at."""

    __tablename__ = "stored_files"

    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[FilePurpose] = mapped_column(doc="What it is for.")
    name: Mapped[str] = mapped_column(info=SENSITIVE, doc="Its name, as it is shown.")
    content_type: Mapped[str] = mapped_column(doc="Its media type, such as application/pdf.")
    key: Mapped[str] = mapped_column(unique=True, doc="Under what the file store has it.")
    size_bytes: Mapped[int | None] = mapped_column(doc="How many bytes it has.")
    kept_at: Mapped[datetime | None] = mapped_column(doc="When its bytes were there and found good; empty while it is awaited.")

    __table_args__ = (
        CheckConstraint("(kept_at IS NULL) = (size_bytes IS NULL)", name="kept"),
        Index("ix_stored_files_awaited", "created_at", postgresql_where=text("kept_at IS NULL")),
    )
