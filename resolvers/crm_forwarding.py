"""Sending notices on to another CRM: what it does not take waits, is tried again with growing pauses, and can be seen."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, delete, null, select, update

from gateways.crm import NotTaken
from jobs.queue import enqueue
from models.crm import CrmDispatch, CrmNotice
from models.identity import STAFF
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.operations import allow

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0
LEASE = timedelta(minutes=1)
"""For how long nobody else sends a notice that one job is sending."""


@dataclass
class CrmRetried:
    """What was put in line again."""

    waiting: int


@allow(*STAFF)
def list_crm_backlog(ctx: Context) -> Select[CrmDispatch]:
    """What another CRM has not taken yet, the longest waiting first."""
    return select(CrmDispatch).where(CrmDispatch.waiting_since.is_not(None)).order_by(CrmDispatch.waiting_since, CrmDispatch.id)


@allow(*STAFF)
async def retry_crm_backlog(ctx: Context) -> CrmRetried:
    """Send what another CRM has not taken yet at once, instead of after the pause."""
    async with ctx.writing() as db:
        waiting = update(CrmDispatch).where(CrmDispatch.waiting_since.is_not(None)).values(next_try_at=ctx.now())
        found = await db.scalars(waiting.returning(CrmDispatch.id), execution_options={"synchronize_session": False})
        done = CrmRetried(len(found.all()))
        await enqueue(db, "forward_crm_backlog", {})
        answers(db, done)
    return done


async def forward_crm_notice(ctx: Context, notice_id: int) -> None:
    """Send one notice on, if it still waits; what is not taken is left to the backlog's own job."""
    await _forward(ctx, notice_id)


async def forward_crm_backlog(ctx: Context) -> None:
    """Send on what is due, the oldest first, until nothing is left or the other CRM proves to be away."""
    while await _forward(ctx):
        pass


async def _forward(ctx: Context, notice_id: int | None = None) -> bool:
    """Send one notice on; says whether it is worth while to go on."""
    if ctx.gateways.crm is None:
        async with ctx.writing() as db:  # nobody wants to know
            await db.execute(delete(CrmDispatch) if notice_id is None else delete(CrmDispatch).where(CrmDispatch.notice_id == notice_id))
        return False
    claimed = await _claim(ctx, notice_id)
    if claimed is None:
        return False
    dispatch, notice = claimed
    try:
        await ctx.gateways.crm.notify(spell(notice), f"atrium-crm-{notice.uuid}-{dispatch.version}")
    except NotTaken as failure:
        pause = timedelta(seconds=min(FIRST_PAUSE * 2.0 ** (dispatch.tries - 1), LONGEST_PAUSE) * random.uniform(0.75, 1.25))  # noqa: S311 - spreads the tries, keeps no secret
        await _note(ctx, dispatch, {"error": str(failure), "next_try_at": ctx.now() + pause})
        return not failure.is_away
    is_same = CrmDispatch.version == dispatch.version  # or else something more was said meanwhile
    since = case((is_same, null()), else_=CrmDispatch.waiting_since)
    await _note(ctx, dispatch, {"error": None, "sent_at": ctx.now(), "tries": 0, "waiting_since": since, "next_try_at": ctx.now()})
    return True


async def _claim(ctx: Context, notice_id: int | None) -> tuple[CrmDispatch, CrmNotice] | None:
    """What is to be sent next, kept from other jobs for a while."""
    due = select(CrmDispatch).where(CrmDispatch.waiting_since.is_not(None), CrmDispatch.next_try_at <= ctx.now())
    if notice_id is not None:
        due = due.where(CrmDispatch.notice_id == notice_id)
    async with ctx.writing() as db:
        first = due.order_by(CrmDispatch.next_try_at, CrmDispatch.id).limit(1).with_for_update(skip_locked=True)
        dispatch = await db.scalar(first)
        if dispatch is None:
            return None
        dispatch.tries += 1
        dispatch.next_try_at = ctx.now() + LEASE
        return dispatch, await db.get_one(CrmNotice, dispatch.notice_id)


async def _note(ctx: Context, dispatch: CrmDispatch, changes: Mapping[str, Any]) -> None:
    async with ctx.writing() as db:
        told = update(CrmDispatch).where(CrmDispatch.id == dispatch.id).values(**changes)
        await db.execute(told, execution_options={"synchronize_session": False})


def spell(notice: CrmNotice) -> dict[str, Any]:
    """A notice as the documented service is told of it, with its status beside, which that service ignores."""
    return {
        "booking_id": notice.booking_number,
        "user": {
            "id": notice.person_number,
            "email": notice.person_email or "",
            "name": notice.person_name,
            "phone": notice.person_phone,
        },
        "event": {
            "id": notice.event_number,
            "title": notice.event_title,
            "type": notice.event_type.value,
            "start_datetime": _naive(notice.starts_at),
            "location": notice.location,
        },
        "facilitator_id": notice.facilitator_number,
        "booking_date": _naive(notice.booked_at),
        "notes": notice.notes,
        "status": notice.status.value,
    }


def _naive(moment: datetime | None) -> str | None:
    """UTC without saying so, as documented."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
