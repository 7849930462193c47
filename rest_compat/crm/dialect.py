"""The CRM: one static token, moments without a zone, errors of one sentence."""

import secrets
from typing import Any

from starlette.requests import HTTPConnection

from engine.headers import headers_of
from resolvers.context import Context, Viewer
from resolvers.operations import CRM
from rest_compat.dialect import Dialect, Refusal, Spelling, bearer, utc_naive
from rest_compat.routes import Route

ALSO_SAYS = {"ReceiveNotification": {"status": "success"}}
"""The one answer that says of itself that it is one."""
STANDS_UNDER = {"GetBooking": "booking"}
"""The one read that is wrapped."""
MOMENTS = 10
"""From so many characters on a text may be a moment: the day alone has as many."""


class Crm(Dialect):
    """The desk that calls whoever booked an event."""

    name = "crm"
    title = "Events CRM"
    spelling = Spelling(money=float, moment=utc_naive)
    bad_field_status = 400
    page_maximum = 100

    async def viewer(self, connection: HTTPConnection, ctx: Context) -> Viewer:
        """The CRM itself, by its static token; or whoever of the staff an access token names."""
        scheme, _, token = headers_of(connection.scope).get("authorization", "").partition(" ")
        static = ctx.settings.crm_bearer_token.get_secret_value()
        if scheme.lower() == "bearer" and secrets.compare_digest(token.strip().encode(), static.encode()):
            return Viewer(program=CRM.value)
        return await bearer(connection, ctx)

    def success(self, body: Any, route: Route) -> Any:
        """The body itself, with the sentence before it where the document shows one."""
        if route.name in STANDS_UNDER:
            return {STANDS_UNDER[route.name]: body}
        return {"message": route.says, **body, **ALSO_SAYS.get(route.name, {})} if route.says else body

    def error(self, refusal: Refusal) -> Any:
        """One sentence, which names the fields where some are wrong."""
        fields = "; ".join(f"{name}: {why}" for name, why in refusal.fields.items())
        return {"error": fields or refusal.error.message}

    def loosen(self, value: Any, kind: str) -> Any:
        """Moments come as they are written here: without a zone, and in UTC."""
        if kind == "DateTime" and isinstance(value, str) and len(value) > MOMENTS and "T" in value and not _has_zone(value):
            return f"{value.strip()}Z"
        return super().loosen(value, kind)


def _has_zone(moment: str) -> bool:
    time = moment.strip().partition("T")[2]
    return time[-1:] in ("Z", "z") or "+" in time or "-" in time


DIALECT = Crm()
