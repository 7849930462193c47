"""Keep what people write out of the history, what was kept of it before included, and let the history be read by person."""

from alembic import op

from models.history import trigger_on

revision = "2026_11_20_free_text"
down_revision = "2026_11_20_jobs"
branch_labels = None
depends_on = None

FREE_TEXT = {"bookings": ("cancel_reason", "feedback", "special_requests"), "appointments": ("staff_notes",)}
REDACT = """
UPDATE history SET
  before = CASE WHEN before -> '{column}' <> 'null' THEN jsonb_set(before, '{{{column}}}', '"***"') ELSE before END,
  after = CASE WHEN after -> '{column}' <> 'null' THEN jsonb_set(after, '{{{column}}}', '"***"') ELSE after END
WHERE table_name = '{table}' AND (before -> '{column}' <> 'null' OR after -> '{column}' <> 'null')
"""


def upgrade() -> None:
    op.create_index("ix_history_actor_id_id", "history", ["actor_id", "id"])
    for table, columns in FREE_TEXT.items():
        op.execute(f"DROP TRIGGER record_history ON {table}")
        op.execute(trigger_on(table, *columns))
        for column in columns:
            op.execute(REDACT.format(table=table, column=column))


def downgrade() -> None:
    for table in FREE_TEXT:
        op.execute(f"DROP TRIGGER record_history ON {table}")
        op.execute(trigger_on(table))
    op.drop_index("ix_history_actor_id_id", "history")
