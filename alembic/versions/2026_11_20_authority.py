"""Announce whatever changes what a person may do, whoever changes it."""

from alembic import op

revision = "2026_11_20_authority"
down_revision = "2026_11_20_email_changes"
branch_labels = None
depends_on = None

# A role that comes together with a new account is no news: nobody has asked about that person yet. The notice wakes
# processes whose bus is PostgreSQL even when the change was made by hand; others see it within a second.
AUTHORITY_CHANGED = """
CREATE FUNCTION authority_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  person bigint := CASE WHEN TG_TABLE_NAME = 'users' THEN (to_jsonb(NEW) ->> 'id')::bigint
                        ELSE (to_jsonb(coalesce(NEW, OLD)) ->> 'user_id')::bigint END;
BEGIN
  IF EXISTS (SELECT 1 FROM sessions WHERE user_id = person AND ended_at IS NULL AND created_at < now()) THEN
    INSERT INTO event_log (kind, topics, subject_id, data)
    VALUES ('user.changed', ARRAY['user:' || person, 'authority'], person, '{}');
    PERFORM pg_notify('atrium_events', '');
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(AUTHORITY_CHANGED)
    op.execute(
        "CREATE TRIGGER authority_changed AFTER UPDATE OF is_active ON users FOR EACH ROW "
        "WHEN (OLD.is_active IS DISTINCT FROM NEW.is_active) EXECUTE FUNCTION authority_changed()"
    )
    op.execute(
        "CREATE TRIGGER authority_changed AFTER INSERT OR UPDATE OR DELETE ON user_roles FOR EACH ROW EXECUTE FUNCTION authority_changed()"
    )


def downgrade() -> None:
    for table in ("users", "user_roles"):
        op.execute(f"DROP TRIGGER authority_changed ON {table}")
    op.execute("DROP FUNCTION authority_changed()")
