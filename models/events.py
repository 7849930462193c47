"""Events: sessions and retreats, who holds them, the seats that were taken, and the calendars that show them."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, Interval, UniqueConstraint, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from models.base import SENSITIVE, Model, Money, Visible

if TYPE_CHECKING:
    from models.bookings import Booking
    from models.identity import User
    from models.rooms import Room


class EventType(StrEnum):
    """What kind of gathering an event is.

    SESSION: An hour or two, such as a meditation in the morning.
    RETREAT: Days away together.
    """

    SESSION = "session"
    RETREAT = "retreat"


class EventStatus(StrEnum):
    """Where an event stands.

    ACTIVE: It will take place, or is taking place.
    CANCELLED: It does not take place.
    COMPLETED: It has taken place.
    """

    ACTIVE = "active"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


EVENT_MOVES = {EventStatus.ACTIVE: {EventStatus.CANCELLED, EventStatus.COMPLETED}}


class Facilitator(Visible):
    """A person who holds events."""

    __tablename__ = "facilitators"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), unique=True)
    bio: Mapped[str] = mapped_column(default="", info=SENSITIVE, doc="What they say about themselves.")
    is_active: Mapped[bool] = mapped_column(default=True, doc="Whether they hold events now.")

    user: Mapped["User"] = relationship(lazy="raise", doc="The person.")


class Told:
    """What is told about a gathering, of one event as of a whole series."""

    facilitator_id: Mapped[int] = mapped_column(ForeignKey("facilitators.id"))
    room_id: Mapped[int | None] = mapped_column(ForeignKey("rooms.id"), index=True)
    kind: Mapped[EventType] = mapped_column(doc="A session, or a retreat.")
    title: Mapped[str] = mapped_column(doc="What it is called.")
    description: Mapped[str] = mapped_column(default="", doc="What happens there.")
    venue: Mapped[str | None] = mapped_column(doc="Where it takes place, in words.")
    virtual_link: Mapped[str | None] = mapped_column(doc="Where it takes place online.")
    time_zone: Mapped[str] = mapped_column(doc="IANA name of the time zone in which its hours are meant.")
    max_participants: Mapped[int] = mapped_column(doc="How many seats there are.")
    price: Mapped[Money] = mapped_column(doc="What a seat costs.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of the price.")
    requirements: Mapped[str | None] = mapped_column(doc="What to bring, or to be able to.")

    @declared_attr
    def facilitator(self) -> Mapped[Facilitator]:
        """Who holds it."""
        return relationship(lazy="raise", doc="Who holds it.")

    @declared_attr
    def room(self) -> Mapped["Room | None"]:
        """The room, when it is one of the house's."""
        return relationship(lazy="raise", doc="The room it takes place in, when it is one of the house's.")


class EventSeries(Told, Visible):
    """A session that recurs: the rule, and what holds for those of its events that were not changed alone."""

    __tablename__ = "event_series"

    rule: Mapped[str] = mapped_column(doc="When it recurs: an RRULE of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO.")
    starts_at: Mapped[datetime] = mapped_column(doc="When the first one begins.")
    lasts: Mapped[timedelta] = mapped_column(Interval, doc="How long each lasts.")
    made_until: Mapped[datetime] = mapped_column(index=True, doc="Until when its events have been put into the calendar.")
    ended_at: Mapped[datetime | None] = mapped_column(doc="When it was decided that no more follow.")

    __table_args__ = (
        CheckConstraint("lasts > interval '0'", name="lasts"),
        CheckConstraint("max_participants > 0", name="seats"),
        CheckConstraint("price >= 0", name="price"),
    )


class Event(Told, Visible):
    """A session or a retreat, with seats that people book."""

    __tablename__ = "events"

    status: Mapped[EventStatus] = mapped_column(default=EventStatus.ACTIVE, doc="Where it stands.")
    starts_at: Mapped[datetime] = mapped_column(doc="When it begins.")
    ends_at: Mapped[datetime] = mapped_column(doc="When it ends.")
    current_participants: Mapped[int] = mapped_column(default=0, server_default=text("0"), doc="How many seats are taken.")
    changes: Mapped[int] = mapped_column(default=0, server_default=text("0"), doc="How often its time or place was changed.")
    changed_at: Mapped[datetime | None] = mapped_column(doc="When what is told about it was last changed.")
    cancel_reason: Mapped[str | None] = mapped_column(doc="Why it was cancelled.")
    cancelled_at: Mapped[datetime | None] = mapped_column(doc="When it was cancelled.")
    series_id: Mapped[int | None] = mapped_column(ForeignKey("event_series.id"))
    recurs_at: Mapped[datetime | None] = mapped_column(doc="When the rule of its series has it begin, wherever it was moved since.")
    is_detached: Mapped[bool] = mapped_column(
        default=False, server_default=text("false"), doc="Whether it was changed alone, so that changes of its series pass it by."
    )

    series: Mapped[EventSeries | None] = relationship(lazy="raise", doc="The series it belongs to, if it recurs.")

    __table_args__ = (
        UniqueConstraint("series_id", "recurs_at"),
        Index(None, "status", "starts_at", "id"),
        Index(None, "facilitator_id", "starts_at", "id"),
        CheckConstraint("ends_at > starts_at", name="order"),
        CheckConstraint("max_participants > 0 AND current_participants BETWEEN 0 AND max_participants", name="seats"),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("(series_id IS NULL) = (recurs_at IS NULL)", name="series"),
    )


class EventBooking(Model):
    """What only the booking of an event has."""

    __tablename__ = "event_bookings"

    booking_id: Mapped[int] = mapped_column(ForeignKey("bookings.id", ondelete="CASCADE"), unique=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"), doc="The booking's customer, who has one booking of an event.")
    seats: Mapped[int] = mapped_column(default=1, server_default=text("1"), doc="How many seats it takes.")
    released_at: Mapped[datetime | None] = mapped_column(doc="When its seats were given back.")

    event: Mapped[Event] = relationship(lazy="raise", doc="The event.")
    booking: Mapped["Booking"] = relationship(lazy="raise", doc="The booking.")

    __table_args__ = (
        Index("uq_event_bookings_seat", "event_id", "customer_id", unique=True, postgresql_where=text("released_at IS NULL")),
        Index(None, "customer_id"),
        CheckConstraint("seats > 0", name="seats"),
    )


class FeedKind(StrEnum):
    """What a calendar feed shows.

    ATTENDEE: Everything that a person has booked.
    FACILITATOR: The events that a facilitator holds.
    ROOM: What takes place in a room, without names.
    """

    ATTENDEE = "attendee"
    FACILITATOR = "facilitator"
    ROOM = "room"


class CalendarFeed(Visible):
    """A secret address under which calendar programs fetch a calendar, until it is revoked."""

    __tablename__ = "calendar_feeds"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[FeedKind] = mapped_column(doc="What it shows.")
    facilitator_id: Mapped[int | None] = mapped_column(ForeignKey("facilitators.id"))
    room_id: Mapped[int | None] = mapped_column(ForeignKey("rooms.id"))
    secret_hash: Mapped[str] = mapped_column(unique=True, info=SENSITIVE, doc="SHA-256 of the secret in its address.")
    revoked_at: Mapped[datetime | None] = mapped_column(doc="When the address stopped working.")

    room: Mapped["Room | None"] = relationship(lazy="raise", doc="The room whose calendar it is.")

    __table_args__ = (
        CheckConstraint("(kind = 'facilitator') = (facilitator_id IS NOT NULL) AND (kind = 'room') = (room_id IS NOT NULL)", name="kind"),
    )
