"""What all guests together do: after how long they return, what they book together, what many come for.

Worked out by a job of the calendar and kept in small tables, so that no recommendation reads more than one person's bookings.
The reading takes place outside of any transaction; what is kept is replaced in a short one.
"""

from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from models.base import Model
from models.recommendations import ServiceDemand, ServicePair, ServiceRhythm
from resolvers.context import Context

YEARS_LOOKED_BACK = 2
TOGETHER_DAYS = 7
"""Two services within so many days count as booked together."""
FEWEST_GUESTS = 3
"""What fewer people did says nothing."""
PAIRS_KEPT = 12
BATCH = 500

# The statements below go on from here: all see completed appointments until the moment $1, each with its day at the location.
VISITS = """
WITH visits AS MATERIALIZED (
  SELECT DISTINCT b.customer_id, b.service_id, s.service_type, (b.starts_at AT TIME ZONE coalesce(l.time_zone, 'UTC'))::date AS day
  FROM bookings b JOIN spa_services s ON s.service_id = b.service_id LEFT JOIN locations l ON l.id = b.location_id
  WHERE b.kind = 'appointment' AND b.status = 'completed'
    AND b.starts_at > $1::timestamptz - make_interval(years => $2) AND b.starts_at <= $1
)
"""
RHYTHMS = """
, days AS (
  SELECT DISTINCT customer_id, service_type, day FROM visits
), gaps AS (
  SELECT customer_id, service_type, day - lag(day) OVER (PARTITION BY customer_id, service_type ORDER BY day) AS gap FROM days
)
SELECT service_type, percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS interval_days, count(*) AS returns,
  count(DISTINCT customer_id) AS guests
FROM gaps WHERE gap > 0 GROUP BY service_type HAVING count(DISTINCT customer_id) >= $3
"""
DEMAND = """
SELECT service_id, count(*) AS visits, count(DISTINCT customer_id) AS guests,
  mode() WITHIN GROUP (ORDER BY extract(isodow FROM day)::int - 1) AS usual_weekday
FROM visits GROUP BY service_id
"""
# Chance would have it that of the guests of one service as many book the other as of all guests.
PAIRS = """
, people AS (
  SELECT count(DISTINCT customer_id)::float8 AS everybody FROM visits
), guests AS (
  SELECT service_id, count(DISTINCT customer_id)::float8 AS number FROM visits GROUP BY service_id
), together AS (
  SELECT one.service_id, two.service_id AS other_id, count(DISTINCT one.customer_id) AS guests
  FROM visits one JOIN visits two ON two.customer_id = one.customer_id AND two.service_id <> one.service_id
    AND two.day BETWEEN one.day - $4::int AND one.day + $4::int
  GROUP BY 1, 2 HAVING count(DISTINCT one.customer_id) >= $3
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY service_id ORDER BY lift DESC, guests DESC, other_id) AS place
  FROM (
    SELECT t.service_id, t.other_id, t.guests, t.guests / g.number AS share, (t.guests / g.number) / (o.number / p.everybody) AS lift
    FROM together t JOIN guests g ON g.service_id = t.service_id JOIN guests o ON o.service_id = t.other_id CROSS JOIN people p
  ) AS weighed WHERE lift > 1
)
SELECT service_id, other_id, guests, share, lift FROM ranked WHERE place <= $5
"""


async def refresh_population(ctx: Context) -> None:
    """Work out anew what all guests together do."""
    seen = (ctx.now(), YEARS_LOOKED_BACK)
    async with ctx.database.reading() as connection:
        seconds = ctx.settings.operation_timeout
        rhythms = await connection.fetch(VISITS + RHYTHMS, *seen, FEWEST_GUESTS, timeout=seconds)
        demand = await connection.fetch(VISITS + DEMAND, *seen, timeout=seconds)
        pairs = await connection.fetch(VISITS + PAIRS, *seen, FEWEST_GUESTS, TOGETHER_DAYS, PAIRS_KEPT, timeout=seconds)
    await _replace(ctx, ServiceRhythm, rhythms, "service_type")
    await _replace(ctx, ServiceDemand, demand, "service_id")
    await _replace(ctx, ServicePair, pairs, "service_id", "other_id")


async def _replace(ctx: Context, table: type[Model], found: list[Any], *key: str) -> None:
    """Let a table hold just these rows; two workers at once do the same work in the same order."""
    rows = sorted((dict(row) for row in found), key=lambda row: [row[name] for name in key])
    kept: list[int] = []
    for start in range(0, len(rows), BATCH):
        async with ctx.writing() as db:
            fresh = insert(table)
            changes = {name: fresh.excluded[name] for name in rows[0] if name not in key}
            statement = fresh.on_conflict_do_update(index_elements=list(key), set_=changes).returning(table.id)
            kept += await db.scalars(statement.values(rows[start : start + BATCH]))
    async with ctx.writing() as db:
        await db.execute(delete(table).where(table.id.not_in(kept)))
