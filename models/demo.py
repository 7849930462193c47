"""What only a demo server keeps: which parts of the demo world it holds, and how far its clock was moved."""

from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model


class DemoNote(Model):
    """One fact about the demo by its name."""

    __tablename__ = "demo_notes"
    __history__ = False

    name: Mapped[str] = mapped_column(unique=True, doc="Such as chapter:people, or clock.")
    value: Mapped[dict[str, Any]]
