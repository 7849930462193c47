"""Access and refresh tokens: signed, short-lived, and worth nothing without the session they name."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import jwt

from errors import Unauthenticated
from settings import Settings

ALGORITHM = "HS256"
ISSUER = "atrium"
REQUIRED = ["exp", "iat", "sub", "jti", "aud", "iss"]
LONGEST = 4096


class Use(StrEnum):
    """What a token is good for; one is never taken for the other."""

    ACCESS = "atrium:access"
    REFRESH = "atrium:refresh"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says, once its signature was checked."""

    user_id: int
    family: UUID
    jti: UUID
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token."""

    text: str
    jti: UUID
    ends_at: datetime


def moment() -> datetime:
    """The real time: a demo that moves the business clock forward does not sign everybody out."""
    return datetime.now(UTC)


def keys(settings: Settings) -> dict[str, str]:
    """The secrets that are accepted, by their id; the first one signs."""
    return _by_id(settings.jwt_secret_key.get_secret_value(), settings.jwt_previous_keys.get_secret_value())


@lru_cache(maxsize=4)
def _by_id(present: str, older: str) -> dict[str, str]:
    secrets = [present, *filter(None, (each.strip() for each in older.split(",")))]
    return {hashlib.blake2b(b"kid", key=hashlib.sha256(each.encode()).digest(), digest_size=6).hexdigest(): each for each in secrets}


def issue(settings: Settings, use: Use, user_id: int, family: UUID) -> Issued:
    """A signed token for a session."""
    kid, secret = next(iter(keys(settings).items()))
    life = timedelta(minutes=settings.access_minutes) if use is Use.ACCESS else timedelta(days=settings.refresh_days)
    now, jti = moment(), uuid4()
    claims = {"iss": ISSUER, "aud": use, "sub": str(user_id), "jti": jti.hex, "iat": now, "exp": now + life, "family": family.hex}
    return Issued(jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": kid}), jti, (now + life).replace(microsecond=0))


def read(settings: Settings, use: Use, text: str) -> Token:
    """What a token says; Unauthenticated when it was not issued by us for this use, or is over."""
    if len(text) > LONGEST:
        raise Unauthenticated
    try:
        secret = keys(settings)[_key_id(text.partition(".")[0])]
        claims = jwt.decode(text, secret, algorithms=[ALGORITHM], audience=use, issuer=ISSUER, options={"require": REQUIRED})
        return _spoken(claims)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise Unauthenticated from None


@lru_cache(maxsize=64)
def _key_id(header: str) -> str:
    """The key that a header names; all tokens of a key have one header."""
    return str(jwt.get_unverified_header(f"{header}.e30.")["kid"])


def _spoken(claims: dict[str, Any]) -> Token:
    return Token(int(claims["sub"]), UUID(claims["family"]), UUID(claims["jti"]), datetime.fromtimestamp(claims["exp"], UTC))
