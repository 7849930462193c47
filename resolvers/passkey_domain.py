"""Which domain passkeys belong to here, and from which pages and apps they are taken."""

from urllib.parse import urlsplit

from errors import PasskeysOff
from settings import Settings

TRIAL_DOMAIN = "localhost"


def relying_party(settings: Settings) -> str:
    """The domain; PasskeysOff where there is none."""
    if settings.passkey_rp_id:
        return settings.passkey_rp_id
    if settings.is_demo:
        return TRIAL_DOMAIN
    raise PasskeysOff


def origins(settings: Settings, said: str) -> list[str]:
    """The origins that are taken; in demo mode also one on this machine, on whatever port."""
    named = [each.strip().rstrip("/") for each in settings.passkey_origins.split(",") if each.strip()]
    found = named or [f"https://{relying_party(settings)}"]
    is_here = settings.is_demo and urlsplit(said).scheme in ("http", "https") and urlsplit(said).hostname == TRIAL_DOMAIN
    return [*found, said] if is_here else found
