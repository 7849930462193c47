"""Google for demos: the documented token stands for one account, and becomes an ID token that is signed and checked like a real one."""

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

CLIENT_ID, KEY_ID = "demo.apps.googleusercontent.com", "demo"
DOCUMENTED = "google_oauth_token_here"
ACCOUNT = {"sub": "100000000000000000001", "email": "google.user@example.com", "given_name": "Google", "family_name": "User"}


class GoogleSimulator:
    """A publisher of one key, who signs for whoever brings the documented token."""

    client_id = CLIENT_ID

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return generate_private_key(65537, 2048)

    def transport(self) -> httpx2.AsyncBaseTransport:
        """The line on which the keys can be asked for."""
        return httpx2.MockTransport(self._keys)

    def exchange(self, token: str) -> str:
        """The ID token that the documented one stands for; any other stays what it is."""
        return self.sign() if token == DOCUMENTED else token

    def sign(self, **claims: Any) -> str:
        """An ID token of the demo's account, with some claims changed."""
        now = datetime.now(UTC)
        usual = {
            "iss": "https://accounts.google.com",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + timedelta(hours=1),
            "email_verified": True,
        }
        return jwt.encode({**usual, **ACCOUNT, **claims}, self._key, algorithm="RS256", headers={"kid": KEY_ID})

    def _keys(self, _: httpx2.Request) -> httpx2.Response:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        keys = {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}
        return httpx2.Response(200, json=keys, headers={"Cache-Control": "public, max-age=3600"})
