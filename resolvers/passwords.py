"""Passwords: which ones are good enough, and how they are hashed and compared."""

import asyncio
import base64
import hashlib
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.base import HasherProtocol, ensure_bytes, ensure_str

from errors import BadUserInput
from resolvers.inputs.values import UNPRINTABLE, EmailAddress
from settings import Settings

SHORTEST, LONGEST = 8, 128
MOST_ROUNDS = 5_000_000
COMMON = Path(__file__).parent / "inputs" / "common_passwords.txt"


class DjangoHasher(HasherProtocol):
    """Reads the PBKDF2 hashes that accounts were imported with; it makes none."""

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:
        """Whether Django spelled this hash: pbkdf2_sha256$rounds$salt$digest."""
        name, _, rest = ensure_str(hash).partition("$")
        return name == "pbkdf2_sha256" and rest.count("$") == 2 and rest.split("$")[0].isdigit()

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        """Whether the password gives this hash."""
        _, rounds, salt, digest = ensure_str(hash).split("$")
        # An import must not be able to keep a thread busy for hours.
        if not 0 < int(rounds) <= MOST_ROUNDS:
            return False
        found = hashlib.pbkdf2_hmac("sha256", ensure_bytes(password), salt.encode(), int(rounds))
        return hmac.compare_digest(base64.b64encode(found), digest.encode())

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """Refuses: new hashes are Argon2id."""
        raise NotImplementedError("new hashes are Argon2id")

    def check_needs_rehash(self, hash: str | bytes) -> bool:
        """Always: it is replaced at the next sign-in."""
        return True


HASHERS = PasswordHash([Argon2Hasher(), DjangoHasher()])
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43
"""What is compared with where there is no account, so that the answer takes as long."""

# Few threads: each hash takes 64 MB and a whole core.
_threads = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1), thread_name_prefix="passwords")


async def hash_password(password: str) -> str:
    """The Argon2id hash of a password, made in a worker thread."""
    return await asyncio.get_running_loop().run_in_executor(_threads, HASHERS.hash, password)


async def check_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and the hash to store instead of an outdated one; without a hash it takes as long."""
    is_right, better = await asyncio.get_running_loop().run_in_executor(_threads, _compare, password, hashed or NOBODYS)
    return is_right and hashed is not None, better


def _compare(password: str, hashed: str) -> tuple[bool, str | None]:
    if UNPRINTABLE.search(password) or len(password) > 4 * LONGEST:
        password, hashed = "", NOBODYS
    try:
        return HASHERS.verify_and_update(password, hashed)
    except UnknownHashError:
        # Imported accounts may carry a mark instead of a hash: they cannot sign in by password.
        return HASHERS.verify(password, NOBODYS), None


def require_good_password(settings: Settings, password: str, email: EmailAddress | str | None, field: str = "password") -> None:
    """Refuse a password that is too short, too long, the e-mail address itself or, outside demo, one that everybody uses."""
    if UNPRINTABLE.search(password):
        raise BadUserInput(**{field: "A password cannot hold these characters."})
    if len(password) < SHORTEST:
        raise BadUserInput(**{field: f"A password has at least {SHORTEST} characters."})
    if len(password) > LONGEST:
        raise BadUserInput(**{field: f"A password has at most {LONGEST} characters."})
    if email and password.casefold() == email.casefold():
        raise BadUserInput(**{field: "The password must differ from the e-mail address."})
    if not settings.is_demo and password.casefold() in common_passwords():
        raise BadUserInput(**{field: "This password is too common."})


@cache
def common_passwords() -> frozenset[str]:
    """The passwords that are tried first by whoever guesses."""
    return frozenset(COMMON.read_text(encoding="utf-8").split())
