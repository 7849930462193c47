"""Kiosks: screens at the entrance of a location that may check guests in, and nothing else."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Visible

if TYPE_CHECKING:
    from models.scheduling import Location


class Kiosk(Visible):
    """A screen at an entrance; its token was shown once, to whoever set it up."""

    __tablename__ = "kiosks"

    location_id: Mapped[int] = mapped_column(ForeignKey("locations.id"), index=True)
    slug: Mapped[str] = mapped_column(doc="Name of the entrance, such as mensuite_entrance.")
    token_hash: Mapped[str] = mapped_column(unique=True, info=SENSITIVE, doc="SHA-256 of its token.")
    revoked_at: Mapped[datetime | None] = mapped_column(doc="Since when its token is good no more.")

    location: Mapped["Location"] = relationship(lazy="raise", doc="Where it stands.")

    __table_args__ = (Index("uq_kiosks_slug", "slug", unique=True, postgresql_where=text("revoked_at IS NULL")),)
