"""Every way to refuse. Each dialect words these facts as its clients expect; GraphQL shows code and fields."""

from typing import Any, ClassVar


class ApiError(Exception):
    """A refusal with a stable code; `fields` names what was wrong where, `details` what a client may act on."""

    code: ClassVar[str] = "UNKNOWN_ERROR"
    status: ClassVar[int] = 500
    message: str = "Unexpected server error."

    def __init__(self, message: str | None = None, /, *, details: Any = None, **fields: str) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message
        self.details: dict[str, object] = details or {}
        self.fields = fields


class BadUserInput(ApiError):
    """A field of the request is missing or malformed."""

    code, status, message = "BAD_USER_INPUT", 422, "Invalid input data"


class MalformedRequest(ApiError):
    """The request cannot be read at all."""

    code, status, message = "BAD_REQUEST", 400, "The request could not be read."


class Unauthenticated(ApiError):
    """Nobody is signed in, or the token is not good any more."""

    code, status, message = "UNAUTHENTICATED", 401, "Authentication is required."


class InvalidCredentials(Unauthenticated):
    """Sign-in failed; whether the account exists is not told."""

    code, message = "INVALID_CREDENTIALS", "Invalid e-mail or password."


class Forbidden(ApiError):
    """The caller's roles do not allow this operation."""

    code, status, message = "FORBIDDEN", 403, "You may not do this."


class FacesOff(Forbidden):
    """Faces are not taken for this on this server."""

    code, message = "FACES_OFF", "Faces are not used for this here."


class PasskeysOff(Forbidden):
    """The server was not told which domain its passkeys belong to."""

    code, message = "PASSKEYS_OFF", "Passkeys are not used here."


class GoogleOff(Forbidden):
    """The server was not told under which client id Google knows it."""

    code, message = "GOOGLE_OFF", "Google is not used for signing in here."


class NotFound(ApiError):
    """There is no such thing, or it is not the caller's to see."""

    code, status, message = "NOT_FOUND", 404, "Not found."


class MethodNotAllowed(ApiError):
    """The path exists, but not for this method."""

    code, status, message = "METHOD_NOT_ALLOWED", 405, "This method is not allowed here."


class Conflict(ApiError):
    """A rule of the business forbids this now."""

    code, status, message = "CONFLICT", 409, "This is no longer possible."


class SlotTaken(Conflict):
    """Room or person is reserved at that time; details name the next free slots."""

    code, message = "SLOT_TAKEN", "This time is already taken."


class OutOfStock(Conflict):
    """Fewer are left than were asked for; details name the product and how many there are."""

    code, message = "OUT_OF_STOCK", "There are not enough of this product."


class EventFull(Conflict):
    """Fewer seats are left at an event than were asked for."""

    code, message = "EVENT_FULL", "This event is full."


class AlreadyExists(Conflict):
    """Something with this unique value exists already."""

    code, message = "ALREADY_EXISTS", "This already exists."


class IdempotencyKeyReused(Conflict):
    """The same idempotency key came with another body."""

    code, message = "IDEMPOTENCY_KEY_REUSED", "This idempotency key was used for a different request."


class PaymentFailed(ApiError):
    """The provider declined the payment."""

    code, status, message = "PAYMENT_FAILED", 402, "The payment was declined."


class PayloadTooLarge(ApiError):
    """The body is larger than its door allows."""

    code, status, message = "PAYLOAD_TOO_LARGE", 413, "The request body is too large."


class RateLimited(ApiError):
    """Too many calls; `retry_after` is in seconds."""

    code, status, message = "RATE_LIMITED", 429, "Too many requests. Try again later."

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        super().__init__(message, details={"retry_after": retry_after})
        self.retry_after = retry_after


class Resync(ApiError):
    """The cursor is older than the event log keeps; read the present state and subscribe anew."""

    code, status, message = "RESYNC", 409, "Events before this cursor are gone. Read the current state, then subscribe without a cursor."


class Unavailable(ApiError):
    """A part the server needs is away; the call may be tried again."""

    code, status, message = "UNAVAILABLE", 503, "The service is temporarily unavailable. Try again shortly."


class Undeliverable(ApiError):
    """An address takes no messages, so that trying again would not help."""

    code, status, message = "UNDELIVERABLE", 422, "This address takes no messages."


def retry_after(error: ApiError | None) -> int | None:
    """After how many seconds the same call may succeed, where that is known."""
    if isinstance(error, Unavailable):
        return 1
    found = error.details.get("retry_after") if error else None
    return found if isinstance(found, int) else None
