"""Signing in with Google: an ID token is believed when Google has signed it for us, just now, about an address that it has checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import httpx2
import jwt

from errors import GoogleOff, InvalidCredentials
from gateways.jwks import Jwks

KEYS = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS = ["https://accounts.google.com", "accounts.google.com"]
REQUIRED = ["exp", "iat", "sub", "aud", "iss"]
LONGEST, LEEWAY = 8192, 30
REFUSED = "Google does not vouch for this token."


@dataclass(frozen=True)
class GoogleIdentity:
    """Whom Google vouches for."""

    subject: str
    """Google's own number of the account, which never changes."""
    email: str
    first_name: str
    last_name: str


class Google:
    """Google's keys, and the client id under which Google knows this server; without one nobody signs in so."""

    def __init__(
        self,
        client_id: str | None,
        transport: httpx2.AsyncBaseTransport | None = None,
        exchange: Callable[[str], str] = lambda token: token,
    ) -> None:
        self._client_id = client_id
        self._keys = Jwks(KEYS, transport)
        self._exchange = exchange

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._keys.__aexit__()

    async def identify(self, token: str) -> GoogleIdentity:
        """Whom a token is about; InvalidCredentials when it is not good, Unavailable when Google's keys cannot be had."""
        if self._client_id is None:
            raise GoogleOff
        if not token or len(token) > LONGEST:
            raise InvalidCredentials(REFUSED)
        claims = await self._claims(self._exchange(token), self._client_id)
        email, subject = claims.get("email"), claims.get("sub")
        if not (isinstance(email, str) and isinstance(subject, str) and email and subject) or claims.get("email_verified") not in (
            True,
            "true",
        ):
            raise InvalidCredentials(REFUSED)
        return GoogleIdentity(subject, email, str(claims.get("given_name") or ""), str(claims.get("family_name") or ""))

    async def _claims(self, token: str, client_id: str) -> dict[str, Any]:
        try:
            key = await self._keys.key(str(jwt.get_unverified_header(token)["kid"]))
            if key is None:
                raise InvalidCredentials(REFUSED)
            options: Any = {"require": REQUIRED}
            return jwt.decode(token, key, algorithms=["RS256"], audience=client_id, issuer=ISSUERS, leeway=LEEWAY, options=options)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            raise InvalidCredentials(REFUSED) from None
