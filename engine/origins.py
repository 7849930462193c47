"""Which pages of other sites may use which door."""

from functools import cache
from urllib.parse import urlsplit

from settings import Settings

LOCAL = ("localhost", "127.0.0.1", "::1")
WEB = ("http", "https")
WITH_COOKIES = "appointment360"
"""The only system whose clients are known by a cookie; no other door lets a page of another site send one."""


def is_allowed(settings: Settings, origin: str, door: str) -> bool:
    """Whether a page of this origin may call a door: "graphql", or the name of an older system."""
    return origin in _allowed(settings.allowed_origins, settings.system_origins, door) or (settings.is_demo and _is_local(origin))


@cache
def _allowed(everywhere: str, by_system: str, door: str) -> frozenset[str]:
    found = {each.strip() for each in everywhere.split(",")}
    for each in by_system.split(","):
        system, _, origin = each.strip().partition("=")
        if system == door:
            found.add(origin.strip())
    return frozenset(found - {""})


def _is_local(origin: str) -> bool:
    try:
        page = urlsplit(origin)
    except ValueError:
        return False
    return page.scheme in WEB and page.hostname in LOCAL
