"""What is announced about the CRM, and how much of it still waits to be sent on to another one."""

from dataclasses import dataclass
from typing import Any, ClassVar

import asyncpg
from prometheus_client import Counter, Gauge

from models.crm import CrmNotice

WAITING = Gauge("atrium_crm_waiting_notices", "Notices that another CRM has not taken yet.")
WAITING_SECONDS = Gauge("atrium_crm_waiting_seconds", "Age of the oldest of them.")
SET_ASIDE = Counter("atrium_crm_set_aside", "Notices from outside that were about a number of one of the house's own bookings.")
BACKLOG = """
SELECT count(*) AS waiting, extract(epoch FROM clock_timestamp() - min(waiting_since)) AS seconds
FROM crm_dispatches WHERE waiting_since IS NOT NULL
"""


@dataclass(frozen=True)
class NoticeFact:
    """Something happened to a notice; the staff and the event's facilitator may know."""

    kind: ClassVar[str]
    notice: CrmNotice

    @property
    def topics(self) -> list[str]:
        if self.notice.booking_id is None:
            return ["crm"]
        return ["crm", f"crm:{self.notice.facilitator_number}"]

    @property
    def subject_id(self) -> int:
        return self.notice.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.notice.status, "crm_status": self.notice.crm_status}


@dataclass(frozen=True)
class NoticeReceived(NoticeFact):
    """The CRM was told of a booking."""

    kind = "crm.received"


@dataclass(frozen=True)
class NoticeChanged(NoticeFact):
    """A booking that the CRM knew was changed or cancelled."""

    kind = "crm.changed"


@dataclass(frozen=True)
class NoticeMoved(NoticeFact):
    """The desk has come further with a booking."""

    kind = "crm.moved"


async def measure_backlog(connection: asyncpg.Connection) -> None:
    """Count for the metrics what another CRM has not taken yet."""
    found = await connection.fetchrow(BACKLOG)
    assert found is not None  # noqa: S101 - an aggregate without GROUP BY answers one row
    WAITING.set(found["waiting"])
    WAITING_SECONDS.set(float(found["seconds"] or 0))
