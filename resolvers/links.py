"""Links that prove themselves: signed, for one purpose, and good for a time only, so that whoever holds one needs no session."""

from datetime import datetime
from enum import StrEnum

import jwt

from errors import NotFound
from resolvers.tokens import ALGORITHM, ISSUER, LONGEST, keys
from settings import Settings

REQUIRED = ["exp", "sub", "aud", "iss"]


class Purpose(StrEnum):
    """What a link opens; one is never taken for the other, nor for a session's token."""

    RECEIPT = "atrium:receipt"


def sign(settings: Settings, purpose: Purpose, subject: str, until: datetime) -> str:
    """The part of a link that proves it."""
    kid, secret = next(iter(keys(settings).items()))
    claims = {"iss": ISSUER, "aud": purpose, "sub": subject, "exp": until}
    return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": kid})


def subject_of(settings: Settings, purpose: Purpose, text: str) -> str:
    """What a link opens; NotFound when it was not signed by us for this, or is too old."""
    if len(text) > LONGEST:
        raise NotFound("This link is not good, or not any more.")
    try:
        secret = keys(settings)[jwt.get_unverified_header(text)["kid"]]
        claims = jwt.decode(text, secret, algorithms=[ALGORITHM], audience=purpose, issuer=ISSUER, options={"require": REQUIRED})
        return str(claims["sub"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise NotFound("This link is not good, or not any more.") from None
