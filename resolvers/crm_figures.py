"""The CRM in figures, counted by PostgreSQL when asked for: of the whole desk, and of one facilitator."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from models.crm import CrmNotice
from models.events import EventType
from models.identity import STAFF, Role
from resolvers.context import Context
from resolvers.operations import ANYONE, CRM, allow
from resolvers.turns import shared

RECENT, TREND = timedelta(days=7), timedelta(weeks=12)
POPULAR, NEWEST = 5, 10

# A notice from outside whose number is one of the house's own bookings stands aside; see models/crm.py. $2: only the house's own.
COUNTED = """
crm_notices n WHERE n.facilitator_number = $1 AND ($2::bigint IS NULL OR n.source = 'own' AND $2 = (
  SELECT f.user_id FROM facilitators f WHERE f.id = n.facilitator_number
)) AND (n.source = 'own' OR NOT EXISTS (SELECT FROM crm_notices o WHERE o.source = 'own' AND o.booking_number = n.booking_number))
"""
STATISTICS = f"""
SELECT count(*) AS total_bookings,
  count(*) FILTER (WHERE n.event_type = 'session') AS session_bookings,
  count(*) FILTER (WHERE n.event_type = 'retreat') AS retreat_bookings,
  count(*) FILTER (WHERE n.received_at > $3) AS recent_bookings,
  count(*) FILTER (WHERE n.status = 'cancelled') AS cancelled_bookings,
  count(DISTINCT (n.source, n.person_number)) AS unique_users,
  count(DISTINCT (n.source, n.event_number)) AS unique_events
FROM {COUNTED}
"""  # noqa: S608 - constants
POPULAR_EVENTS = f"""
SELECT n.event_number, (array_agg(n.event_title ORDER BY n.changed_at DESC, n.id DESC))[1] AS event_title,
  (array_agg(n.event_type ORDER BY n.changed_at DESC, n.id DESC))[1] AS event_type, count(*) AS booking_count
FROM {COUNTED}
GROUP BY n.source, n.event_number ORDER BY count(*) DESC, max(n.received_at) DESC, n.event_number LIMIT {POPULAR}
"""  # noqa: S608 - constants
RECENT_BOOKINGS = f"""
SELECT n.id FROM {COUNTED} AND n.received_at > $3 ORDER BY n.received_at DESC, n.id DESC LIMIT {NEWEST}
"""  # noqa: S608 - constants
WEEKS = f"""
SELECT date_trunc('week', n.received_at AT TIME ZONE 'UTC')::date AS starts_on,
  count(*) FILTER (WHERE n.event_type = 'session') AS sessions, count(*) FILTER (WHERE n.event_type = 'retreat') AS retreats
FROM {COUNTED} AND n.received_at > $3 GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - constants
FIGURES = """
SELECT count(*) AS notifications_received, count(DISTINCT (n.source, n.facilitator_number)) AS unique_facilitators,
  count(DISTINCT (n.source, n.event_number)) AS unique_events
FROM crm_notices n
WHERE n.source = 'own' OR NOT EXISTS (SELECT FROM crm_notices o WHERE o.source = 'own' AND o.booking_number = n.booking_number)
"""


@dataclass
class CrmFigures:
    """The whole desk in figures."""

    notifications_received: int
    unique_facilitators: int
    unique_events: int


@dataclass
class CrmStatistics:
    """The bookings of one facilitator in figures."""

    total_bookings: int
    session_bookings: int
    retreat_bookings: int
    recent_bookings: int
    cancelled_bookings: int
    unique_users: int
    unique_events: int


@dataclass
class CrmFacilitator:
    """A facilitator with their figures."""

    facilitator_number: int
    statistics: CrmStatistics


@dataclass
class SessionsAndRetreats:
    """How many bookings are of which kind."""

    sessions: int
    retreats: int


@dataclass
class CrmWeek(SessionsAndRetreats):
    """Those of one week."""

    starts_on: date


@dataclass
class CrmTrends:
    """Where the bookings of a facilitator go."""

    sessions_vs_retreats: SessionsAndRetreats
    weeks: list[CrmWeek]


@dataclass
class PopularEvent:
    """An event that many booked."""

    event_number: int
    event_title: str
    event_type: EventType
    booking_count: int


@dataclass
class CrmDashboard:
    """What a facilitator wants to see at once."""

    facilitator_number: int
    summary: CrmStatistics
    popular_events: list[PopularEvent]
    recent_bookings: list[CrmNotice]
    trends: CrmTrends
    generated_at: datetime


@allow(ANYONE)
async def get_crm_figures(ctx: Context) -> CrmFigures:
    """How many bookings, facilitators and events the CRM knows, which its health check tells everybody."""
    [row] = await shared("crm figures", lambda: ctx.database.run(FIGURES, []))
    return CrmFigures(**row)


@allow(*STAFF, Role.FACILITATOR, CRM)
async def get_crm_statistics(ctx: Context, *, facilitator_number: int) -> CrmFacilitator:
    """The bookings of one facilitator in figures; facilitators see their own. Recent are those of the last 7 days."""
    return CrmFacilitator(facilitator_number, await _statistics(ctx, _asked(ctx, facilitator_number)))


@allow(*STAFF, Role.FACILITATOR, CRM)
async def get_crm_dashboard(ctx: Context, *, facilitator_number: int) -> CrmDashboard:
    """What a facilitator wants to see at once: figures, the most popular events, and the newest bookings of the last 7 days."""
    asked = _asked(ctx, facilitator_number)
    summary = await _statistics(ctx, asked)
    popular = await ctx.database.run(POPULAR_EVENTS, asked[:2])
    weeks = await ctx.database.run(WEEKS, [*asked[:2], ctx.now() - TREND])
    return CrmDashboard(
        facilitator_number,
        summary,
        [PopularEvent(**{**row, "event_type": EventType(row["event_type"])}) for row in popular],
        [CrmNotice(id=row["id"]) for row in await ctx.database.run(RECENT_BOOKINGS, asked)],
        CrmTrends(SessionsAndRetreats(summary.session_bookings, summary.retreat_bookings), [CrmWeek(**row) for row in weeks]),
        ctx.now(),
    )


async def _statistics(ctx: Context, asked: list[object]) -> CrmStatistics:
    [row] = await ctx.database.run(STATISTICS, asked)
    return CrmStatistics(**row)


def _asked(ctx: Context, facilitator_number: int) -> list[object]:
    sees_all = ctx.viewer.program is not None or ctx.viewer.is_staff
    return [facilitator_number, None if sees_all else ctx.viewer.id, ctx.now() - RECENT]
