"""Accounts and sessions: who gets in, and for how long."""

import asyncio
import logging
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import func, select, update

from errors import AlreadyExists, BadUserInput, Forbidden, InvalidCredentials, RateLimited, Unauthenticated
from models.database import Database
from models.history import Change
from models.identity import Credential, CredentialKind, Role, Session, User, UserRole
from models.scheduling import Resource, ResourceKind
from resolvers import identity, sessions
from resolvers.authentication import authenticate, authenticate_again
from resolvers.context import NOBODY, Context
from resolvers.inputs.identity import ProfilePatch
from resolvers.inputs.values import parse_phone
from resolvers.limits import forget_counters
from resolvers.lockout import TRIES_PER_ACCOUNT, TRIES_PER_ADDRESS
from resolvers.operations import allow
from resolvers.sessions import EndReason, SignedIn
from settings import Settings
from tests.people import PASSWORD, as_viewer, call, join, nobody
from tests.test_passwords import django_hash


@pytest.fixture
def ctx(database: Database, settings: Settings) -> Context:
    """A stranger's request."""
    return nobody(database, settings, address="192.0.2.1")


async def sign_in(ctx: Context, email: str | None, password: str = PASSWORD) -> SignedIn:
    signed_in: SignedIn = await call(identity.sign_in, ctx, email=email, password=password)
    return signed_in


async def value(ctx: Context, statement: sqlalchemy.Select[Any]) -> Any:
    return (await ctx.fetch(statement))[0][0]


async def is_good(ctx: Context, token: str) -> bool:
    try:
        return (await authenticate(ctx.database, ctx.settings, token)).user_id is not None
    except Unauthenticated:
        return False


# Registering


async def test_registering_makes_a_customer_whose_time_can_be_reserved(ctx: Context) -> None:
    joined = await join(ctx, email="Ann@Example.com", first_name=" Ann ", phone=parse_phone("(555) 123-4567"))
    [user] = await ctx.fetch(select(User))
    assert (user["email"], user["first_name"], user["phone"]) == ("ann@example.com", "Ann", "+15551234567")
    assert await value(ctx, select(Resource.kind).where(Resource.id == user["resource_id"])) == ResourceKind.PERSON
    viewer = await authenticate(ctx.database, ctx.settings, joined.access_token)
    assert (viewer.user_id, set(viewer.roles)) == (user["id"], {Role.CUSTOMER})


@pytest.mark.parametrize(
    ("field", "about"),
    [("email", {"email": "ANN@example.com"}), ("phone", {"email": "other@example.com", "phone": parse_phone("+15551234567")})],
)
async def test_email_and_phone_belong_to_one_account(ctx: Context, field: str, about: dict[str, Any]) -> None:
    await join(ctx, email="ann@example.com", phone=parse_phone("(555) 123-4567"))
    with pytest.raises(AlreadyExists) as refusal:
        await join(ctx, **about)
    assert list(refusal.value.fields) == [field]
    assert await value(ctx, select(func.count()).select_from(Resource)) == 1


async def test_of_ten_registrations_of_one_address_at_once_one_succeeds(ctx: Context) -> None:
    results = await asyncio.gather(*[join(ctx, email="ann@example.com") for _ in range(10)], return_exceptions=True)
    assert [type(each) for each in results].count(SignedIn) == 1
    assert [type(each) for each in results].count(AlreadyExists) == 9
    assert await value(ctx, select(func.count()).select_from(User)) == 1


