"""Events: a bearer token, naive moments in UTC, enums in capitals, objects under their name, errors of one sentence."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from engine.headers import headers_of
from resolvers.context import Context, Viewer
from rest_compat.dialect import Dialect, Refusal, Spelling, bearer, utc_naive
from rest_compat.routes import Route

STANDS_UNDER = {
    "Profile": "user",
    "GetEvent": "event",
    "ListEventTypes": "event_types",
    "GetBooking": "booking",
    "CancelBooking": "booking",
    "GetFacilitator": "facilitator",
}
"""Answers that the document shows under a name of their own."""


class Events(Dialect):
    """The app in which people find and book sessions and retreats."""

    name = "events"
    title = "Events"
    spelling = Spelling(money=float, moment=utc_naive, enum=str.upper)
    bad_field_status = 400

    async def viewer(self, connection: HTTPConnection, ctx: Context) -> Viewer:
        """Whoever the bearer token names."""
        return await bearer(connection, ctx)

    def carried(self, connection: HTTPConnection) -> Mapping[str, str]:
        """The refresh token, which comes where access tokens do."""
        scheme, _, token = headers_of(connection.scope).get("authorization", "").partition(" ")
        return {"refresh_token": token.strip()} if scheme.lower() == "bearer" else {}

    def success(self, body: Any, route: Route) -> Any:
        """The object under its name, with the sentence before it where the document shows one."""
        named = {STANDS_UNDER[route.name]: body} if route.name in STANDS_UNDER else body
        return {"message": route.says, **named} if route.says else named

    def error(self, refusal: Refusal) -> Any:
        """One sentence, which names the fields where some are wrong; of the database's state, the state too."""
        fields = "; ".join(f"{name}: {why}" for name, why in refusal.fields.items())
        said = {"error": fields or refusal.error.message}
        return {**said, **refusal.error.details} if "database" in refusal.error.details else said


DIALECT = Events()
