"""What guests say of services, summed up where it changes."""

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model


class ServiceRating(Model):
    """All ratings of a service as two numbers, changed in the transaction that rates a booking."""

    __tablename__ = "service_ratings"
    __history__ = False

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), unique=True)
    ratings: Mapped[int] = mapped_column(default=0, doc="How many bookings were rated.")
    stars: Mapped[int] = mapped_column(default=0, doc="All their stars together.")

    __table_args__ = (CheckConstraint("ratings >= 0 AND stars BETWEEN ratings AND 5 * ratings", name="stars"),)