@pytest.mark.parametrize(
    ("about", "field"),
    [({"password": "short"}, "password"), ({"first_name": "x" * 151}, "first_name"), ({"last_name": "half \ud800"}, "last_name")],
)
async def test_a_bad_registration_leaves_nothing_behind(ctx: Context, about: dict[str, Any], field: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        await join(ctx, **about)
    assert list(refusal.value.fields) == [field]
    assert await value(ctx, select(func.count()).select_from(User)) == 0


async def test_an_address_may_register_only_so_often(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "REGISTRATIONS", "3/hour")
    results = await asyncio.gather(*[join(ctx) for _ in range(6)], return_exceptions=True)
    refusals = [each for each in results if isinstance(each, RateLimited)]
    assert len(refusals) == 3
    assert 3500 < refusals[0].retry_after <= 3600
    await join(nobody(ctx.database, ctx.settings, address="192.0.2.2"))
    await forget_counters(ctx.database)
    await join(ctx)


# Signing in


async def test_signing_in_answers_tokens_of_a_new_session(ctx: Context) -> None:
    joined = await join(ctx, email="ann@example.com")
    signed_in = await sign_in(ctx, "ann@example.com")
    assert signed_in.user.id == joined.user.id
    first, second = await as_viewer(ctx, joined), await as_viewer(ctx, signed_in)
    assert first.viewer.session != second.viewer.session
    assert second.viewer.token_ends_at == signed_in.expires_at


async def test_wrong_password_unknown_address_and_blocked_account_get_one_answer(ctx: Context) -> None:
    blocked = await join(ctx, email="blocked@example.com")
    await join(ctx, email="ann@example.com")
    async with ctx.database.sessions.begin() as db:
        await db.execute(update(User).where(User.id == blocked.user.id).values(is_active=False))
    answers = set()
    for email, password in (("ann@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("blocked@example.com", PASSWORD)):
        with pytest.raises(InvalidCredentials) as refusal:
            await sign_in(ctx, email, password)
        answers.add((refusal.value.code, refusal.value.message, str(refusal.value.fields)))
    assert len(answers) == 1
    assert not await is_good(ctx, blocked.access_token)


async def test_guesses_in_parallel_are_counted(ctx: Context) -> None:
    joined = await join(ctx, email="ann@example.com")
    guesses = [sign_in(ctx, joined.user.email, f"guess number {number}") for number in range(30)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    kinds = [type(each) for each in results]
    assert kinds.count(InvalidCredentials) == TRIES_PER_ACCOUNT
    assert kinds.count(RateLimited) == 30 - TRIES_PER_ACCOUNT
    with pytest.raises(RateLimited) as refusal:
        await sign_in(nobody(ctx.database, ctx.settings, address="198.51.100.7"), joined.user.email)
    assert 800 < refusal.value.retry_after <= 900
    await forget_counters(ctx.database)
    await sign_in(ctx, joined.user.email)


async def test_an_unknown_address_is_locked_like_a_known_one(ctx: Context) -> None:
    for _ in range(TRIES_PER_ACCOUNT):
        with pytest.raises(InvalidCredentials):
            await sign_in(ctx, "nobody@example.com")
    with pytest.raises(RateLimited):
        await sign_in(ctx, "nobody@example.com")


async def test_signing_in_often_at_once_with_the_right_password_locks_nobody_out(ctx: Context) -> None:
    joined = await join(ctx)
    results = await asyncio.gather(*[sign_in(ctx, joined.user.email) for _ in range(3 * TRIES_PER_ACCOUNT)])
    assert len(results) == 3 * TRIES_PER_ACCOUNT


async def test_a_success_forgets_the_failures_before_it(ctx: Context) -> None:
    joined = await join(ctx)
    for _ in range(3):
        for _ in range(TRIES_PER_ACCOUNT - 1):
            with pytest.raises(InvalidCredentials):
                await sign_in(ctx, joined.user.email, "wrong")
        await sign_in(ctx, joined.user.email)


async def test_a_lock_ends_by_itself(ctx: Context) -> None:
    joined = await join(ctx)
    for _ in range(TRIES_PER_ACCOUNT):
        with pytest.raises(InvalidCredentials):
            await sign_in(ctx, joined.user.email, "wrong")
    async with ctx.database.reading() as connection:
        await connection.execute("UPDATE sign_in_failures SET locked_until = locked_until - interval '15 minutes'")
    await sign_in(ctx, joined.user.email)


async def test_an_address_that_guesses_at_many_accounts_is_locked_out(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolvers.lockout.TRIES_PER_ADDRESS", 6)
    joined = await join(ctx)
    for number in range(6):
        with pytest.raises(InvalidCredentials):
            await sign_in(ctx, f"person{number}@example.org")
    with pytest.raises(RateLimited):
        await sign_in(ctx, joined.user.email)
    await sign_in(nobody(ctx.database, ctx.settings, address="2001:db8::1"), joined.user.email)
    assert TRIES_PER_ADDRESS > 6


async def test_a_household_counts_as_one_however_many_addresses_it_has(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolvers.lockout.TRIES_PER_ADDRESS", 3)
    for number in range(3):
        with pytest.raises(InvalidCredentials):
            await sign_in(nobody(ctx.database, ctx.settings, address=f"2001:db8::{number}"), f"person{number}@example.org")
    with pytest.raises(RateLimited):
        await sign_in(nobody(ctx.database, ctx.settings, address="2001:db8::ffff"), "person@example.org")


async def test_an_imported_password_is_hashed_anew_at_the_first_sign_in(ctx: Context) -> None:
    joined = await join(ctx)
    mine = select(Credential.secret).where(Credential.user_id == joined.user.id, Credential.kind == CredentialKind.PASSWORD)
    async with ctx.database.sessions.begin() as db:
        await db.execute(update(Credential).where(Credential.user_id == joined.user.id).values(secret=django_hash("from before")))
    with pytest.raises(InvalidCredentials):
        await sign_in(ctx, joined.user.email, PASSWORD)
    await sign_in(ctx, joined.user.email, "from before")
    assert (await value(ctx, mine)).startswith("$argon2id$")
    await sign_in(ctx, joined.user.email, "from before")


# Refreshing


async def test_a_refresh_token_is_good_once_and_using_it_twice_ends_its_session(ctx: Context) -> None:
    joined = await join(ctx)
    other = await sign_in(ctx, joined.user.email)
    fresh = await call(sessions.refresh_token, ctx, refresh_token=joined.refresh_token)
    assert await is_good(ctx, fresh.access_token)
    with pytest.raises(Unauthenticated):
        await call(sessions.refresh_token, ctx, refresh_token=joined.refresh_token)
    assert not await is_good(ctx, fresh.access_token)
    with pytest.raises(Unauthenticated):
        await call(sessions.refresh_token, ctx, refresh_token=fresh.refresh_token)
    assert await is_good(ctx, other.access_token)
    reasons = select(Session.end_reason).where(Session.ended_at.is_not(None))
    assert [each[0] for each in await ctx.fetch(reasons)] == [EndReason.REUSED]


async def test_of_refreshes_at_the_same_moment_exactly_one_wins(ctx: Context) -> None:
    joined = await join(ctx)
    asked = [call(sessions.refresh_token, ctx, refresh_token=joined.refresh_token) for _ in range(8)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in results].count(SignedIn) == 1
    assert [type(each) for each in results].count(Unauthenticated) == 7
    [winner] = [each for each in results if isinstance(each, SignedIn)]
    assert not await is_good(ctx, winner.access_token)


async def test_a_repeat_under_the_same_key_is_no_reuse(ctx: Context) -> None:
    joined = await join(ctx)
    first, second = [await call(sessions.refresh_token, ctx, key="k", refresh_token=joined.refresh_token) for _ in range(2)]
    assert first.refresh_token == second.refresh_token
    assert await is_good(ctx, second.access_token)


async def test_where_refresh_tokens_do_not_rotate_they_stay_good(ctx: Context) -> None:
    joined = await join(ctx)
    for _ in range(3):
        renewed = await call(sessions.renew_access_token, ctx, refresh_token=joined.refresh_token)
        assert await is_good(ctx, renewed.access_token)
    await call(sessions.sign_out, await as_viewer(ctx, joined))
    with pytest.raises(Unauthenticated):
        await call(sessions.renew_access_token, ctx, refresh_token=joined.refresh_token)


async def test_a_token_that_was_rotated_away_cannot_be_renewed_and_ends_its_session(ctx: Context) -> None:
    joined = await join(ctx)
    fresh = await call(sessions.refresh_token, ctx, refresh_token=joined.refresh_token)
    with pytest.raises(Unauthenticated):
        await call(sessions.renew_access_token, ctx, refresh_token=joined.refresh_token)
    assert not await is_good(ctx, fresh.access_token)


async def test_a_session_is_refreshed_only_so_often(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "REFRESHES", "2/minute")
    joined, other = await join(ctx), await join(ctx)
    for _ in range(2):
        await call(sessions.renew_access_token, ctx, refresh_token=joined.refresh_token)
    with pytest.raises(RateLimited):
        await call(sessions.renew_access_token, ctx, refresh_token=joined.refresh_token)
    await call(sessions.renew_access_token, ctx, refresh_token=other.refresh_token)


# Signing out, blocking, roles


async def test_signing_out_ends_this_session_at_once(ctx: Context) -> None:
    joined = await join(ctx)
    other = await sign_in(ctx, joined.user.email)
    mine = await as_viewer(ctx, joined)
    assert (await call(sessions.sign_out, mine)).ended == 1
    assert not await is_good(ctx, joined.access_token)
    assert await is_good(ctx, other.access_token)
    with pytest.raises(Unauthenticated):
        await authenticate_again(ctx.database, mine.viewer)
    with pytest.raises(Unauthenticated):
        await call(sessions.refresh_token, ctx, refresh_token=joined.refresh_token)


async def test_signing_out_everywhere_ends_every_session_of_mine_only(ctx: Context) -> None:
    joined, stranger = await join(ctx), await join(ctx)
    other = await sign_in(ctx, joined.user.email)
    assert (await call(sessions.sign_out_everywhere, await as_viewer(ctx, joined))).ended == 2
    assert [await is_good(ctx, each.access_token) for each in (joined, other, stranger)] == [False, False, True]


async def test_a_role_counts_from_the_moment_it_is_given_until_it_is_taken(ctx: Context) -> None:
    @allow(Role.SUPPORT)
    async def support_only(ctx: Context) -> str:
        """For the staff."""
        return "yes"

    joined = await join(ctx)
    before = await as_viewer(ctx, joined)
    with pytest.raises(Forbidden):
        await call(support_only, before)
    async with ctx.database.sessions.begin() as db:
        db.add(UserRole(user_id=joined.user.id, role=Role.SUPPORT))
        db.add(UserRole(user_id=joined.user.id, role=Role.MANAGEMENT, is_approved=False))
    assert await call(support_only, await as_viewer(ctx, joined)) == "yes"
    assert (await authenticate_again(ctx.database, before.viewer)).roles == {Role.CUSTOMER, Role.SUPPORT}
    async with ctx.database.sessions.begin() as db:
        await db.execute(update(UserRole).where(UserRole.role == Role.SUPPORT).values(is_approved=False))
    with pytest.raises(Forbidden):
        await call(support_only, await as_viewer(ctx, joined))


async def test_without_a_token_nobody_asks(ctx: Context) -> None:
    assert await authenticate(ctx.database, ctx.settings, None) is NOBODY
    assert await authenticate_again(ctx.database, NOBODY) is NOBODY
    with pytest.raises(Unauthenticated):
        await call(identity.me, ctx)


# Changing one's own account


async def test_a_profile_changes_only_where_the_patch_says_so(ctx: Context) -> None:
    joined = await join(ctx, first_name="Ann", last_name="Lee")
    mine = await as_viewer(ctx, joined)
    changed = await call(identity.update_profile, mine, patch=ProfilePatch(last_name="Ray", sms_notifications=True))
    assert (changed.first_name, changed.last_name, changed.sms_notifications, changed.email_notifications) == ("Ann", "Ray", True, True)


async def test_a_new_phone_number_asks_for_the_password(ctx: Context) -> None:
    phone = parse_phone("+15550001111")
    joined, taken = await join(ctx), await join(ctx, phone=parse_phone("+15550002222"))
    mine = await as_viewer(ctx, joined)
    for password in (None, "wrong"):
        with pytest.raises(BadUserInput) as refusal:
            await call(identity.update_profile, mine, patch=ProfilePatch(phone=phone), password=password)
        assert list(refusal.value.fields) == ["password"]
    assert (await call(identity.update_profile, mine, patch=ProfilePatch(phone=phone), password=PASSWORD)).phone == phone
    await call(identity.update_profile, mine, patch=ProfilePatch(phone=phone))
    with pytest.raises(AlreadyExists) as conflict:
        await call(identity.update_profile, mine, patch=ProfilePatch(phone=taken.user.phone), password=PASSWORD)  # type: ignore[arg-type]
    assert list(conflict.value.fields) == ["phone"]


async def test_a_new_password_ends_the_other_sessions(ctx: Context) -> None:
    joined = await join(ctx)
    other = await sign_in(ctx, joined.user.email)
    mine = await as_viewer(ctx, joined)
    for arguments, field in (
        ({"current_password": "wrong", "new_password": "entirely new one"}, "current_password"),
        ({"current_password": PASSWORD, "new_password": "short"}, "new_password"),
        ({"current_password": PASSWORD, "new_password": joined.user.email}, "new_password"),
    ):
        with pytest.raises(BadUserInput) as refusal:
            await call(identity.change_password, mine, **arguments)
        assert list(refusal.value.fields) == [field]
    await call(identity.change_password, mine, current_password=PASSWORD, new_password="entirely new one")
    assert [await is_good(ctx, each.access_token) for each in (joined, other)] == [True, False]
    with pytest.raises(InvalidCredentials):
        await sign_in(ctx, joined.user.email)
    await sign_in(ctx, joined.user.email, "entirely new one")


async def test_a_stolen_session_cannot_guess_the_password_for_long(ctx: Context) -> None:
    mine = await as_viewer(ctx, await join(ctx))
    for _ in range(TRIES_PER_ACCOUNT):
        with pytest.raises(BadUserInput):
            await call(identity.change_password, mine, current_password="wrong", new_password="entirely new one")
    with pytest.raises(RateLimited):
        await call(identity.change_password, mine, current_password=PASSWORD, new_password="entirely new one")


# What stays behind


async def test_no_secret_and_no_address_is_kept_or_logged_in_the_clear(ctx: Context, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    joined = await join(ctx, email="ann@example.com", first_name="Annabel", phone=parse_phone("+15550003333"))
    await sign_in(ctx, "ann@example.com")
    with pytest.raises(InvalidCredentials):
        await call(identity.sign_in, ctx, key="again", email="ann@example.com", password="not the password")
    await call(sessions.refresh_token, ctx, key="again", refresh_token=joined.refresh_token)
    secrets = ["ann@example.com", "Annabel", "+15550003333", PASSWORD, "not the password", ctx.address, "$argon2id", joined.refresh_token]
    kept = caplog.text
    async with ctx.database.reading() as connection:
        for table in (Change.__tablename__, "limit_counters", "sign_in_failures", "idempotency_keys", "event_log", "sessions"):
            kept += str([dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")])  # noqa: S608 - names of ours
    assert [each for each in secrets if each in kept] == []
