"""All tables, so that Alembic and the mappers see them whole."""

from models import (
    bookings,
    catalogue,
    event_log,
    history,
    idempotency,
    identity,
    ledger,
    memberships,
    payments,
    rooms,
    scheduling,
    simulations,
)

__all__ = [
    "bookings", "catalogue", "event_log", "history", "idempotency", "identity", "ledger", "memberships", "payments", "rooms", "scheduling",
    "simulations",
]  # fmt: skip
