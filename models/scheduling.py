"""When and where: locations, weekly hours, and the reservations that make double booking impossible."""

from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import CheckConstraint, ColumnElement, Date, ForeignKey, UniqueConstraint, cast, func, select, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, Visible


class Schedule(Model):
    """Weekly hours in a time zone, of a location or of a person who works."""

    __tablename__ = "schedules"

    name: Mapped[str]
    time_zone: Mapped[str] = mapped_column(doc="IANA name, such as America/New_York.")

    hours: Mapped[list["ScheduleHours"]] = relationship(lazy="raise", viewonly=True, order_by="ScheduleHours.weekday, ScheduleHours.opens")


class ScheduleHours(Model):
    """One opening interval of one weekday, in local time."""

    __tablename__ = "schedule_hours"

    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), index=True)
    weekday: Mapped[int] = mapped_column(doc="0 is Monday.")
    opens: Mapped[time] = mapped_column(doc="Local time at which the interval begins.")
    closes: Mapped[time] = mapped_column(doc="Local time at which it ends; later than it begins.")

    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("closes > opens", name="order"),
    )


class ScheduleException(Model):
    """A day with other hours than its weekday; without hours it is closed."""

    __tablename__ = "schedule_exceptions"

    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    day: Mapped[date]
    opens: Mapped[time | None]
    closes: Mapped[time | None]
    reason: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("schedule_id", "day", "opens", postgresql_nulls_not_distinct=True),
        CheckConstraint("(opens IS NULL) = (closes IS NULL) AND (opens IS NULL OR closes > opens)", name="order"),
    )


class Location(Visible):
    """A place of business; its days and hours are local to its time zone."""

    __tablename__ = "locations"

    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    slug: Mapped[str] = mapped_column(unique=True, doc="Name in addresses.")
    time_zone: Mapped[str] = mapped_column(doc="IANA name of its time zone.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code in which it charges.")
    address: Mapped[str] = mapped_column(default="", doc="Street address.")
    city: Mapped[str] = mapped_column(default="", server_default="", doc="The city it is in.")
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id"))

    schedule: Mapped[Schedule] = relationship(lazy="raise")


def house_day(moment: ColumnElement[datetime]) -> ColumnElement[date]:
    """The day in the house's calendar, which is that of its first location, for what belongs to no location."""
    zone = select(Location.time_zone).order_by(Location.id).limit(1).scalar_subquery()
    return cast(func.timezone(func.coalesce(zone, "UTC"), moment), Date)


class ResourceKind(StrEnum):
    """What a resource stands for."""

    ROOM = "room"
    PERSON = "person"


class Resource(Model):
    """Whatever cannot be in two places at once: a room, or a person who works or attends."""

    __tablename__ = "resources"
    __history__ = False

    kind: Mapped[ResourceKind]
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey("schedules.id"), doc="When it can be reserved; empty: at any time.")

    schedule: Mapped[Schedule | None] = relationship(lazy="raise")


class Hold(Visible):
    """A slot kept for a person until they book it or it expires."""

    __tablename__ = "holds"
    __history__ = False

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id"))
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"))
    starts_at: Mapped[datetime] = mapped_column(doc="Start of the held slot.")
    ends_at: Mapped[datetime] = mapped_column(doc="End of the held slot.")
    expires_at: Mapped[datetime] = mapped_column(index=True, doc="When the slot is free again.")


class Reservation(Model):
    """A resource is taken during a time. The exclusion constraint is what forbids double booking."""

    __tablename__ = "reservations"
    __history__ = False

    resource_id: Mapped[int] = mapped_column(ForeignKey("resources.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("bookings.id", ondelete="CASCADE"), index=True)
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("holds.id", ondelete="CASCADE"), index=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), index=True)

    __table_args__ = (
        # Integer ranges, since no contrib extension (btree_gist) may be assumed.
        ExcludeConstraint(
            (text("int8range(resource_id, resource_id, '[]')"), "&&"),
            (text("during"), "&&"),
            name="ex_reservations_overlap",
            using="gist",
        ),
        CheckConstraint("num_nonnulls(booking_id, hold_id, event_id) = 1", name="one_reason"),
        CheckConstraint("NOT isempty(during)", name="not_empty"),
    )
