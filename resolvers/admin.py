"""What staff look at to run the house."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select

from models.admin import EndpointUse
from models.identity import STAFF
from resolvers.context import Context
from resolvers.operations import allow

NEWEST = 20

# A day is the location's own; what belongs to no location, such as a membership, has the day of the first one, the house's.
# Money is counted in the house's currency. Devices are heard of by the real clock, everything else follows the business clock.
FIGURES = """
WITH local AS (
  SELECT id, currency, time_zone, date_trunc('day', $1::timestamptz AT TIME ZONE time_zone) AS day FROM locations
), days AS (
  SELECT id, currency, day::date AS day, day AT TIME ZONE time_zone AS begins, (day + interval '1 day') AT TIME ZONE time_zone AS ends
  FROM local
), house AS (
  SELECT * FROM days ORDER BY id LIMIT 1
)
SELECT coalesce((SELECT day FROM house), ($1::timestamptz AT TIME ZONE 'UTC')::date) AS day,
  coalesce((SELECT currency FROM house), 'USD') AS currency,
  (SELECT count(*) FROM days JOIN bookings b ON b.location_id = days.id AND b.starts_at >= days.begins AND b.starts_at < days.ends
    WHERE b.kind = 'appointment' AND b.status <> 'cancelled') AS bookings,
  (SELECT coalesce(sum(p.amount - p.refunded_amount), 0)
    FROM payments p LEFT JOIN bookings b ON b.id = p.booking_id
    JOIN days ON days.id = coalesce(b.location_id, (SELECT id FROM house)) AND p.charged_at >= days.begins AND p.charged_at < days.ends
    WHERE p.charged_at >= (SELECT min(begins) FROM days) AND p.charged_at < (SELECT max(ends) FROM days)
      AND p.currency = (SELECT currency FROM house) AND (p.booking_id IS NULL OR b.kind = 'appointment')) AS revenue,
  (SELECT count(DISTINCT m.user_id) FROM memberships m, house
    WHERE m.starts_on = house.day AND NOT EXISTS (
      SELECT FROM memberships earlier
      WHERE earlier.user_id = m.user_id AND earlier.starts_on < house.day AND earlier.ends_on >= house.day - 1)) AS new_members,
  (SELECT count(*) FROM bookings
    WHERE kind = 'appointment' AND status IN ('confirmed', 'in_progress')
      AND starts_at > $1::timestamptz - interval '1 day' AND starts_at <= $1 AND ends_at > $1) AS active_sessions,
  (SELECT count(*) FROM devices WHERE in_maintenance) AS maintenance,
  (SELECT count(*) FROM devices JOIN device_heartbeats h ON h.device_id = devices.id
    WHERE NOT in_maintenance AND h.good_until > now()) AS online,
  (SELECT count(*) FROM devices) AS devices
"""
# Each part reads its newest rows from an index, so the whole takes the same time however much there is.
ACTIVITY = """
SELECT kind, at, subject FROM (
  (SELECT 'booking.made' AS kind, created_at AS at, reference AS subject FROM bookings
    WHERE kind = 'appointment' ORDER BY id DESC LIMIT $1)
  UNION ALL (SELECT 'booking.cancelled', cancelled_at, reference FROM bookings
    WHERE cancelled_at IS NOT NULL AND kind = 'appointment' ORDER BY cancelled_at DESC LIMIT $1)
  UNION ALL (SELECT 'payment.received', charged_at, currency || ' ' || amount FROM payments
    WHERE charged_at IS NOT NULL ORDER BY charged_at DESC LIMIT $1)
  UNION ALL (SELECT 'refund.made', r.created_at, p.currency || ' ' || r.amount FROM (SELECT * FROM refunds ORDER BY id DESC LIMIT $1) r
    JOIN payments p ON p.id = r.payment_id)
  UNION ALL (SELECT 'membership.begun', m.created_at, plans.name FROM (SELECT * FROM memberships ORDER BY id DESC LIMIT $1) m
    JOIN plans ON plans.id = m.plan_id)
  UNION ALL (SELECT 'account.registered', created_at, 'number ' || id FROM (SELECT * FROM users ORDER BY id DESC LIMIT $1) u)
) newest ORDER BY at DESC, kind, subject LIMIT $1
"""


class ActivityKind(StrEnum):
    """What happened lately.

    BOOKING_MADE: An appointment was booked.
    BOOKING_CANCELLED: An appointment was cancelled.
    PAYMENT_RECEIVED: Money came in.
    REFUND_MADE: Money went back, or is on its way.
    MEMBERSHIP_BEGUN: Somebody joined, or moved to another plan.
    ACCOUNT_REGISTERED: Somebody opened an account.
    """

    BOOKING_MADE = "booking.made"
    BOOKING_CANCELLED = "booking.cancelled"
    PAYMENT_RECEIVED = "payment.received"
    REFUND_MADE = "refund.made"
    MEMBERSHIP_BEGUN = "membership.begun"
    ACCOUNT_REGISTERED = "account.registered"


SENTENCES = {
    ActivityKind.BOOKING_MADE: "Booking {} was made.",
    ActivityKind.BOOKING_CANCELLED: "Booking {} was cancelled.",
    ActivityKind.PAYMENT_RECEIVED: "{} came in.",
    ActivityKind.REFUND_MADE: "{} was given back, or is on its way.",
    ActivityKind.MEMBERSHIP_BEGUN: "A membership of {} was begun.",
    ActivityKind.ACCOUNT_REGISTERED: "Account {} was opened.",
}


@dataclass
class Today:
    """The day so far."""

    bookings: int
    revenue: Decimal
    currency: str
    new_members: int
    active_sessions: int


@dataclass
class DeviceCounts:
    """Devices by whether they can be reached."""

    online: int
    offline: int
    maintenance: int


@dataclass
class Activity:
    """Something that happened lately."""

    kind: ActivityKind
    at: datetime
    message: str


@dataclass
class Dashboard:
    """How the house stands."""

    day: date
    today: Today
    devices: DeviceCounts
    recent_activity: list[Activity]


@allow(*STAFF)
async def get_dashboard(ctx: Context) -> Dashboard:
    """How the spa stands now, counted from its tables: the day so far in the calendar of each location, its devices, what happened."""
    [row] = await ctx.database.run(FIGURES, [ctx.now()])
    return Dashboard(
        row["day"],
        Today(row["bookings"], row["revenue"], row["currency"], row["new_members"], row["active_sessions"]),
        DeviceCounts(row["online"], row["devices"] - row["online"] - row["maintenance"], row["maintenance"]),
        [_activity(each) for each in await ctx.database.run(ACTIVITY, [NEWEST])],
    )


def _activity(row: Any) -> Activity:
    kind = ActivityKind(row["kind"])
    return Activity(kind, row["at"], SENTENCES[kind].format(row["subject"]))


@allow(*STAFF)
def list_endpoint_uses(ctx: Context, *, system: str | None = None, since: date | None = None) -> Select[EndpointUse]:
    """Which endpoints of older systems were called on which day, by which programs; newest first."""
    found = select(EndpointUse).order_by(EndpointUse.day.desc(), EndpointUse.calls.desc(), EndpointUse.id)
    if system is not None:
        found = found.where(EndpointUse.system == system)
    return found.where(EndpointUse.day >= since) if since is not None else found
