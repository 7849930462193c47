"""CoreSync: a bearer token, amounts as text, no envelope, errors with code, message and details."""

from typing import Any

from starlette.requests import HTTPConnection

from resolvers.context import Context, Viewer
from rest_compat.dialect import Dialect, Refusal, Spelling, bearer, utc_z
from rest_compat.routes import Route

CODES = {"BAD_USER_INPUT": "VALIDATION_ERROR", "UNKNOWN_ERROR": "SERVER_ERROR"}
"""The document shows one code of its own; the second hides nothing, it only says whose fault it was."""


class CoreSync(Dialect):
    """The spa's app and its website."""

    name = "coresync"
    title = "CoreSync"
    spelling = Spelling(money=lambda value: f"{value:.2f}", moment=utc_z)

    async def viewer(self, connection: HTTPConnection, ctx: Context) -> Viewer:
        """Whoever the bearer token names."""
        return await bearer(connection, ctx)

    def success(self, body: Any, route: Route) -> Any:
        """The body itself; where the document shows a sentence, `success` and the sentence stand before it."""
        return {"success": True, "message": route.says, **body} if route.says else body

    def error(self, refusal: Refusal) -> Any:
        """The standard error response; each bad field has a list of sentences."""
        error = refusal.error
        details: dict[str, Any] = {name: [sentence] for name, sentence in refusal.fields.items()} or error.details
        return {
            "error": {"code": CODES.get(error.code, error.code), "message": error.message, "details": details},
            "timestamp": utc_z(refusal.at),
            "request_id": refusal.request_id,
        }


DIALECT = CoreSync()
