"""The CRM's desk: notices of bookings come in, from the house itself and from outside, and are worked through."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, NotFound
from models.crm import CrmMove, CrmNotice, CrmNoticeStatus, CrmSource, CrmStatus, counts
from models.events import Facilitator
from models.identity import STAFF, Role, User
from resolvers.context import Context, Viewer
from resolvers.idempotency import answers
from resolvers.inputs.crm import CrmFilter, CrmNoticeInput
from resolvers.inputs.values import parse_text
from resolvers.operations import CRM, allow
from subscriptions.crm import SET_ASIDE, NoticeChanged, NoticeMoved, NoticeReceived
from subscriptions.facts import announce

LONGEST_NAME, LONGEST_TITLE, LONGEST_NOTES = 300, 500, 5000


@dataclass
class CrmCounts:
    """How many notices there are in all, and how many of them fit."""

    total: int
    filtered: int


@dataclass
class CrmSummary:
    """How many notices were asked for by which filters."""

    counts: CrmCounts
    filters: CrmFilter


def visible(viewer: Viewer) -> Any:
    """The notices that a viewer may see: facilitators those of their own events, the desk and the staff all."""
    if viewer.program is not None or viewer.is_staff:
        return CrmNotice.id.is_not(None)
    mine = select(Facilitator.id).where(Facilitator.user_id == viewer.id).scalar_subquery()
    return (CrmNotice.source == CrmSource.OWN) & (CrmNotice.facilitator_number == mine)


@allow(*STAFF, Role.FACILITATOR, CRM)
def list_crm_notices(ctx: Context, *, filter: CrmFilter | None = None) -> Select[CrmNotice]:
    """What the CRM was told of bookings, newest first."""
    return narrowed(ctx.viewer, filter).order_by(CrmNotice.received_at.desc(), CrmNotice.id.desc())


@allow(*STAFF, Role.FACILITATOR, CRM)
def get_crm_notice(ctx: Context, *, booking_number: int) -> Select[CrmNotice]:
    """What the CRM was told of one booking, by the booking's number."""
    return narrowed(ctx.viewer, None).where(CrmNotice.booking_number == booking_number)


@allow(*STAFF, Role.FACILITATOR, CRM)
async def get_crm_summary(ctx: Context, *, filter: CrmFilter | None = None) -> CrmSummary:
    """How many notices there are in all, and how many fit the filter."""
    asked = filter or CrmFilter()
    numbers = [select(func.count()).select_from(narrowed(ctx.viewer, each).subquery()) for each in (None, asked)]
    [row] = await ctx.fetch(select(*[each.scalar_subquery() for each in numbers]))
    return CrmSummary(CrmCounts(row[0], row[1]), asked)


def narrowed(viewer: Viewer, filter: CrmFilter | None) -> Select[CrmNotice]:
    """The notices that count, of those that the viewer may see."""
    asked = filter or CrmFilter()
    found = select(CrmNotice).where(visible(viewer), ~counts(CrmNotice) if asked.is_set_aside else counts(CrmNotice))
    for column, value in (
        (CrmNotice.facilitator_number, asked.facilitator_number),
        (CrmNotice.event_number, asked.event_number),
        (CrmNotice.person_number, asked.user_number),
        (CrmNotice.event_type, asked.event_type),
        (CrmNotice.crm_status, asked.crm_status),
        (CrmNotice.source, asked.source),
    ):
        if value is not None:
            found = found.where(column == value)
    if asked.status is not None:
        found = found.where(cast(CrmNotice.status, Text) == func.lower(asked.status))
    return found


@allow(*STAFF, CRM)
async def receive_crm_notice(ctx: Context, *, input: CrmNoticeInput) -> CrmNotice:
    """Take a notice of a booking in another service; one of the house's own bookings is never changed by it."""
    said = _said(ctx, input)
    async with ctx.writing() as db:
        own = await db.scalar(select(CrmNotice).where(CrmNotice.booking_id == input.booking_number))
        if own is None:
            notice = await _keep(db, said)
        else:
            # What the house itself has sent on and gets back is nothing new; anything else about its number is kept apart.
            if (own.person_number, own.event_number) != (said["person_number"], said["event_number"]):
                await _keep(db, said, is_counted=False)
                SET_ASIDE.inc()
            notice = own
        answers(db, notice)
    return notice


