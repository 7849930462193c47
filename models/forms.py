"""What people write to the house through the forms of its website."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Computed, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Visible

if TYPE_CHECKING:
    from models.identity import User


class FormKind(StrEnum):
    """Which form it was.

    CONTACT: A message to the house.
    MEMBERSHIP_INQUIRY: Interest in a membership.
    """

    CONTACT = "contact"
    MEMBERSHIP_INQUIRY = "membership_inquiry"


class FormStatus(StrEnum):
    """What the staff did about it.

    NEW: Nobody has looked after it.
    IN_PROGRESS: Somebody looks after it.
    DONE: It is settled.
    SPAM: It was put aside.
    """

    NEW = "new"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    SPAM = "spam"


FORM_MOVES = {
    FormStatus.NEW: {FormStatus.IN_PROGRESS, FormStatus.DONE, FormStatus.SPAM},
    FormStatus.IN_PROGRESS: {FormStatus.NEW, FormStatus.DONE, FormStatus.SPAM},
    FormStatus.DONE: {FormStatus.IN_PROGRESS},
    FormStatus.SPAM: {FormStatus.NEW},
}

# CONT-2026-001 for the contact form, MEM-2026-002 for an inquiry.
REFERENCE = """
CASE kind WHEN 'contact' THEN 'CONT-' ELSE 'MEM-' END
  || extract(year FROM timezone('UTC', created_at))::text || '-' || lpad(id::text, greatest(3, length(id::text)), '0')
""".strip()


class FormSubmission(Visible):
    """One form that somebody has sent."""

    __tablename__ = "form_submissions"

    kind: Mapped[FormKind] = mapped_column(doc="Which form it was.")
    reference: Mapped[str] = mapped_column(Computed(REFERENCE, persisted=True), unique=True, doc="What is quoted, such as CONT-2026-001.")
    status: Mapped[FormStatus] = mapped_column(default=FormStatus.NEW, doc="What the staff did about it.")
    name: Mapped[str] = mapped_column(info=SENSITIVE, doc="Who wrote.")
    email: Mapped[str] = mapped_column(info=SENSITIVE, doc="Where to answer.")
    phone: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Where to call.")
    message: Mapped[str] = mapped_column(default="", info=SENSITIVE, doc="What they wrote.")
    source: Mapped[str] = mapped_column(default="", doc="Where the form stood.")
    interested_plan: Mapped[str | None] = mapped_column(doc="The plan that was asked about.")
    interest_level: Mapped[str | None] = mapped_column(doc="How much they want it.")
    preferred_services: Mapped[list[str]] = mapped_column(default=list, doc="What they like to have done.")
    heard_about_us: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="How they came to us.")
    fingerprint: Mapped[str] = mapped_column(doc="Keyed hash of what was written, so that the same is known again.")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    note: Mapped[str] = mapped_column(default="", info=SENSITIVE, doc="What the staff noted.")
    handled_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    handled_at: Mapped[datetime | None] = mapped_column(doc="When somebody last did something about it.")

    handled_by: Mapped["User | None"] = relationship(lazy="raise", foreign_keys=[handled_by_id], doc="Who last did something about it.")

    __table_args__ = (Index(None, "status", "id"), Index(None, "fingerprint", "created_at"))
