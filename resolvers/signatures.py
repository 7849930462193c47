"""Links that anybody may follow who was sent them: what they are about, signed under our own key, so that nobody makes up others."""

import base64
import hashlib
import hmac

from settings import Settings

LENGTH = 16


def sign(settings: Settings, use: str, subject: str) -> str:
    """A token for one use that names a subject, such as campaign:5."""
    text = base64.urlsafe_b64encode(subject.encode()).decode().rstrip("=")
    return f"{text}.{_mac(settings, use, subject)}"


def signed(settings: Settings, use: str, token: str) -> str | None:
    """What a token names, or nothing when we did not make it for this use."""
    text, _, mac = token.partition(".")
    try:
        subject = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return None
    good = _mac(settings, use, subject)
    return subject if hmac.compare_digest(good.encode(), mac.encode("utf-8", "replace")) else None


def _mac(settings: Settings, use: str, subject: str) -> str:
    key = settings.encryption_key.get_secret_value().encode()
    made = hmac.new(key, f"{use}\n{subject}".encode(), hashlib.sha256).digest()[:LENGTH]
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
