"""Links of our own signing, which open one file to whoever holds them, for one purpose and for a while."""

import base64
import hmac
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import clock
from errors import NotFound
from settings import Settings

DOOR = "/files/"
KEY = re.compile(r"[a-z]+(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
"""Names of files are of our making, never a client's."""
LONGEST_KEY = 200
WHOLE = 60


def checked(key: str) -> str:
    """The key of a file; NotFound when none can be called so."""
    if not KEY.fullmatch(key) or len(key) > LONGEST_KEY:
        raise NotFound
    return key


def read_link(settings: Settings, key: str, *, name: str, content_type: str) -> str:
    """Where a file can be read for a while, under this name; relative to this server."""
    expires = int(good_until(settings).timestamp())
    return _signed(settings, "GET", key, {"expires": str(expires), "name": name, "type": content_type})


def good_until(settings: Settings) -> datetime:
    """When a link that is made now ends: with a whole minute, so that whoever asks again soon gets the same link."""
    least = clock.now().timestamp() + settings.file_link_seconds
    return datetime.fromtimestamp(math.ceil(least / WHOLE) * WHOLE, UTC)


def write_link(settings: Settings, key: str, *, largest: int, content_type: str, expires_at: datetime) -> str:
    """Where so many bytes can be written until then; relative to this server."""
    promised = {"expires": str(int(expires_at.timestamp())), "largest": str(largest), "type": content_type}
    return _signed(settings, "PUT", key, promised)


def is_signed(settings: Settings, method: str, key: str, given: Mapping[str, str]) -> bool:
    """Whether a link is of our making, for this method and file, and still good."""
    promised = {name: value for name, value in given.items() if name != "signature"}
    signature = _signature(settings, method, key, promised)
    if not hmac.compare_digest(signature.encode(), given.get("signature", "").encode("utf-8", "replace")):
        return False
    return int(promised["expires"]) > clock.now().timestamp()


def _signed(settings: Settings, method: str, key: str, promised: Mapping[str, str]) -> str:
    signature = _signature(settings, method, checked(key), promised)
    return f"{DOOR}{key}?{urlencode({**promised, 'signature': signature})}"


def _signature(settings: Settings, method: str, key: str, promised: Mapping[str, str]) -> str:
    # A key of its own, so that no signature made elsewhere with the same secret can be taken for a link's.
    secret = hmac.digest(settings.encryption_key.get_secret_value().encode(), b"links to files", "sha256")
    text = "\n".join([method, key, urlencode(sorted(promised.items()), errors="replace")])
    return base64.urlsafe_b64encode(hmac.digest(secret, text.encode("utf-8", "replace"), "sha256")).decode().rstrip("=")
