"""What the headers of a connection say."""

import re
from collections.abc import Mapping
from secrets import token_hex

from starlette.types import Scope

REQUEST_ID = re.compile(r"[\w.-]{1,64}")


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a connection under lower-case names, read once; what came several times is joined, as HTTP says."""
    state = scope.setdefault("state", {})
    found: dict[str, str] | None = state.get("headers")
    if found is None:
        found = {}
        state["headers"] = found
        for raw, value in scope["headers"]:
            name = raw.decode("latin-1")
            found[name] = f"{found[name]}, {value.decode('latin-1')}" if name in found else value.decode("latin-1")
    return found


def request_id_of(headers: Mapping[str, str]) -> str:
    """The client's own id of a request if it is a plain one, or a new one."""
    given = headers.get("x-request-id")
    return given if given and REQUEST_ID.fullmatch(given) else f"req_{token_hex(16)}"
