"""What a database error means to a client."""

import asyncpg
from sqlalchemy.exc import DBAPIError, TimeoutError

from errors import AlreadyExists, ApiError, BadUserInput, Conflict, SlotTaken, Unavailable

EXCLUDED, DUPLICATE, CHECKED, MISSING, NOT_NULL = "23P01", "23505", "23514", "23503", "23502"
AGAIN = frozenset({"40P01", "40001"})
TOO_SLOW = frozenset({"55P03", "57014", "25P03", "25P04", "57P01", "57P03", "53300"})
BAD_VALUE = frozenset({"22003", "22021", "22P02", "22007", "22008", "22P05"})


ONE_KEY = "uq_idempotency_keys_scope_key"


class TryAgain(Exception):
    """PostgreSQL gave up a transaction that would succeed when run again; never leaves the operation's runner."""


class DoneByTwin(Exception):
    """Ends a transaction whose write another run of the same call has made; neither does this leave the runner."""


def sqlstate(error: BaseException) -> str | None:
    """The five characters by which PostgreSQL names an error."""
    original = getattr(error, "orig", None) or error
    cause = getattr(original, "__cause__", None)
    return getattr(original, "sqlstate", None) or getattr(cause, "sqlstate", None)


def constraint(error: BaseException) -> str | None:
    """The name of the constraint that was broken."""
    original = getattr(error, "orig", None) or error
    return getattr(original, "constraint_name", None) or getattr(getattr(original, "__cause__", None), "constraint_name", None)


def refusal(error: DBAPIError | TimeoutError | asyncpg.PostgresError) -> Exception:
    """The error to raise instead of a database error; the same one when it is our own mistake."""
    state = sqlstate(error)
    if state in AGAIN:
        return TryAgain()
    if state == DUPLICATE and constraint(error) == ONE_KEY:
        return DoneByTwin()
    if isinstance(error, TimeoutError) or state in TOO_SLOW or (state or "").startswith("08") or _is_lost(error):
        return Unavailable()
    return _broken_rule(state, str(getattr(error, "orig", error))) or error


def _broken_rule(state: str | None, text: str) -> ApiError | None:
    if state == EXCLUDED:
        return SlotTaken()
    if state == DUPLICATE:
        return AlreadyExists()
    if state in (CHECKED, MISSING):
        return Conflict()
    if state in BAD_VALUE:
        return BadUserInput()
    return None


def _is_lost(error: BaseException) -> bool:
    original = getattr(error, "orig", None)
    cause = getattr(original, "__cause__", None)
    lost = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)
    return isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(original, lost) or isinstance(cause, lost))
