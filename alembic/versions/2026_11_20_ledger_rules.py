"""Let the database itself keep the books straight: balanced, never empty, never changed, one currency per account."""

from alembic import op

revision = "2026_11_20_ledger_rules"
down_revision = "2026_11_20_limit_counters"
branch_labels = None
depends_on = None

# Run at COMMIT, once per inserted row; a transaction of the books is a handful of rows, so this stays cheap.
LEDGER_IS_BALANCED = """
CREATE FUNCTION ledger_is_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  checked bigint := CASE TG_TABLE_NAME WHEN 'ledger_transactions' THEN to_jsonb(NEW) ->> 'id' ELSE to_jsonb(NEW) ->> 'transaction_id' END;
BEGIN
  IF NOT EXISTS (SELECT FROM ledger_entries WHERE transaction_id = checked) THEN
    RAISE EXCEPTION 'ledger transaction % has no entries', checked USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT FROM ledger_entries WHERE transaction_id = checked GROUP BY currency HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'entries of ledger transaction % do not sum to zero', checked USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$
"""
LEDGER_ONLY_GROWS = """
CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% refused: % only grows', TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
TABLES = ("ledger_transactions", "ledger_entries")


def upgrade() -> None:
    op.create_unique_constraint(op.f("uq_accounts_id_currency"), "accounts", ["id", "currency"])
    op.drop_constraint(op.f("fk_ledger_entries_account_id"), "ledger_entries", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_ledger_entries_account_id_currency"), "ledger_entries", "accounts", ["account_id", "currency"], ["id", "currency"]
    )
    op.execute(LEDGER_IS_BALANCED)
    op.execute(LEDGER_ONLY_GROWS)
    for table in TABLES:
        op.execute(
            f"CREATE CONSTRAINT TRIGGER ledger_is_balanced AFTER INSERT ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_is_balanced()"
        )
        op.execute(
            f"CREATE TRIGGER ledger_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows()"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER ledger_only_grows ON {table}")
        op.execute(f"DROP TRIGGER ledger_is_balanced ON {table}")
    op.execute("DROP FUNCTION ledger_only_grows()")
    op.execute("DROP FUNCTION ledger_is_balanced()")
    op.drop_constraint(op.f("fk_ledger_entries_account_id_currency"), "ledger_entries", type_="foreignkey")
    op.create_foreign_key(op.f("fk_ledger_entries_account_id"), "ledger_entries", "accounts", ["account_id"], ["id"])
    op.drop_constraint(op.f("uq_accounts_id_currency"), "accounts", type_="unique")
