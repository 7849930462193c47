"""What only one process may do at a time."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model


class Claim(Model):
    """A task that one process has taken for itself for a while; whoever dies leaves it to the others when the while is over."""

    __tablename__ = "claims"
    __history__ = False

    name: Mapped[str] = mapped_column(unique=True, doc="The task.")
    holder: Mapped[UUID] = mapped_column(doc="Who has it.")
    good_until: Mapped[datetime] = mapped_column(doc="Until when, by the real clock, unless it is taken again.")
