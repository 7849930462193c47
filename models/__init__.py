"""All tables, so that Alembic and the mappers see them whole."""

from models import (
    bookings,
    catalogue,
    event_log,
    history,
    idempotency,
    identity,
    ledger,
    limits,
    memberships,
    notifications,
    payments,
    rooms,
    scheduling,
)

__all__ = [
    "bookings", "catalogue", "event_log", "history", "idempotency", "identity", "ledger", "limits", "memberships", "notifications",
    "payments", "rooms", "scheduling",
]  # fmt: skip
