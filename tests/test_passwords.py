"""Which passwords are taken, and how they are compared."""

import base64
import hashlib

import pytest
from pydantic import SecretStr

from errors import BadUserInput
from resolvers.passwords import HASHERS, NOBODYS, check_password, common_passwords, hash_password, require_good_password
from settings import Mode, Settings

PRODUCTION = Settings.model_construct(mode=Mode.PRODUCTION, jwt_secret_key=SecretStr("x" * 32))
DEMO = Settings.model_construct(mode=Mode.DEMO)


def django_hash(password: str, *, rounds: int = 1000) -> str:
    """A password as Django stores it."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", rounds)
    return f"pbkdf2_sha256${rounds}$salt${base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("password", "demo", "production"),
    [
        ("seven77", False, False),
        ("eight888", True, True),
        ("p" * 128, True, True),
        ("p" * 129, False, False),
        ("ann@example.com", False, False),
        ("ANN@Example.com", False, False),
        ("ann@example.com2", True, True),
        ("password123", True, False),
        ("PassWord123", True, False),
        ("тихий омут", True, True),
        ("holds\x00nul", False, False),
        ("half\ud800pair", False, False),
    ],
)
def test_the_policy(password: str, demo: bool, production: bool) -> None:
    for settings, is_good in ((DEMO, demo), (PRODUCTION, production)):
        if is_good:
            require_good_password(settings, password, "ann@example.com")
            continue
        with pytest.raises(BadUserInput) as refusal:
            require_good_password(settings, password, "ann@example.com", "new_password")
        assert "new_password" in refusal.value.fields
        assert password not in str(refusal.value.fields)


def test_common_passwords_are_those_that_the_length_would_let_through() -> None:
    assert len(common_passwords()) > 500
    assert all(len(each) >= 8 and each == each.casefold() for each in common_passwords())


async def test_a_password_is_kept_as_argon2id() -> None:
    hashed = await hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$")
    assert await check_password("correct horse battery", hashed) == (True, None)
    assert await check_password("correct horse batterz", hashed) == (False, None)


async def test_an_imported_hash_is_accepted_and_replaced() -> None:
    is_right, better = await check_password("imported one", django_hash("imported one"))
    assert is_right
    assert better is not None
    assert better.startswith("$argon2id$")
    assert await check_password("imported two", django_hash("imported one")) == (False, None)


@pytest.mark.parametrize("stored", ["!unusable", "", "pbkdf2_sha256$9999999999$salt$x", "pbkdf2_sha256$x$salt$x", "md5$a$b", None])
async def test_a_stored_value_that_is_no_hash_lets_nobody_in(stored: str | None) -> None:
    assert (await check_password("whatever it is", stored))[0] is False


@pytest.mark.parametrize("password", ["half\ud800pair", "nul\x00", "x" * 1_000_000])
async def test_an_odd_password_is_simply_wrong(password: str) -> None:
    assert (await check_password(password, await hash_password("correct horse battery")))[0] is False


def test_comparing_for_nobody_costs_as_much_as_for_somebody() -> None:
    assert NOBODYS.split("$")[1:4] == HASHERS.hash("x").split("$")[1:4]
