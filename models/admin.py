"""What staff look at to run the house."""

from datetime import date

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model


class EndpointUse(Model):
    """How often an old endpoint was called on a day by one kind of client; no person stands in it."""

    __tablename__ = "endpoint_uses"
    __history__ = False

    day: Mapped[date] = mapped_column(doc="The day, in UTC.")
    system: Mapped[str] = mapped_column(doc="The older system whose endpoint it is.")
    route: Mapped[str] = mapped_column(doc="Name of the operation that answers it.")
    client: Mapped[str] = mapped_column(doc="The calling program, as it names itself.")
    calls: Mapped[int] = mapped_column(default=0, doc="How often it was called.")
    refused: Mapped[int] = mapped_column(default=0, doc="How many of the calls were refused.")

    __table_args__ = (UniqueConstraint("day", "system", "route", "client"),)
