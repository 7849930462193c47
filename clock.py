"""The business clock: the real time, or in demo mode a time that was moved forward."""

from datetime import UTC, datetime, timedelta

_ahead = timedelta()


def now() -> datetime:
    """The present moment in UTC, by which slots, expiries and reminders are judged."""
    return datetime.now(UTC) + _ahead


def set_ahead(seconds: float) -> None:
    """Set how far the business clock runs ahead of the real one; only the demo routes do."""
    global _ahead
    _ahead = timedelta(seconds=seconds)
