"""Waiting lists: who waits for seats at an event or for a time at the spa, and what is kept for whom until when."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, func, select, text
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from models.base import Visible

if TYPE_CHECKING:
    from models.catalogue import Service
    from models.events import Event
    from models.identity import User
    from models.rooms import Room


class WaitlistKind(StrEnum):
    """What somebody waits for.

    EVENT: Seats at an event.
    SLOT: A time at the spa.
    """

    EVENT = "event"
    SLOT = "slot"


class WaitlistStatus(StrEnum):
    """Where somebody stands in a waiting list.

    WAITING: In line.
    OFFERED: Something is kept for them until the offer ends.
    TAKEN: They have booked what was kept for them.
    EXPIRED: The offer ended before they took it.
    LEFT: They do not want it any more.
    CLOSED: It begins, or does not take place, before anything became free.
    """

    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"
    EXPIRED = "expired"
    LEFT = "left"
    CLOSED = "closed"


WAITLIST_MOVES = {
    WaitlistStatus.WAITING: {WaitlistStatus.OFFERED, WaitlistStatus.TAKEN, WaitlistStatus.LEFT, WaitlistStatus.CLOSED},
    WaitlistStatus.OFFERED: {WaitlistStatus.TAKEN, WaitlistStatus.EXPIRED, WaitlistStatus.LEFT, WaitlistStatus.CLOSED},
}
OPEN = "status IN ('waiting', 'offered')"


class WaitlistEntry(Visible):
    """Somebody waits for seats at an event, or for a service at a time when no room is free."""

    __tablename__ = "waitlist_entries"

    kind: Mapped[WaitlistKind] = mapped_column(doc="What is waited for.")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[WaitlistStatus] = mapped_column(default=WaitlistStatus.WAITING, doc="Where they stand.")
    quantity: Mapped[int] = mapped_column(default=1, doc="How many seats; all of them are offered together.")
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"), index=True)
    room_id: Mapped[int | None] = mapped_column(ForeignKey("rooms.id"), doc="The room; any that suits when empty.")
    starts_at: Mapped[datetime] = mapped_column(doc="When it begins.")
    ends_at: Mapped[datetime] = mapped_column(doc="When it ends.")
    offered_at: Mapped[datetime | None] = mapped_column(doc="When it was offered.")
    offer_ends_at: Mapped[datetime | None] = mapped_column(doc="Until when it is kept.")
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("holds.id", ondelete="SET NULL"), unique=True)

    user: Mapped["User"] = relationship(lazy="raise", doc="Who waits.")
    event: Mapped["Event | None"] = relationship(lazy="raise", doc="The event whose seats are waited for.")
    service: Mapped["Service | None"] = relationship(lazy="raise", doc="The service at the spa that is waited for.")
    room: Mapped["Room | None"] = relationship(lazy="raise", doc="The room that is waited for; any that suits when empty.")

    __table_args__ = (
        Index("uq_waitlist_entries_event", "event_id", "user_id", unique=True, postgresql_where=text(OPEN)),
        Index(
            "uq_waitlist_entries_slot",
            "user_id",
            "service_id",
            "starts_at",
            unique=True,
            postgresql_where=text(f"kind = 'slot' AND {OPEN}"),
        ),
        Index("ix_waitlist_entries_line", "event_id", "id", postgresql_where=text("status = 'waiting'")),
        Index("ix_waitlist_entries_slots", "starts_at", "id", postgresql_where=text(f"kind = 'slot' AND {OPEN}")),
        Index("ix_waitlist_entries_offers", "offer_ends_at", "id", postgresql_where=text("status = 'offered'")),
        Index(None, "user_id", "id"),
        CheckConstraint("quantity BETWEEN 1 AND 10 AND (kind = 'event' OR quantity = 1)", name="quantity"),
        CheckConstraint("(kind = 'event') = (event_id IS NOT NULL) AND (kind = 'slot') = (service_id IS NOT NULL)", name="kind"),
        CheckConstraint("ends_at > starts_at", name="order"),
        CheckConstraint("(status = 'waiting') = (offered_at IS NULL) OR status IN ('taken', 'left', 'closed')", name="offered"),
        CheckConstraint("(offered_at IS NULL) = (offer_ends_at IS NULL)", name="offer_ends"),
    )


def position(entry: type[WaitlistEntry]) -> ColumnElement[int]:
    """The place in the line, from 1; only those who wait have one."""
    before = aliased(WaitlistEntry)
    of_event = (before.kind == WaitlistKind.EVENT) & (before.event_id == entry.event_id)
    of_slot = (before.kind == WaitlistKind.SLOT) & (before.service_id == entry.service_id) & (before.starts_at == entry.starts_at)
    waiting = before.status == WaitlistStatus.WAITING, before.kind == entry.kind, before.id <= entry.id, of_event | of_slot
    counted = select(func.count(before.id)).where(*waiting, entry.status == WaitlistStatus.WAITING).correlate(entry)
    return func.nullif(counted.scalar_subquery(), 0)
