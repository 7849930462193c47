"""Whether a WebSocket may be opened: from which page, and by how many from one address."""

from urllib.parse import urlsplit

from starlette.websockets import WebSocket

from engine.origins import is_allowed
from errors import Forbidden
from settings import Settings

DEFAULT_PORTS = {"http": 80, "https": 443}


def check_origin(websocket: WebSocket, settings: Settings) -> None:
    """Let pages of this server and of the allowed origins pass, and programs, which send no origin; Forbidden for others."""
    origin = websocket.headers.get("origin")
    if origin is None or is_allowed(settings, origin, "graphql"):
        return
    try:
        page = urlsplit(origin)
        port = page.port or DEFAULT_PORTS.get(page.scheme)
        host = urlsplit(f"//{websocket.headers.get('host', '')}")
        is_own = bool(page.hostname) and page.hostname == host.hostname and port == (host.port or DEFAULT_PORTS.get(page.scheme))
    except ValueError:
        raise Forbidden from None
    if not is_own:
        raise Forbidden("Pages of this origin may not connect; see ALLOWED_ORIGINS.")


def given_token(websocket: WebSocket, payload: dict[str, object]) -> str | None:
    """The token in the payload of connection_init, else in the handshake's header; TypeError when it is no text."""
    for name in ("Authorization", "authorization", "token"):
        value = payload.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise TypeError
        return _bare(value)
    header = websocket.headers.get("authorization")
    return _bare(header) if header is not None else None


def _bare(text: str) -> str:
    scheme, _, token = text.strip().partition(" ")
    return token.strip() if token and scheme.lower() == "bearer" else text.strip()
