"""Secrets at rest: encrypted for one row, under a key that can be changed."""

import base64
import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from settings import Settings

NONCE = 12


class Unreadable(Exception):
    """What was stored is encrypted under a key that this server does not have, or for another row."""


@dataclass(frozen=True)
class Sealed:
    """An encrypted value, and which key opens it."""

    key_id: str
    text: str


def seal(settings: Settings, about: str, plain: bytes) -> Sealed:
    """Encrypt under the present key; `about` names the row, and nobody can open it as another's."""
    key_id, key = next(iter(_keys(settings).items()))
    nonce = os.urandom(NONCE)
    return Sealed(key_id, base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, about.encode())).decode())


def unseal(settings: Settings, about: str, sealed: Sealed) -> bytes:
    """What was encrypted; Unreadable when its key is gone or it belongs to another row."""
    key = _keys(settings).get(sealed.key_id)
    if key is None:
        raise Unreadable(f"{about} is encrypted under a key that is not in ENCRYPTION_KEY or ENCRYPTION_PREVIOUS_KEYS")
    raw = base64.b64decode(sealed.text)
    try:
        return AESGCM(key).decrypt(raw[:NONCE], raw[NONCE:], about.encode())
    except InvalidTag as error:
        raise Unreadable(f"{about} was changed, or belongs to another row") from error


def present_key(settings: Settings) -> str:
    """The name of the key that encrypts now."""
    return next(iter(_keys(settings)))


def _keys(settings: Settings) -> dict[str, bytes]:
    """The keys by their names, the present one first; derived, so that one secret may serve several purposes."""
    older = settings.encryption_previous_keys.get_secret_value().split(",")
    secrets = [settings.encryption_key.get_secret_value(), *filter(None, map(str.strip, older))]
    derived = [HKDF(SHA256(), 32, salt=None, info=b"atrium secrets at rest").derive(each.encode()) for each in secrets]
    return {hashlib.blake2b(b"key id", key=each, digest_size=6).hexdigest(): each for each in derived}
