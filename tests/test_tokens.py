"""Tokens: what is refused although it looks like one of ours."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
import time_machine
from pydantic import SecretStr, ValidationError

from errors import Unauthenticated
from resolvers import tokens
from resolvers.tokens import Use, issue, keys, read
from settings import DEMO_SECRETS, Settings

FAMILY = uuid4()


def forged(
    settings: Settings, *, without: str = "", key: str | None = None, algorithm: str = "HS256", kid: Any = None, **changed: Any
) -> str:
    """A token like ours but for what is named."""
    now = datetime.now(UTC)
    claims = {
        "iss": "atrium", "aud": "atrium:access", "sub": "1", "jti": uuid4().hex, "iat": now, "exp": now + timedelta(minutes=5),
        "family": FAMILY.hex, **changed,
    }  # fmt: skip
    claims.pop(without, None)
    own_kid, own_key = next(iter(keys(settings).items()))
    return jwt.encode(claims, own_key if key is None else key, algorithm=algorithm, headers={"kid": own_kid if kid is None else kid})


def unsigned(settings: Settings) -> str:
    """A token that says it needs no signature."""
    _, body, _ = forged(settings).split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", "kid": next(iter(keys(settings)))}).encode()).rstrip(b"=")
    return f"{head.decode()}.{body}."


def test_a_token_says_what_was_put_in(settings: Settings) -> None:
    issued = issue(settings, Use.ACCESS, 7, FAMILY)
    said = read(settings, Use.ACCESS, issued.text)
    assert (said.user_id, said.family, said.jti, said.ends_at) == (7, FAMILY, issued.jti, issued.ends_at)
    assert timedelta(minutes=14) < said.ends_at - datetime.now(UTC) <= timedelta(minutes=15)
    assert timedelta(days=6) < issue(settings, Use.REFRESH, 7, FAMILY).ends_at - datetime.now(UTC) <= timedelta(days=7)


def test_the_token_made_here_by_hand_is_good_as_it_stands(settings: Settings) -> None:
    assert read(settings, Use.ACCESS, forged(settings)).user_id == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"algorithm": "HS384"},
        {"key": "another secret of thirty-two bytes"},
        {"aud": "atrium:refresh"},
        {"aud": "somebody else"},
        {"iss": "somebody else"},
        {"kid": "unknown"},
        {"kid": ""},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"iat": datetime(2100, 1, 1, tzinfo=UTC)},
        {"sub": "admin"},
        {"family": "none"},
        {"jti": "1"},
        *[{"without": claim} for claim in (*tokens.REQUIRED, "family")],
    ],
    ids=str,
)
def test_a_token_that_is_not_quite_ours_is_refused(settings: Settings, changed: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        read(settings, Use.ACCESS, forged(settings, **changed))


def test_a_token_without_signature_or_sense_is_refused(settings: Settings) -> None:
    good = issue(settings, Use.ACCESS, 1, FAMILY).text
    head, body, _ = good.split(".")
    for text in ("", "nonsense", "a.b.c", good[:-6], f"{head}.{body}.", unsigned(settings), "x" * 10_000, "ü.ü.ü", "\ud800"):
        with pytest.raises(Unauthenticated):
            read(settings, Use.ACCESS, text)


def test_access_and_refresh_tokens_do_not_stand_for_each_other(settings: Settings) -> None:
    for use, other in ((Use.ACCESS, Use.REFRESH), (Use.REFRESH, Use.ACCESS)):
        with pytest.raises(Unauthenticated):
            read(settings, use, issue(settings, other, 1, FAMILY).text)


def test_an_access_token_is_over_after_fifteen_minutes(settings: Settings) -> None:
    text = issue(settings, Use.ACCESS, 1, FAMILY).text
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=15, seconds=1)), pytest.raises(Unauthenticated):
        read(settings, Use.ACCESS, text)


def test_keys_rotate_without_signing_anybody_out(settings: Settings) -> None:
    old, new = "the first secret of more than 32 bytes", "the second secret of more than 32 bytes"
    before = settings.model_copy(update={"jwt_secret_key": SecretStr(old)})
    during = settings.model_copy(update={"jwt_secret_key": SecretStr(new), "jwt_previous_keys": SecretStr(f"{old}, ")})
    after = settings.model_copy(update={"jwt_secret_key": SecretStr(new)})
    text = issue(before, Use.ACCESS, 1, FAMILY).text
    assert read(during, Use.ACCESS, text).user_id == 1
    assert read(after, Use.ACCESS, issue(during, Use.ACCESS, 2, FAMILY).text).user_id == 2
    with pytest.raises(Unauthenticated):
        read(after, Use.ACCESS, text)


@pytest.mark.parametrize("weak", ["short", "demo-jwt-secret-key-that-no-production-server-accepts"])
def test_production_refuses_weak_earlier_keys(weak: str) -> None:
    secrets = dict.fromkeys(DEMO_SECRETS, "a secret of more than thirty-two bytes")
    reachable = {"smtp_host": "mail.test", "public_url": "https://atrium.test", "message_channels": "email"}
    assert Settings.model_validate({**secrets, **reachable, "mode": "production"}).jwt_previous_keys.get_secret_value() == ""
    with pytest.raises(ValidationError, match="JWT_PREVIOUS_KEYS"):
        Settings.model_validate({**secrets, "mode": "production", "jwt_previous_keys": weak})
