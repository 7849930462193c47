"""Let whoever queues a job tell the workers after the commit instead of in it."""

from alembic import op

revision = "2026_11_20_bell"
down_revision = "2026_11_20_limit_holders"
branch_labels = None
depends_on = None

TRIGGER = """
CREATE OR REPLACE TRIGGER tg_pgqueuer_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgqueuer
{condition} EXECUTE FUNCTION fn_pgqueuer_changed()
"""


def upgrade() -> None:
    # Transactions that notify commit one after the other: everybody would wait for the disk of everybody else.
    op.execute(TRIGGER.format(condition="WHEN (current_setting('atrium.bell', true) IS DISTINCT FROM 'after')"))


def downgrade() -> None:
    op.execute(TRIGGER.format(condition=""))
