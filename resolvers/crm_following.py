"""The CRM's desk, followed as it happens."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Select, select

from errors import Forbidden
from models.crm import CrmNotice
from models.events import Facilitator
from models.identity import STAFF, Role
from resolvers.context import Context
from resolvers.crm import visible
from resolvers.following import Following
from resolvers.operations import allow

if TYPE_CHECKING:
    from subscriptions.log import Record


class CrmEventKind(StrEnum):
    """What happened at the CRM's desk.

    RECEIVED: A booking became known.
    CHANGED: A known booking was changed or cancelled.
    MOVED: The desk has come further with a booking.
    """

    RECEIVED = "crm.received"
    CHANGED = "crm.changed"
    MOVED = "crm.moved"


@dataclass
class CrmEvent:
    """Something that happened at the CRM's desk."""

    cursor: str
    kind: CrmEventKind
    at: datetime
    notice: Select[CrmNotice]


@allow(*STAFF, Role.FACILITATOR)
async def follow_crm(ctx: Context, *, facilitator_number: int | None = None) -> Following[CrmEvent]:
    """What happens at the CRM's desk, for the staff; or what concerns a facilitator's own events."""
    if ctx.viewer.is_staff:
        return Following(frozenset({"crm" if facilitator_number is None else f"crm:{facilitator_number}"}), _shown)
    mine = [row["id"] for row in await ctx.fetch(select(Facilitator.id).where(Facilitator.user_id == ctx.viewer.id))]
    if facilitator_number is not None and facilitator_number not in mine:
        raise Forbidden
    return Following(frozenset(f"crm:{each}" for each in mine), _shown)


def _shown(ctx: Context, record: "Record") -> CrmEvent | None:
    if record.kind not in list(CrmEventKind):
        return None
    notice = select(CrmNotice).where(visible(ctx.viewer), CrmNotice.id == record.subject_id)
    return CrmEvent(str(record.cursor), CrmEventKind(record.kind), record.at, notice)
