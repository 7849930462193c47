"""Opening hours of a day as one multirange, so that every question about time asks the same function."""

from alembic import op

revision = "2026_11_20_opening_hours"
down_revision = "2026_11_20_refunds"
branch_labels = None
depends_on = None

# A day's exceptions replace its weekly hours; an exception without hours closes the day.
OPENING_HOURS = """
CREATE FUNCTION opening_hours(schedule bigint, day date, zone text) RETURNS tstzmultirange LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(range_agg(tstzrange((day + opens) AT TIME ZONE zone, (day + closes) AT TIME ZONE zone)), '{}')
  FROM (
    SELECT e.opens, e.closes FROM schedule_exceptions e
    WHERE e.schedule_id = schedule AND e.day = opening_hours.day AND e.opens IS NOT NULL
    UNION ALL
    SELECT h.opens, h.closes FROM schedule_hours h
    WHERE h.schedule_id = schedule AND h.weekday = extract(isodow FROM opening_hours.day) - 1
      AND NOT EXISTS (SELECT FROM schedule_exceptions e WHERE e.schedule_id = schedule AND e.day = opening_hours.day)
  ) hours
$$
"""


def upgrade() -> None:
    op.execute(OPENING_HOURS)


def downgrade() -> None:
    op.execute("DROP FUNCTION opening_hours(bigint, date, text)")
