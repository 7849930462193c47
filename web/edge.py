"""What every answer carries for browsers and proxies, and what browsers ask before they call."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.types import Scope

from engine.origins import WITH_COOKIES, is_allowed
from engine.quotas import standing
from settings import Settings

Raw = list[tuple[bytes, bytes]]
EXPOSED = b"ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
REQUEST_HEADERS = (
    b"Accept, Authorization, Content-Type, Idempotency-Key, X-Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-ID, "
    b"X-CSRFToken, X-Requested-With, X-GraphQL-Event-Stream-Token, Apollo-Require-Preflight, Stripe-Signature"
)
NOSNIFF = (b"x-content-type-options", b"nosniff")
STRICT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
VARY = (b"vary", b"Origin")


def is_preflight(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what a page of another site may do here."""
    return scope["type"] == "http" and scope["method"] == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight(settings: Settings, origin: str, door: str) -> Raw:
    """What the browser is told beside what every answer to that page carries."""
    if not is_allowed(settings, origin, door):
        return []
    return [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", REQUEST_HEADERS),
        (b"access-control-max-age", str(settings.preflight_seconds).encode()),
    ]


def added(settings: Settings, scope: Scope, state: MutableMapping[str, Any], origin: str | None) -> Raw:
    """What an answer carries beside what its door put there."""
    ctx = state.get("context")
    headers: Raw = [NOSNIFF]
    if not settings.is_demo and scope.get("scheme") == "https":
        headers.append(STRICT)
    if ctx is not None and ctx.quotas:
        headers += standing(ctx)
    if origin is not None:
        door = state.get("door") or (ctx.door if ctx else "graphql")
        headers.append(VARY)
        if is_allowed(settings, origin, door):
            headers += [(b"access-control-allow-origin", origin.encode("latin-1")), (b"access-control-expose-headers", EXPOSED)]
            if door == WITH_COOKIES:
                headers.append((b"access-control-allow-credentials", b"true"))
    elif scope.get("method") == "GET":
        headers.append(VARY)  # or a shared cache would show a page of another site an answer that does not name it
    return headers
