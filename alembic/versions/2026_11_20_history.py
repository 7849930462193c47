"""Let the event log survive a move to another cluster, and let the history follow every table."""

import sqlalchemy as sa
from alembic import op

from models.history import trigger_on

revision = "2026_11_20_history"
down_revision = "2026_11_20_first_tables"
branch_labels = None
depends_on = None

# The first call in another cluster, or on another timeline, begins a new epoch; callers after it wait for its commit.
EVENT_EPOCH = """
CREATE FUNCTION event_epoch() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  present bigint;
  cluster bigint := (SELECT system_identifier FROM pg_control_system());
  line text := left(pg_walfile_name(pg_current_wal_lsn()), 8);
BEGIN
  SELECT epoch INTO present FROM event_epochs WHERE system_identifier = cluster AND timeline = line;
  IF NOT FOUND THEN
    INSERT INTO event_epochs AS kept (id, epoch, system_identifier, timeline)
    VALUES (1, floor(extract(epoch FROM clock_timestamp())), cluster, line)
    ON CONFLICT (id) DO UPDATE
      SET epoch = greatest(kept.epoch + 1, excluded.epoch), system_identifier = cluster, timeline = line
      WHERE (kept.system_identifier, kept.timeline) IS DISTINCT FROM (cluster, line);
    SELECT epoch INTO STRICT present FROM event_epochs WHERE system_identifier = cluster AND timeline = line;
  END IF;
  RETURN present;
END $$
"""

# The trigger's arguments name the columns whose values must not be kept; that they changed, or are empty, is kept.
RECORD_HISTORY = """
CREATE FUNCTION record_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  old_values jsonb;
  new_values jsonb;
  sensitive text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD IS NOT DISTINCT FROM NEW THEN
      RETURN NULL;
    END IF;
    SELECT jsonb_object_agg(was.key, was.value), jsonb_object_agg(became.key, became.value) INTO old_values, new_values
    FROM jsonb_each(to_jsonb(OLD)) was JOIN jsonb_each(to_jsonb(NEW)) became USING (key)
    WHERE was.value <> became.value;
    IF new_values IS NULL THEN
      RETURN NULL;
    END IF;
  ELSIF TG_OP = 'INSERT' THEN
    new_values := jsonb_strip_nulls(to_jsonb(NEW));
  ELSE
    old_values := jsonb_strip_nulls(to_jsonb(OLD));
  END IF;
  FOR each IN 0 .. TG_NARGS - 1 LOOP
    sensitive := TG_ARGV[each];
    IF old_values -> sensitive <> 'null' THEN
      old_values := jsonb_set(old_values, ARRAY[sensitive], '"***"');
    END IF;
    IF new_values -> sensitive <> 'null' THEN
      new_values := jsonb_set(new_values, ARRAY[sensitive], '"***"');
    END IF;
  END LOOP;
  INSERT INTO history (actor_id, request_id, table_name, row_id, action, before, after)
  VALUES (
    nullif(current_setting('atrium.actor', true), '')::bigint,
    nullif(current_setting('atrium.request', true), ''),
    TG_TABLE_NAME, CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END, lower(TG_OP), old_values, new_values
  );
  RETURN NULL;
END $$
"""

FOLLOWED: dict[str, tuple[str, ...]] = {
    "accounts": (),
    "addons": (),
    "appointments": (),
    "booking_addons": (),
    "bookings": (),
    "categories": (),
    "credentials": ("data", "secret"),
    "device_commands": (),
    "devices": (),
    "locations": (),
    "membership_credits": (),
    "memberships": (),
    "payments": ("client_secret",),
    "plans": (),
    "programmes": (),
    "provider_customers": (),
    "rooms": (),
    "saved_cards": (),
    "scenes": (),
    "schedule_exceptions": (),
    "schedule_hours": (),
    "schedules": (),
    "services": (),
    "spa_services": (),
    "user_roles": (),
    "users": ("email", "first_name", "last_name", "phone"),
}


def upgrade() -> None:
    op.add_column("event_epochs", sa.Column("timeline", sa.Text()))
    op.execute("ALTER TABLE event_epochs ALTER epoch TYPE bigint")
    op.execute("UPDATE event_epochs SET epoch = extract(epoch FROM now()), timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8)")
    op.alter_column("event_epochs", "timeline", nullable=False)
    op.execute("ALTER TABLE event_log ALTER epoch DROP DEFAULT, ALTER epoch TYPE bigint")
    op.execute("DROP FUNCTION event_epoch()")
    op.execute(EVENT_EPOCH)
    op.execute("ALTER TABLE event_log ALTER epoch SET DEFAULT event_epoch()")
    op.execute(RECORD_HISTORY)
    for table, sensitive in FOLLOWED.items():
        op.execute(trigger_on(table, *sensitive))


def downgrade() -> None:
    for table in FOLLOWED:
        op.execute(f"DROP TRIGGER record_history ON {table}")
    op.execute("DROP FUNCTION record_history()")
    op.execute("ALTER TABLE event_log ALTER epoch DROP DEFAULT")
    op.execute("DROP FUNCTION event_epoch()")
    # Older epochs have no meaning in the old scheme; what is kept is the order.
    op.execute("UPDATE event_log SET epoch = (SELECT count(DISTINCT epoch) FROM event_log older WHERE older.epoch < event_log.epoch)")
    op.execute("UPDATE event_epochs SET epoch = (SELECT count(DISTINCT epoch) FROM event_log)")
    op.execute("ALTER TABLE event_log ALTER epoch TYPE smallint")
    op.execute("ALTER TABLE event_epochs ALTER epoch TYPE smallint, DROP timeline")
    op.execute("CREATE FUNCTION event_epoch() RETURNS smallint LANGUAGE sql STABLE AS 'SELECT epoch FROM event_epochs'")
    op.execute("ALTER TABLE event_log ALTER epoch SET DEFAULT event_epoch()")
