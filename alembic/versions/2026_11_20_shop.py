"""Open the shop, the concierge and the investment portal, and keep files that are uploaded."""

import sqlalchemy as sa
from alembic import op

from models.history import trigger_on

revision = "2026_11_20_shop"
down_revision = "2026_11_20_members"
branch_labels = None
depends_on = None


SENSITIVE: dict[str, tuple[str, ...]] = {
    "products": (),
    "purchases": ("cancel_reason",),
    "purchase_items": (),
    "concierge_requests": ("item_description", "item_url", "special_instructions"),
    "concierge_notes": ("text",),
    "opportunities": (),
    "investment_documents": (),
    "investment_interests": ("message", "staff_note"),
    "stored_files": ("name",),
}
"""Every new table whose changes are kept, with the columns whose values are not."""


def upgrade() -> None:
    op.create_table(
        "opportunities",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("minimum_investment", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("expected_roi", sa.Text(), nullable=False),
        sa.Column("timeline", sa.Text(), nullable=False),
        sa.Column("status", sa.Enum("draft", "open", "closed", name="opportunitystatus", native_enum=False, length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("minimum_investment > 0", name=op.f("ck_opportunities_minimum")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunities")),
        sa.UniqueConstraint("uuid", name=op.f("uq_opportunities_uuid")),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("stock", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("low_stock", sa.BigInteger(), server_default=sa.text("5"), nullable=False),
        sa.Column("is_featured", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("low_stock >= 0", name=op.f("ck_products_low_stock")),
        sa.CheckConstraint("price > 0", name=op.f("ck_products_price")),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_products_stock")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("slug", name=op.f("uq_products_slug")),
        sa.UniqueConstraint("uuid", name=op.f("uq_products_uuid")),
    )
    op.create_index(op.f("ix_products_category_id"), "products", ["category", "id"], unique=False)
    op.create_table(
        "concierge_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            sa.Computed("'CON-' || extract(year FROM timezone('UTC', created_at))::text || '-' || id::text", persisted=True),
            nullable=False,
        ),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("assigned_to_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "received",
                "sourcing",
                "ordered",
                "ready",
                "fulfilled",
                "declined",
                "cancelled",
                name="conciergestatus",
                native_enum=False,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("item_description", sa.Text(), nullable=False),
        sa.Column("item_url", sa.Text(), nullable=True),
        sa.Column("budget", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("needed_by", sa.Date(), nullable=True),
        sa.Column("estimated_on", sa.Date(), nullable=False),
        sa.Column("special_instructions", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status NOT IN ('ordered', 'ready', 'fulfilled') OR (price IS NOT NULL AND price <= coalesce(budget, price))",
            name=op.f("ck_concierge_requests_agreed"),
        ),
        sa.CheckConstraint("budget > 0", name=op.f("ck_concierge_requests_budget")),
        sa.CheckConstraint("price > 0", name=op.f("ck_concierge_requests_price")),
        sa.ForeignKeyConstraint(["assigned_to_id"], ["users.id"], name=op.f("fk_concierge_requests_assigned_to_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_concierge_requests_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concierge_requests")),
        sa.UniqueConstraint("reference", name=op.f("uq_concierge_requests_reference")),
        sa.UniqueConstraint("uuid", name=op.f("uq_concierge_requests_uuid")),
    )
    op.create_index(op.f("ix_concierge_requests_assigned_to_id"), "concierge_requests", ["assigned_to_id"], unique=False)
    op.create_index(op.f("ix_concierge_requests_customer_id"), "concierge_requests", ["customer_id"], unique=False)
    op.create_index(op.f("ix_concierge_requests_status_id"), "concierge_requests", ["status", "id"], unique=False)
    op.create_table(
        "investment_interests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("opportunity_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("contact_method", sa.Enum("email", "phone", name="contactmethod", native_enum=False, length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum("new", "contacted", "committed", "declined", "withdrawn", name="intereststatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("staff_note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_investment_interests_amount")),
        sa.ForeignKeyConstraint(["opportunity_id"], ["opportunities.id"], name=op.f("fk_investment_interests_opportunity_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_investment_interests_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_investment_interests")),
        sa.UniqueConstraint("opportunity_id", "user_id", name=op.f("uq_investment_interests_opportunity_id_user_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_investment_interests_uuid")),
    )
    op.create_index(op.f("ix_investment_interests_user_id"), "investment_interests", ["user_id"], unique=False)
    op.create_table(
        "purchases",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            sa.Computed("'ORD-' || extract(year FROM timezone('UTC', created_at))::text || '-' || id::text", persisted=True),
            nullable=False,
        ),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("pending", "confirmed", "ready", "collected", "cancelled", name="purchasestatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column(
            "payment_status",
            sa.Enum("pending", "charged", "refunded", "failed", name="paymentstatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("total_amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("pickup_on", sa.Date(), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("asked_as", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("total_amount > 0", name=op.f("ck_purchases_amount")),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_purchases_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchases")),
        sa.UniqueConstraint("asked_as", name=op.f("uq_purchases_asked_as")),
        sa.UniqueConstraint("reference", name=op.f("uq_purchases_reference")),
        sa.UniqueConstraint("uuid", name=op.f("uq_purchases_uuid")),
    )
    op.create_index(op.f("ix_purchases_customer_id"), "purchases", ["customer_id"], unique=False)
    op.create_index(op.f("ix_purchases_status_pickup_on_id"), "purchases", ["status", "pickup_on", "id"], unique=False)
    op.create_table(
        "stored_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Enum("investment_document", name="filepurpose", native_enum=False, length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kept_at IS NULL) = (size_bytes IS NULL)", name=op.f("ck_stored_files_kept")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_stored_files_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_files")),
        sa.UniqueConstraint("key", name=op.f("uq_stored_files_key")),
        sa.UniqueConstraint("uuid", name=op.f("uq_stored_files_uuid")),
    )
    op.create_index("ix_stored_files_awaited", "stored_files", ["created_at"], unique=False, postgresql_where=sa.text("kept_at IS NULL"))
    op.create_index(op.f("ix_stored_files_owner_id"), "stored_files", ["owner_id"], unique=False)
    op.create_table(
        "concierge_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_shown", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_concierge_notes_author_id")),
        sa.ForeignKeyConstraint(["request_id"], ["concierge_requests.id"], name=op.f("fk_concierge_notes_request_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concierge_notes")),
        sa.UniqueConstraint("uuid", name=op.f("uq_concierge_notes_uuid")),
    )
    op.create_index(op.f("ix_concierge_notes_request_id"), "concierge_notes", ["request_id"], unique=False)
    op.create_table(
        "investment_documents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("opportunity_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["stored_files.id"], name=op.f("fk_investment_documents_file_id")),
        sa.ForeignKeyConstraint(["opportunity_id"], ["opportunities.id"], name=op.f("fk_investment_documents_opportunity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_investment_documents")),
        sa.UniqueConstraint("file_id", name=op.f("uq_investment_documents_file_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_investment_documents_uuid")),
    )
    op.create_index(op.f("ix_investment_documents_opportunity_id"), "investment_documents", ["opportunity_id"], unique=False)
    op.create_table(
        "purchase_items",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("purchase_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_purchase_items_quantity")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_purchase_items_product_id")),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_purchase_items_purchase_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_items")),
        sa.UniqueConstraint("purchase_id", "product_id", name=op.f("uq_purchase_items_purchase_id_product_id")),
    )
    op.create_index(op.f("ix_purchase_items_product_id"), "purchase_items", ["product_id"], unique=False)
    op.create_table(
        "stock_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("stock", sa.BigInteger(), nullable=False),
        sa.Column(
            "cause", sa.Enum("received", "corrected", "sold", "given_back", name="stockcause", native_enum=False, length=40), nullable=False
        ),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("purchase_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("change <> 0", name=op.f("ck_stock_changes_change")),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_stock_changes_actor_id")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_stock_changes_product_id")),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_stock_changes_purchase_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_changes")),
        sa.UniqueConstraint("uuid", name=op.f("uq_stock_changes_uuid")),
    )
    op.create_index(op.f("ix_stock_changes_product_id_id"), "stock_changes", ["product_id", "id"], unique=False)
    op.create_index(op.f("ix_stock_changes_purchase_id"), "stock_changes", ["purchase_id"], unique=False)
    op.add_column("payments", sa.Column("purchase_id", sa.BigInteger(), nullable=True))
    op.create_unique_constraint(op.f("uq_payments_purchase_id"), "payments", ["purchase_id"])
    op.create_foreign_key(op.f("fk_payments_purchase_id"), "payments", "purchases", ["purchase_id"], ["id"])
    op.create_check_constraint("purchase", "payments", "purchase_id IS NULL OR purpose = 'product'")
    for table, sensitive in SENSITIVE.items():
        op.execute(trigger_on(table, *sensitive))


def downgrade() -> None:
    op.drop_constraint(op.f("ck_payments_purchase"), "payments", type_="check")
    op.drop_column("payments", "purchase_id")
    for table in (
        "stock_changes",
        "purchase_items",
        "investment_documents",
        "concierge_notes",
        "stored_files",
        "purchases",
        "investment_interests",
        "concierge_requests",
        "products",
        "opportunities",
    ):
        op.drop_table(table)
