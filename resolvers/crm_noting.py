"""What the house tells its own CRM: written in the transaction of the booking, so that no booking is without its notice."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

import clock
from jobs.queue import enqueue
from models.bookings import Booking
from models.crm import CrmDispatch, CrmNotice, CrmNoticeStatus, CrmSource
from models.events import Event, EventBooking
from models.identity import User
from models.rooms import Room
from models.together import new, next_number, write_at_end
from subscriptions.crm import NoticeChanged, NoticeReceived
from subscriptions.facts import announce


async def note_for_crm(
    db: AsyncSession, booking: Booking, kind: CrmNoticeStatus = CrmNoticeStatus.RECEIVED, *, event_id: int | None = None
) -> None:
    """Tell the CRM of an event's booking in this transaction, and have it sent on; a booking it knows is changed.

    `event_id` saves looking the event up, and must be given while the booking itself is not written yet.
    """
    facts = await _facts(db, booking, event_id)
    said = _said(facts, kind)
    if facts.known is None:
        notice = CrmNotice(
            id=facts.fresh, source=CrmSource.OWN, booking_id=booking.id, booking_number=booking.id, received_at=said["changed_at"],
            booked_at=booking.created_at or said["changed_at"], notes=booking.special_requests, crm_status="new", **said,
        )  # fmt: skip
        await write_at_end(
            db, notice, new(CrmDispatch, notice_id=notice.id, waiting_since=notice.changed_at, next_try_at=notice.changed_at)
        )
        await announce(db, NoticeReceived(notice))
    else:
        [notice] = await _change(db, said, CrmNotice.id == facts.known)
    await enqueue(db, "forward_crm_notice", {"notice_id": notice.id})


async def _facts(db: AsyncSession, booking: Booking, event_id: int | None) -> Row[Any]:
    """What the booking's person and event are now, with the number of the notice that is known, or of a new one."""
    if event_id is None:
        event_id = await db.scalar(select(EventBooking.event_id).where(EventBooking.booking_id == booking.id))
    if event_id is None:
        raise ValueError(f"The booking {booking.id} is of no event.")
    found = await db.execute(
        select(
            User.id.label("person_number"),
            User.email.label("person_email"),
            func.trim(func.concat_ws(" ", User.first_name, User.last_name)).label("person_name"),
            User.phone.label("person_phone"),
            Event.id.label("event_number"),
            Event.title.label("event_title"),
            Event.kind.label("event_type"),
            Event.starts_at,
            func.coalesce(Event.venue, Room.name).label("location"),
            Event.facilitator_id.label("facilitator_number"),
            CrmNotice.id.label("known"),
            next_number(CrmNotice).label("fresh"),
        )
        .select_from(User)
        .join(Event, Event.id == event_id)
        .outerjoin(Room, Room.id == Event.room_id)
        .outerjoin(CrmNotice, CrmNotice.booking_id == booking.id)
        .where(User.id == booking.customer_id)
    )
    return found.one()


def _said(facts: Row[Any], kind: CrmNoticeStatus) -> dict[str, Any]:
    """The columns that follow from person and event."""
    told = {name: value for name, value in facts._mapping.items() if name not in ("known", "fresh")}
    return {**told, "status": kind, "changed_at": clock.now()}


async def note_cancellations_for_crm(db: AsyncSession, booking_ids: Sequence[int]) -> None:
    """Tell the CRM of many bookings at once, in this transaction, that they do not hold any more."""
    said = {"status": CrmNoticeStatus.CANCELLED, "changed_at": clock.now()}
    if await _change(db, said, CrmNotice.booking_id.in_(booking_ids)):
        await enqueue(db, "forward_crm_backlog", {})


async def note_event_for_crm(db: AsyncSession, event: Event) -> None:
    """Tell the CRM, in this transaction, that an event which people have booked is another one now."""
    said = {"event_title": event.title, "event_type": event.kind, "starts_at": event.starts_at, "changed_at": clock.now()}
    room = select(Room.name).where(Room.id == event.room_id).scalar_subquery()
    said |= {"facilitator_number": event.facilitator_id, "location": func.coalesce(event.venue, room)}
    which = CrmNotice.source == CrmSource.OWN, CrmNotice.event_number == event.id, CrmNotice.status == CrmNoticeStatus.RECEIVED
    if await _change(db, said, *which):
        await enqueue(db, "forward_crm_backlog", {})


async def _change(db: AsyncSession, said: dict[str, Any], *which: ColumnElement[bool]) -> Sequence[CrmNotice]:
    """Change notices and have them sent on anew."""
    changed = update(CrmNotice).where(*which).values(**said).returning(CrmNotice)
    notices = (await db.scalars(changed, execution_options={"synchronize_session": False, "populate_existing": True})).all()
    if notices:
        moment = said["changed_at"]
        rows = [{"notice_id": each.id, "version": 1, "tries": 0, "waiting_since": moment, "next_try_at": moment} for each in notices]
        fresh = insert(CrmDispatch).values(rows)
        since = func.coalesce(CrmDispatch.waiting_since, moment)
        again = {"version": CrmDispatch.version + 1, "waiting_since": since, "next_try_at": moment, "tries": 0, "error": None}
        await db.execute(fresh.on_conflict_do_update(index_elements=["notice_id"], set_=again))
    for each in notices:
        await announce(db, NoticeChanged(each))
    return notices
