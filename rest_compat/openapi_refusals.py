"""How a system refuses, as OpenAPI has it: every body is one that its dialect really words."""

from datetime import UTC, datetime
from typing import Any

from errors import ApiError, Conflict, Forbidden, MalformedRequest, NotFound, RateLimited, Unauthenticated, Unavailable
from resolvers.operations import ANYONE, SIGNED_IN
from rest_compat.dialect import Dialect, Refusal
from rest_compat.endpoint import Endpoint
from rest_compat.inputs import bad_fields
from rest_compat.openapi_values import Schema, spelled
from rest_compat.routes import Route

FIELD = "a_field"
SAMPLES: dict[str, ApiError] = {
    "Malformed": MalformedRequest(),
    "Unauthenticated": Unauthenticated(),
    "Forbidden": Forbidden(),
    "NotFound": NotFound(),
    "Conflict": Conflict(),
    "BadInput": bad_fields({FIELD: "This field is required"}),
    "RateLimited": RateLimited(30),
    "Unavailable": Unavailable(),
}
WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


class Refusals:
    """The refusals of one dialect, as components, and which of them an endpoint may answer."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.schemas: dict[str, Schema] = {}
        self.responses: dict[str, Any] = {}
        self._statuses: dict[str, int] = {}
        for name, error in SAMPLES.items():
            self._add(name, error)

    def of(self, route: Route) -> dict[str, Any]:
        """The responses of a route by status; where two refusals share one, both are described."""
        found: dict[str, list[str]] = {}
        for name in _possible(route):
            found.setdefault(str(self._statuses[name]), []).append(name)
        other = {"description": "Another refusal, in the same words.", **self._content("Refusal")}
        return {**{status: self._response(names) for status, names in sorted(found.items())}, "default": other}

    def _response(self, names: list[str]) -> dict[str, Any]:
        if len(names) == 1:
            return {"$ref": f"#/components/responses/{names[0]}"}
        bodies = [self.responses[name]["content"]["application/json"]["schema"] for name in names]
        different = [each for index, each in enumerate(bodies) if each not in bodies[:index]]
        schema = different[0] if len(different) == 1 else {"anyOf": different}
        sentence = " ".join(self.responses[name]["description"] for name in names)
        return {"description": sentence, "content": {"application/json": {"schema": schema}}}

    def _content(self, component: str, **more: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}, **more}}}

    def _add(self, name: str, error: ApiError) -> None:
        self._statuses[name] = self._dialect.status(error)
        refusal = Refusal(error, self._statuses[name], error.fields, datetime(2026, 1, 15, 14, 30, tzinfo=UTC), "req_0123456789abcdef")
        body = self._dialect.error(refusal)
        schema = _like(body)
        component = next((known for known, each in self.schemas.items() if each == schema), None)
        if component is None:
            component = "Refusal" if not self.schemas else f"{name}Refusal"
            self.schemas[component] = schema
        self.responses[name] = {"description": error.message, **self._content(component, example=body)}
        if isinstance(error, RateLimited | Unavailable):
            self.responses[name]["headers"] = WAIT


def _possible(route: Route) -> list[str]:
    """The refusals that a caller of a route may meet, apart from failures of ours."""
    found = ["RateLimited", "Unavailable"]
    who = frozenset().union(*(each.who for each in route.operations))
    if not route.is_open:
        found.append("Unauthenticated")
    if not who & {ANYONE, SIGNED_IN}:
        found.append("Forbidden")
    if route.method != "GET":
        found.append("Malformed")
    if not isinstance(route, Endpoint):
        return [*found, "NotFound"] if "{" in route.path else found
    if route.method != "GET":
        found += ["NotFound", "Conflict"]
    elif route.only_field is not None:
        found.append("NotFound")
    return [*found, "BadInput"] if route.variables else found


def _like(value: Any) -> Schema:
    """The schema of bodies like this one; what stands under a field's name may stand under any."""
    if isinstance(value, dict):
        if FIELD in value:
            return {"type": "object", "additionalProperties": _like(value[FIELD])}
        if not value or value == RateLimited(30).details:
            return {"type": "object"}
        return {"type": "object", "properties": {name: _like(each) for name, each in value.items()}, "required": list(value)}
    if isinstance(value, list):
        return {"type": "array", "items": _like(value[0])} if value else {"type": "array"}
    return {"type": "string"} if isinstance(value, str) else spelled(value)
