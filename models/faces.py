"""Faces that people enrolled: encrypted templates, the consent that goes with them, and every comparison that was made."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SENSITIVE, Model, Visible
from settings import FaceMatcher


class Face(Model):
    """What can be compared of a person's face; never a picture, and readable only with a key of ours."""

    __tablename__ = "faces"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    matcher: Mapped[FaceMatcher] = mapped_column(doc="What made the template; it can be compared with none of another's.")
    template: Mapped[str] = mapped_column(info=SENSITIVE, doc="The template, encrypted for this very row.")
    key_id: Mapped[str] = mapped_column(doc="Which key encrypts it.")
    device_hash: Mapped[str] = mapped_column(unique=True, info=SENSITIVE, doc="SHA-256 of the token of the device that enrolled it.")
    enrolled_at: Mapped[datetime] = mapped_column(server_default=func.now(), doc="When it was enrolled.")


class FaceConsent(Visible):
    """A person allowed their face to be kept; stays as a proof when the face is deleted."""

    __tablename__ = "face_consents"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(doc="What was allowed.")
    version: Mapped[str] = mapped_column(doc="Which wording was shown.")
    door: Mapped[str] = mapped_column(doc="Through which door it was given.")
    withdrawn_at: Mapped[datetime | None] = mapped_column(doc="When it was taken back.")


class FaceUse(StrEnum):
    """What a face was compared for."""

    SIGN_IN = "sign_in"
    CHECK_IN = "check_in"


class FaceCheck(Model):
    """One comparison, accepted or not, with the figures that decided it."""

    __tablename__ = "face_checks"
    __history__ = False

    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    purpose: Mapped[FaceUse]
    matcher: Mapped[FaceMatcher]
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), doc="Whose face it was, or came nearest to it; empty: nobody's."
    )
    compared: Mapped[int] = mapped_column(doc="With how many templates.")
    likeness: Mapped[float | None] = mapped_column(doc="How much the nearest one is like it, 1 at most.")
    runner_up: Mapped[float | None] = mapped_column(doc="The same of the second nearest.")
    threshold: Mapped[float] = mapped_column(doc="What the likeness had to reach.")
    lead: Mapped[float] = mapped_column(doc="By how much it had to be ahead.")
    is_accepted: Mapped[bool]

    __table_args__ = (Index(None, "at"), Index(None, "user_id", "at"))
