"""A device that keeps passkeys, in software: real keys, real signatures, real CBOR."""

import base64
import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Held:
    """One passkey on the device."""

    id: bytes
    key: ec.EllipticCurvePrivateKey
    domain: str
    user: bytes


@dataclass
class Authenticator:
    """A device with its owner before it; each flaw can be put on."""

    origin: str = "http://localhost:8000"
    flags: int = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | BACKED_UP
    counts: bool = True
    held: list[Held] = field(default_factory=list)
    count: int = 0

    def create(self, options: dict[str, Any], *, origin: str | None = None, domain: str | None = None) -> dict[str, Any]:
        """What navigator.credentials.create() answers."""
        assert options["authenticatorSelection"]["residentKey"] == "required"
        assert -7 in [each["alg"] for each in options["pubKeyCredParams"]]
        known = {unb64(each["id"]) for each in options.get("excludeCredentials", [])}
        assert not known & {each.id for each in self.held}, "InvalidStateError: the device has a passkey of this account already"
        domain = domain or options["rp"]["id"]
        made = Held(os.urandom(32), ec.generate_private_key(ec.SECP256R1()), domain, unb64(options["user"]["id"]))
        self.held.append(made)
        numbers = made.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + struct.pack(">H", len(made.id)) + made.id + public
        data = self._data(domain, self.flags | ATTESTED) + attested
        return self._answer(made, {
            "clientDataJSON": b64(self._said("webauthn.create", options["challenge"], origin)),
            "attestationObject": b64(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal", "hybrid"],
        })  # fmt: skip

    def get(self, options: dict[str, Any], *, origin: str | None = None, by: Held | None = None) -> dict[str, Any]:
        """What navigator.credentials.get() answers, by the newest passkey of the domain."""
        chosen = by or next(each for each in reversed(self.held) if each.domain == options["rpId"])
        if self.counts:
            self.count += 1
        data = self._data(chosen.domain, self.flags)
        said = self._said("webauthn.get", options["challenge"], origin)
        signature = chosen.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._answer(chosen, {
            "clientDataJSON": b64(said),
            "authenticatorData": b64(data),
            "signature": b64(signature),
            "userHandle": b64(chosen.user),
        })  # fmt: skip

    def _data(self, domain: str, flags: int) -> bytes:
        return hashlib.sha256(domain.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _said(self, kind: str, challenge: str, origin: str | None) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin or self.origin, "crossOrigin": False}).encode()

    def _answer(self, held: Held, response: dict[str, Any]) -> dict[str, Any]:
        return {"id": b64(held.id), "rawId": b64(held.id), "type": "public-key", "response": response, "clientExtensionResults": {}}
