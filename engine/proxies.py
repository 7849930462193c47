"""Where a connection really comes from: what a proxy says of it is believed only of proxies that are named in the settings."""

import re
from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Network = IPv4Network | IPv6Network
SECURE = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
SOCKETS = {"http": "ws", "https": "wss"}
FORWARDED = re.compile(r'(for|proto)\s*=\s*("[^"]*"|[^\s;,]+)', re.IGNORECASE)


@cache
def networks(trusted: str) -> tuple[Network, ...]:
    """The networks of a setting such as "10.0.0.0/8, ::1"; ValueError names what is none."""
    return tuple(ip_network(each.strip(), strict=False) for each in trusted.split(",") if each.strip())


def uncover(scope: Scope, trusted: tuple[Network, ...]) -> None:
    """Put the client's own address and scheme into the scope, when a trusted proxy tells them."""
    client = scope.get("client")
    if not trusted or client is None or not _is_trusted(_address(client[0]), trusted):
        return
    hops, scheme = _told(scope)
    found: str | None = None
    for each in reversed(hops):  # each proxy appends whom it heard; what stands before the first stranger may be invented
        address = _address(each)
        if address is None:
            break
        found = str(address)
        if not _is_trusted(address, trusted):
            break
    if found is not None:
        scope["client"] = (found, 0)
    if scheme in SECURE:
        plain = SECURE[scheme]
        scope["scheme"] = SOCKETS[plain] if scope["type"] == "websocket" else plain


def _told(scope: Scope) -> tuple[list[str], str]:
    said: dict[bytes, list[str]] = {b"x-forwarded-for": [], b"x-forwarded-proto": [], b"forwarded": []}
    for name, value in scope["headers"]:
        if name in said:
            said[name] += [each.strip() for each in value.decode("latin-1").split(",")]
    if said[b"x-forwarded-for"] or said[b"x-forwarded-proto"] or not said[b"forwarded"]:
        return said[b"x-forwarded-for"], (said[b"x-forwarded-proto"] or [""])[-1].lower()
    pairs = [dict(_pairs(each)) for each in said[b"forwarded"]]
    return [each["for"] for each in pairs if "for" in each], pairs[-1].get("proto", "").lower()


def _pairs(element: str) -> Iterable[tuple[str, str]]:
    return ((name.lower(), value.strip('"')) for name, value in FORWARDED.findall(element))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: bare, with a port, or in brackets."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _is_trusted(address: IPv4Address | IPv6Address | None, trusted: tuple[Network, ...]) -> bool:
    return address is not None and any(address.version == each.version and address in each for each in trusted)
