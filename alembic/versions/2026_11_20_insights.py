"""Keep preferences, recommendations, ratings, and what all guests do together."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.history import trigger_on

revision = "2026_11_20_insights"
down_revision = "2026_11_20_faces"
branch_labels = None
depends_on = None

FOLLOWED = ("equipment_syncs", "preferences")


def upgrade() -> None:
    op.create_table(
        "service_rhythms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("service_type", sa.Text(), nullable=False),
        sa.Column("interval_days", sa.Double(), nullable=False),
        sa.Column("returns", sa.BigInteger(), nullable=False),
        sa.Column("guests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_rhythms")),
        sa.UniqueConstraint("service_type", name=op.f("uq_service_rhythms_service_type")),
    )
    op.create_table(
        "service_demand",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("service_id", sa.BigInteger(), nullable=False),
        sa.Column("visits", sa.BigInteger(), nullable=False),
        sa.Column("guests", sa.BigInteger(), nullable=False),
        sa.Column("usual_weekday", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_service_demand_service_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_demand")),
        sa.UniqueConstraint("service_id", name=op.f("uq_service_demand_service_id")),
    )
    op.create_table(
        "service_pairs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("service_id", sa.BigInteger(), nullable=False),
        sa.Column("other_id", sa.BigInteger(), nullable=False),
        sa.Column("guests", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("lift", sa.Double(), nullable=False),
        sa.CheckConstraint("service_id <> other_id", name=op.f("ck_service_pairs_two")),
        sa.ForeignKeyConstraint(["other_id"], ["services.id"], name=op.f("fk_service_pairs_other_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_service_pairs_service_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_pairs")),
        sa.UniqueConstraint("service_id", "other_id", name=op.f("uq_service_pairs_service_id_other_id")),
    )
    op.create_table(
        "service_ratings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("service_id", sa.BigInteger(), nullable=False),
        sa.Column("ratings", sa.BigInteger(), nullable=False),
        sa.Column("stars", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("ratings >= 0 AND stars BETWEEN ratings AND 5 * ratings", name=op.f("ck_service_ratings_stars")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_service_ratings_service_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_ratings")),
        sa.UniqueConstraint("service_id", name=op.f("uq_service_ratings_service_id")),
    )
    op.create_table(
        "recommendations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Enum("service", "reminder", name="recommendationkind", native_enum=False, length=40), nullable=False),
        sa.Column("service_type", sa.Text(), nullable=False),
        sa.Column("service_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "priority", sa.Enum("high", "medium", "low", name="recommendationpriority", native_enum=False, length=40), nullable=False
        ),
        sa.Column("suggested_on", sa.Date(), nullable=False),
        sa.Column("answer", sa.Enum("accepted", "declined", name="recommendationanswer", native_enum=False, length=40), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("feedback", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'service') = (service_id IS NOT NULL)", name=op.f("ck_recommendations_service")),
        sa.CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name=op.f("ck_recommendations_answered")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_recommendations_service_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recommendations_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommendations")),
        sa.UniqueConstraint("uuid", name=op.f("uq_recommendations_uuid")),
    )
    op.create_index(op.f("ix_recommendations_user_id_answered_at"), "recommendations", ["user_id", "answered_at"], unique=False)
    op.create_index(
        "uq_recommendations_open",
        "recommendations",
        ["user_id", "kind", "service_type", "service_id"],
        unique=True,
        postgresql_where=sa.text("answer IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "equipment_syncs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("scene_id", sa.BigInteger(), nullable=True),
        sa.Column("wishes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Enum("waiting", "done", "partly", name="syncstatus", native_enum=False, length=40), nullable=False),
        sa.Column("missed", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_equipment_syncs_booking_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["scene_id"], ["scenes.id"], name=op.f("fk_equipment_syncs_scene_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equipment_syncs")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_equipment_syncs_booking_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_equipment_syncs_uuid")),
    )
    op.create_table(
        "preferences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("default_scene_id", sa.BigInteger(), nullable=True),
        sa.Column("scene_config", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("favorite_scents", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("favorite_service_types", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("scent_intensity", sa.BigInteger(), nullable=True),
        sa.Column("lighting_type", sa.Text(), nullable=True),
        sa.Column("lighting_intensity", sa.BigInteger(), nullable=True),
        sa.Column("preferred_temperature", sa.Double(), nullable=True),
        sa.Column("music_genre", sa.Text(), nullable=True),
        sa.Column("music_volume", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("lighting_intensity BETWEEN 0 AND 100", name=op.f("ck_preferences_lighting")),
        sa.CheckConstraint("music_volume BETWEEN 0 AND 100", name=op.f("ck_preferences_music")),
        sa.CheckConstraint("preferred_temperature BETWEEN 50 AND 110", name=op.f("ck_preferences_temperature")),
        sa.CheckConstraint("scent_intensity BETWEEN 0 AND 10", name=op.f("ck_preferences_scent")),
        sa.ForeignKeyConstraint(["default_scene_id"], ["scenes.id"], name=op.f("fk_preferences_default_scene_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_preferences_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preferences")),
        sa.UniqueConstraint("user_id", name=op.f("uq_preferences_user_id")),
    )
    op.add_column("spa_services", sa.Column("service_type", sa.Text(), server_default=sa.text("'treatment'"), nullable=False))
    op.create_index(op.f("ix_spa_services_service_type"), "spa_services", ["service_type"], unique=False)
    op.create_check_constraint(op.f("ck_spa_services_service_type"), "spa_services", "service_type ~ '^[a-z][a-z0-9_]{0,39}$'")
    for table in FOLLOWED:
        op.execute(trigger_on(table))


def downgrade() -> None:
    op.drop_index(op.f("ix_spa_services_service_type"), table_name="spa_services")
    op.drop_column("spa_services", "service_type")
    op.drop_table("preferences")
    op.drop_table("equipment_syncs")
    op.drop_index(
        "uq_recommendations_open",
        table_name="recommendations",
        postgresql_where=sa.text("answer IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.drop_index(op.f("ix_recommendations_user_id_answered_at"), table_name="recommendations")
    op.drop_table("recommendations")
    op.drop_table("service_ratings")
    op.drop_table("service_pairs")
    op.drop_table("service_demand")
    op.drop_table("service_rhythms")
