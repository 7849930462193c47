"""What people were advised and what they said to it, and the figures of the whole population behind it."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Model, Visible

if TYPE_CHECKING:
    from models.catalogue import Service


class RecommendationKind(StrEnum):
    """What is advised: a service, or to come back at all.

    SERVICE: A service to book.
    REMINDER: To come back for what was had before.
    """

    SERVICE = "service"
    REMINDER = "reminder"


class RecommendationPriority(StrEnum):
    """How much a recommendation matters now.

    HIGH: The usual time between two visits is long over.
    MEDIUM: Now is a good time.
    LOW: Whenever it suits.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class RecommendationAnswer(StrEnum):
    """What a person says to a recommendation.

    ACCEPTED: They want it; more of its kind will follow.
    DECLINED: They do not; it will not come back for a while.
    """

    ACCEPTED = "accepted"
    DECLINED = "declined"


class Recommendation(Visible):
    """One piece of advice to one person; it is renewed until it is answered, and then kept as it was."""

    __tablename__ = "recommendations"
    __history__ = False

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[RecommendationKind] = mapped_column(doc="A service, or a reminder to come back.")
    service_type: Mapped[str] = mapped_column(doc="The kind of treatment it is about, such as massage.")
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    reason: Mapped[str] = mapped_column(doc="Why it is advised, in words.")
    priority: Mapped[RecommendationPriority] = mapped_column(doc="How much it matters now.")
    suggested_on: Mapped[date] = mapped_column(doc="A good day for it, in the calendar of the person's usual location.")
    answer: Mapped[RecommendationAnswer | None] = mapped_column(doc="What the person said to it.")
    answered_at: Mapped[datetime | None] = mapped_column(doc="When they said so.")
    feedback: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="In their own words.")

    service: Mapped["Service | None"] = relationship(lazy="raise", viewonly=True, doc="The service that is advised.")

    __table_args__ = (
        Index(
            "uq_recommendations_open",
            "user_id",
            "kind",
            "service_type",
            "service_id",
            unique=True,
            postgresql_where=text("answer IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index(None, "user_id", "answered_at"),
        CheckConstraint("(kind = 'service') = (service_id IS NOT NULL)", name="service"),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answered"),
    )


class ServiceRhythm(Model):
    """After how many days guests return for one kind of treatment; worked out every hour."""

    __tablename__ = "service_rhythms"
    __history__ = False

    service_type: Mapped[str] = mapped_column(unique=True, doc="The kind of treatment, such as massage.")
    interval_days: Mapped[float] = mapped_column(doc="Half of the returns came sooner, half later.")
    returns: Mapped[int] = mapped_column(doc="How many returns that was learned from.")
    guests: Mapped[int] = mapped_column(doc="How many guests returned.")


class ServiceDemand(Model):
    """How many guests a service had in the last year, and on which weekday most came; worked out every hour."""

    __tablename__ = "service_demand"
    __history__ = False

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), unique=True)
    visits: Mapped[int] = mapped_column(doc="How often it was had.")
    guests: Mapped[int] = mapped_column(doc="By how many people.")
    usual_weekday: Mapped[int] = mapped_column(doc="The weekday on which most came; 0 is Monday.")


class ServicePair(Model):
    """Two services that the same guests book within a week more often than chance would have it; worked out every hour."""

    __tablename__ = "service_pairs"
    __history__ = False

    service_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    other_id: Mapped[int] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    guests: Mapped[int] = mapped_column(doc="Guests who had both within a week.")
    share: Mapped[float] = mapped_column(doc="Their share of all guests of the first.")
    lift: Mapped[float] = mapped_column(doc="How many times that is what chance would have it.")

    service: Mapped["Service"] = relationship(lazy="raise", viewonly=True, foreign_keys=[service_id], doc="The first.")
    other: Mapped["Service"] = relationship(lazy="raise", viewonly=True, foreign_keys=[other_id], doc="What goes with it.")

    __table_args__ = (UniqueConstraint("service_id", "other_id"), CheckConstraint("service_id <> other_id", name="two"))
