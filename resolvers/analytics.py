"""What people did here: their own visits in figures, ratings, and the house's months."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound
from models.analytics import ServiceRating
from models.bookings import Booking, BookingStatus
from models.catalogue import Service
from models.identity import STAFF
from models.keys import Key
from models.scheduling import Location
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.values import parse_text
from resolvers.operations import SIGNED_IN, allow
from subscriptions.analytics import BookingRated
from subscriptions.facts import announce

LONGEST_FEEDBACK = 2000
MOST_MONTHS = 36
BEST = 5

# A visit belongs to the month in which it began at its own location. Paid is what came in and was not given back.
VISITS = """
SELECT date_trunc('month', b.starts_at AT TIME ZONE coalesce(l.time_zone, 'UTC'))::date AS month, b.service_id, b.currency,
  count(*) AS visits, sum(coalesce(p.amount - p.refunded_amount, 0)) AS spent,
  max((b.starts_at AT TIME ZONE coalesce(l.time_zone, 'UTC'))::date) AS last_visit
FROM bookings b
LEFT JOIN locations l ON l.id = b.location_id
LEFT JOIN payments p ON p.booking_id = b.id AND p.charged_at IS NOT NULL
WHERE b.customer_id = $1 AND b.kind = 'appointment' AND b.status = 'completed'
GROUP BY 1, 2, 3 ORDER BY 1
"""
MONTHS = """
SELECT date_trunc('month', b.starts_at AT TIME ZONE coalesce(l.time_zone, 'UTC'))::date AS month, b.currency,
  count(*) AS visits, count(DISTINCT b.customer_id) AS guests, sum(coalesce(p.amount - p.refunded_amount, 0)) AS revenue,
  count(b.rating) AS ratings, avg(b.rating)::float8 AS rating
FROM bookings b
LEFT JOIN locations l ON l.id = b.location_id
LEFT JOIN payments p ON p.booking_id = b.id AND p.charged_at IS NOT NULL
WHERE b.kind = 'appointment' AND b.status = 'completed' AND ($3::bigint IS NULL OR b.location_id = $3)
  AND b.starts_at >= $1::date - interval '1 day' AND b.starts_at < $2::date + interval '1 day'
  AND b.starts_at AT TIME ZONE coalesce(l.time_zone, 'UTC') >= $1::date
  AND b.starts_at AT TIME ZONE coalesce(l.time_zone, 'UTC') < $2::date
GROUP BY 1, 2 ORDER BY 1, 2
"""
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip


@dataclass
class MonthlyVisits:
    """One month of a person's visits."""

    month: date
    visits: int
    spent: Decimal

    @property
    def name(self) -> str:
        """Such as january_2024."""
        return f"{MONTH_NAMES[self.month.month - 1]}_{self.month.year}"


@dataclass
class VisitSummary:
    """A person's visits in figures."""

    total_visits: int
    total_spent: Decimal
    currency: str
    favorite_service: Service | None
    last_visit: date | None
    months: list[MonthlyVisits]


@dataclass
class MonthlyFigures:
    """One month of the house in one currency."""

    month: date
    currency: str
    visits: int
    guests: int
    revenue: Decimal
    ratings: int
    rating: float | None


@allow(SIGNED_IN)
async def get_my_visit_summary(ctx: Context) -> VisitSummary:
    """The viewer's completed visits to the spa in figures, with a row for each month in the calendar of the location."""
    return summary(await ctx.database.run(VISITS, [ctx.viewer.id]))


@allow(*STAFF)
async def list_monthly_figures(ctx: Context, *, since: date, until: date, location_id: Key[Location] | None = None) -> list[MonthlyFigures]:
    """Visits, guests, revenue and ratings of the spa by month, in the calendar of each location."""
    if not timedelta(0) < until - since <= timedelta(days=31 * MOST_MONTHS):
        raise BadUserInput(until=f"Give a later day, {MOST_MONTHS} months later at most.")
    number = None
    if location_id is not None:
        found = await ctx.fetch(select(Location.id).where(location_id.names(Location)))
        if not found:
            raise NotFound
        number = found[0]["id"]
    return [MonthlyFigures(**row) for row in await ctx.database.run(MONTHS, [since, until, number])]


@allow(SIGNED_IN)
async def rate_booking(ctx: Context, *, id: Key[Booking], rating: int, feedback: str | None = None) -> Booking:
    """Rate a completed booking of one's own with 1 to 5 stars; rated again, the last word counts."""
    if not 1 <= rating <= BEST:
        raise BadUserInput(rating=f"Give 1 to {BEST} stars.")
    words = None if feedback is None else parse_text(feedback, "feedback", longest=LONGEST_FEEDBACK)
    async with ctx.writing() as db:
        mine = select(Booking).where(id.names(Booking), Booking.customer_id == ctx.viewer.id)
        booking = await db.scalar(mine.with_for_update())
        if booking is None:
            raise NotFound
        if booking.status is not BookingStatus.COMPLETED:
            raise Conflict("Only a visit that is over can be rated.")
        await _count(db, booking, rating)
        booking.rating = rating
        if words is not None:
            booking.feedback = words or None
        await announce(db, BookingRated(booking))
        answers(db, booking)
    return booking


async def _count(db: AsyncSession, booking: Booking, rating: int) -> None:
    """Carry a new or changed rating over into its service's."""
    if booking.service_id is None:
        return
    is_new, more = booking.rating is None, rating - (booking.rating or 0)
    first = insert(ServiceRating).values(service_id=booking.service_id, ratings=1, stars=rating)
    added = {"ratings": ServiceRating.ratings + int(is_new), "stars": ServiceRating.stars + more}
    await db.execute(first.on_conflict_do_update(index_elements=["service_id"], set_=added))


def summary(rows: Sequence[Any]) -> VisitSummary:
    """Visits by month, service and currency as one summary; money counts in the currency of the last visit."""
    last = max(rows, key=lambda row: row["last_visit"], default=None)
    currency = last["currency"] if last else "USD"
    months: dict[date, MonthlyVisits] = {}
    services: defaultdict[int, tuple[int, date]] = defaultdict(lambda: (0, date.min))
    for row in rows:
        month = months.setdefault(row["month"], MonthlyVisits(row["month"], 0, Decimal(0)))
        month.visits += row["visits"]
        month.spent += row["spent"] if row["currency"] == currency else 0
        if row["service_id"] is not None:
            visits, latest = services[row["service_id"]]
            services[row["service_id"]] = (visits + row["visits"], max(latest, row["last_visit"]))
    favorite = max(services, key=lambda each: services[each], default=None)
    return VisitSummary(
        total_visits=sum(each.visits for each in months.values()),
        total_spent=sum((each.spent for each in months.values()), Decimal(0)),
        currency=currency,
        favorite_service=Service(id=favorite) if favorite else None,
        last_visit=last["last_visit"] if last else None,
        months=list(months.values()),
    )
