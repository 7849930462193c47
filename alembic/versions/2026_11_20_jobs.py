"""Make room for the job queue, in the words of pgqueuer itself."""

from alembic import op
from pgqueuer.adapters.persistence.schema_ddl import render_install, render_uninstall
from pgqueuer.domain.settings import DBSettings

revision = "2026_11_20_jobs"
down_revision = "2026_11_20_confirmations"
branch_labels = None
depends_on = None


def _run(script: str) -> None:
    op.execute("SELECT 1")  # the transaction begins with the first statement, and the script must be part of it
    op.get_bind().connection.dbapi_connection.run_async(lambda raw: raw.execute(script))


def upgrade() -> None:
    _run(render_install(DBSettings()))


def downgrade() -> None:
    _run(render_uninstall(DBSettings()))
