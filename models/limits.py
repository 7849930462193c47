"""How often something was done of late, counted where every process sees it."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model


class LimitCounter(Model):
    """The calls under one limit in its present window."""

    __tablename__ = "limit_counters"
    __history__ = False

    key: Mapped[str] = mapped_column(unique=True, doc="The limit, and a keyed hash of whom it counts.")
    hits: Mapped[int]
    holders: Mapped[int] = mapped_column(server_default="1", doc="Processes that have asked in this window.")
    expires_at: Mapped[datetime] = mapped_column(index=True, doc="When the window ends.")
