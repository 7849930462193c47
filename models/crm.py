"""The CRM: notices of event bookings, where the desk stands with each, and what still has to be sent on."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, and_, exists, func, or_, text
from sqlalchemy.orm import Mapped, aliased, foreign, mapped_column, relationship, remote

from models.base import SENSITIVE, Model, Visible
from models.events import EventType

if TYPE_CHECKING:
    from models.identity import User


class CrmSource(StrEnum):
    """Where a notice comes from.

    OWN: A booking of this house.
    OUTSIDE: Another booking service, whose numbers are its own.
    """

    OWN = "own"
    OUTSIDE = "outside"


class CrmNoticeStatus(StrEnum):
    """What the newest notice of a booking said.

    RECEIVED: The booking holds.
    CANCELLED: It does not hold any more.
    """

    RECEIVED = "received"
    CANCELLED = "cancelled"


class CrmStatus(StrEnum):
    """How far the desk has come with a booking; any may follow any.

    NEW: Newly received notification.
    REVIEWED: The notification has been reviewed.
    CONTACTED: The customer has been contacted.
    CONFIRMED: The booking was confirmed with the customer.
    COMPLETED: The event is over.
    """

    NEW = "new"
    REVIEWED = "reviewed"
    CONTACTED = "contacted"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"


class CrmNotice(Visible):
    """What the CRM was told of one booking, as the newest notice of it says."""

    __tablename__ = "crm_notices"

    source: Mapped[CrmSource] = mapped_column(doc="Where it comes from.")
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("bookings.id", ondelete="CASCADE"), unique=True)
    booking_number: Mapped[int] = mapped_column(doc="The number of the booking in the service that it comes from.")
    status: Mapped[CrmNoticeStatus] = mapped_column(default=CrmNoticeStatus.RECEIVED, doc="What the newest notice said.")
    crm_status: Mapped[CrmStatus] = mapped_column(default=CrmStatus.NEW, doc="How far the desk has come with it.")
    person_number: Mapped[int] = mapped_column(doc="The person's number in the service that it comes from.")
    person_email: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Where the person can be written to.")
    person_name: Mapped[str] = mapped_column(default="", info=SENSITIVE, doc="The person's name.")
    person_phone: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Where the person can be called.")
    event_number: Mapped[int] = mapped_column(doc="The event's number in the service that it comes from.")
    event_title: Mapped[str] = mapped_column(doc="What the event is called.")
    event_type: Mapped[EventType] = mapped_column(doc="What kind of gathering it is.")
    starts_at: Mapped[datetime | None] = mapped_column(doc="When the event begins.")
    location: Mapped[str | None] = mapped_column(doc="Where the event takes place.")
    facilitator_number: Mapped[int] = mapped_column(doc="The facilitator's number in the service that it comes from.")
    booked_at: Mapped[datetime] = mapped_column(doc="When it was booked.")
    notes: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What the customer wrote.")
    received_at: Mapped[datetime] = mapped_column(doc="When the first notice of it came.")
    changed_at: Mapped[datetime] = mapped_column(doc="When the newest notice of it came.")

    person: Mapped["CrmNotice"] = relationship(lazy="raise", viewonly=True, primaryjoin=lambda: _itself(), doc="Who booked.")
    event: Mapped["CrmNotice"] = relationship(lazy="raise", viewonly=True, primaryjoin=lambda: _itself(), doc="What was booked.")
    moves: Mapped[list["CrmMove"]] = relationship(
        lazy="raise", viewonly=True, order_by="CrmMove.id.desc()", doc="What the desk has done with it, newest first."
    )
    dispatch: Mapped["CrmDispatch | None"] = relationship(
        lazy="raise", viewonly=True, back_populates="notice", doc="Whether it was sent on to another CRM."
    )

    __table_args__ = (
        UniqueConstraint("source", "booking_number"),
        CheckConstraint("(source = 'own') = (booking_id IS NOT NULL)", name="own"),
        CheckConstraint("booking_id = booking_number", name="number"),
        Index(None, "received_at", "id"),
        Index(None, "booking_number"),
        Index(None, "facilitator_number", "received_at", "id"),
        Index(None, "event_number"),
        Index(None, "person_number"),
    )


def _itself() -> ColumnElement[bool]:
    # Person and event are columns of the notice; so that they can be shown as objects, the row stands beside itself.
    return remote(foreign(CrmNotice.id)) == CrmNotice.id


def counts(notice: type[CrmNotice]) -> ColumnElement[bool]:
    """Whether a notice stands for its number: one from outside does not, where the house has a booking of the same number."""
    own = aliased(CrmNotice)
    taken = exists().where(and_(own.source == CrmSource.OWN, own.booking_number == notice.booking_number))
    return or_(notice.source == CrmSource.OWN, ~taken)


class CrmMove(Model):
    """The desk set the status of a booking."""

    __tablename__ = "crm_moves"

    notice_id: Mapped[int] = mapped_column(ForeignKey("crm_notices.id", ondelete="CASCADE"), index=True)
    old_status: Mapped[CrmStatus] = mapped_column(doc="The status before.")
    new_status: Mapped[CrmStatus] = mapped_column(doc="The status after.")
    note: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What the desk noted.")
    moved_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now(), doc="When.")

    notice: Mapped[CrmNotice] = relationship(lazy="raise", viewonly=True, doc="The notice.")
    moved_by: Mapped["User | None"] = relationship(lazy="raise", doc="Who did it; none where the CRM's own token did.")


class CrmDispatch(Model):
    """What is to be sent on of one notice to another CRM, and how that went."""

    __tablename__ = "crm_dispatches"
    __history__ = False

    notice_id: Mapped[int] = mapped_column(ForeignKey("crm_notices.id", ondelete="CASCADE"), unique=True)
    version: Mapped[int] = mapped_column(default=1, doc="How often there was something to say.")
    waiting_since: Mapped[datetime | None] = mapped_column(doc="Since when something waits to be sent; none once it was.")
    next_try_at: Mapped[datetime | None] = mapped_column(doc="When it is tried again.")
    tries: Mapped[int] = mapped_column(default=0, doc="How often it was tried since then.")
    error: Mapped[str | None] = mapped_column(doc="Why the last try failed.")
    sent_at: Mapped[datetime | None] = mapped_column(doc="When the other CRM took it last.")

    notice: Mapped[CrmNotice] = relationship(lazy="raise", viewonly=True, back_populates="dispatch", doc="The notice.")

    __table_args__ = (Index("ix_crm_dispatches_waiting", "next_try_at", "id", postgresql_where=text("waiting_since IS NOT NULL")),)
