"""All tables, so that Alembic and the mappers see them whole."""

from models import (
    bookings,
    catalogue,
    demo,
    event_log,
    history,
    idempotency,
    identity,
    ledger,
    memberships,
    notifications,
    payments,
    rooms,
    scheduling,
)

__all__ = [
    "bookings", "catalogue", "demo", "event_log", "history", "idempotency", "identity", "ledger", "memberships", "notifications",
    "payments", "rooms", "scheduling",
]  # fmt: skip