@allow(*STAFF, CRM)
async def set_crm_status(ctx: Context, *, booking_number: int, crm_status: CrmStatus, note: str | None = None) -> CrmMove:
    """Say how far the desk has come with a booking; any status may follow any, and every step is kept with its note."""
    words = None if note is None else parse_text(note, "note", longest=LONGEST_NOTES) or None
    async with ctx.writing() as db:
        found = narrowed(ctx.viewer, None).where(CrmNotice.booking_number == booking_number)
        notice = await db.scalar(found.with_for_update(of=CrmNotice))
        if notice is None:
            raise NotFound
        moved = CrmMove(notice_id=notice.id, old_status=notice.crm_status, new_status=crm_status, note=words, moved_at=ctx.now())
        moved.moved_by_id = ctx.viewer.user_id
        notice.crm_status = crm_status
        db.add(moved)
        await announce(db, NoticeMoved(notice))
        answers(db, moved)
    return moved


async def _keep(db: AsyncSession, said: dict[str, Any], *, is_counted: bool = True) -> CrmNotice:
    """The row of a notice from outside: a new one, or the one of its number with what is said now."""
    fresh = insert(CrmNotice).values(**said)
    changes = {name: fresh.excluded[name] for name in said if name not in ("source", "booking_number", "received_at", "uuid")}
    kept = fresh.on_conflict_do_update(index_elements=["source", "booking_number"], set_=changes)
    row: Any = (await db.execute(kept.returning(CrmNotice.id, literal_column("xmax = 0")))).one()
    notice = await db.get_one(CrmNotice, row[0])
    if is_counted:
        await announce(db, NoticeReceived(notice) if row[1] else NoticeChanged(notice))
    return notice


def _said(ctx: Context, input: CrmNoticeInput) -> dict[str, Any]:
    """The columns of a notice from outside, checked."""
    user, event, now = input.user, input.event, ctx.now()
    for name, number in (
        ("booking_number", input.booking_number),
        ("facilitator_number", input.facilitator_number),
        ("user.id", user.id),
        ("event.id", event.id),
    ):
        if number < 1:
            raise BadUserInput(**{name: "Numbers begin with 1."})
    is_cancelled = (input.status or "").strip().lower() == CrmNoticeStatus.CANCELLED
    return {
        "source": CrmSource.OUTSIDE,
        "booking_number": input.booking_number,
        "status": CrmNoticeStatus.CANCELLED if is_cancelled else CrmNoticeStatus.RECEIVED,
        "person_number": user.id,
        "person_email": parse_text(user.email, "user.email", longest=LONGEST_NAME),
        "person_name": parse_text(user.name, "user.name", longest=LONGEST_NAME),
        "person_phone": _words(user.phone, "user.phone", LONGEST_NAME),
        "event_number": event.id,
        "event_title": parse_text(event.title, "event.title", longest=LONGEST_TITLE),
        "event_type": event.type,
        "starts_at": event.start_datetime,
        "location": _words(event.location, "event.location", LONGEST_TITLE),
        "facilitator_number": input.facilitator_number,
        "booked_at": input.booking_date or now,
        "notes": _words(input.notes, "notes", LONGEST_NOTES),
        "received_at": now,
        "changed_at": now,
    }


def _words(text: str | None, field: str, longest: int) -> str | None:
    return None if text is None else parse_text(text, field, longest=longest)


def mover(move: type[CrmMove]) -> ColumnElement[str]:
    """The name of who made a step."""
    name = func.trim(func.concat_ws(" ", User.first_name, User.last_name))
    return func.coalesce(select(name).where(User.id == move.moved_by_id).correlate(move).scalar_subquery(), "CRM")
