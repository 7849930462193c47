"""Accounts: registering, signing in by password, and what people change about themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import AlreadyExists, BadUserInput, Conflict, InvalidCredentials
from models.identity import Credential, CredentialKind, EmailChange, Role, Session, User, UserRole
from models.refusals import constraint
from models.scheduling import Resource, ResourceKind
from resolvers.account_mails import tell_of_new_phone
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.identity import ProfilePatch, RegistrationInput
from resolvers.inputs.values import LONGEST_NAME, EmailAddress, parse_text, require_reachable
from resolvers.limits import limit
from resolvers.lockout import guarded
from resolvers.operations import ANYONE, SIGNED_IN, allow
from resolvers.passwords import check_password, hash_password, require_good_password
from resolvers.sessions import EndReason, SignedIn, end_sessions, open_session
from resolvers.tokens import moment

JUST_NOW = timedelta(minutes=10)
REGISTRATIONS, SIGN_INS = "100/hour", "100/minute"
UNIQUE = {"uq_users_email_lower": "email", "uq_users_phone": "phone"}


@dataclass(frozen=True)
class Proof:
    """A stored password as it was when it was compared."""

    id: int
    user_id: int
    secret: str
    better: str | None = None
    """The better hash that it should get."""


@allow(SIGNED_IN)
def me(ctx: Context) -> Select[User]:
    """The person who is signed in."""
    return select(User).where(User.id == ctx.viewer.id)


@allow(ANYONE, sensitive=True)
async def register(ctx: Context, *, input: RegistrationInput) -> SignedIn:
    """Open a customer's account, and sign in to it."""
    await limit(ctx, "register", REGISTRATIONS)
    if not ctx.settings.is_demo:
        require_reachable(input.email)
    require_good_password(ctx.settings, input.password, input.email)
    user = User(
        email=input.email,
        phone=input.phone,
        first_name=parse_text(input.first_name, "first_name", longest=LONGEST_NAME),
        last_name=parse_text(input.last_name, "last_name", longest=LONGEST_NAME),
    )
    hashed = await hash_password(input.password)
    with naming_the_field():
        async with ctx.writing() as db:
            user.resource = Resource(kind=ResourceKind.PERSON)
            db.add(user)
            await db.flush()
            db.add(UserRole(user_id=user.id, role=Role.CUSTOMER))
            db.add(Credential(user_id=user.id, kind=CredentialKind.PASSWORD, secret=hashed))
            return await open_session(ctx, db, user)


@allow(ANYONE, sensitive=True)
async def sign_in(ctx: Context, *, email: EmailAddress, password: str) -> SignedIn:
    """Sign in by e-mail and password; too many failures lock the account and the address for a while."""
    proof = await prove(ctx, email, password)
    async with ctx.writing() as db:
        return await open_session(ctx, db, await proven(db, proof))


@allow(SIGNED_IN, sensitive=True)
async def update_profile(ctx: Context, *, patch: ProfilePatch, password: str | None = None) -> User:
    """Change the viewer's own profile; a new phone number asks for the password again."""
    if patch.phone is not None and ctx.door == "graphql":
        [present] = await ctx.fetch(select(User.phone).where(User.id == ctx.viewer.id))
        if patch.phone != present["phone"]:
            await confirm_password(ctx, password, "password")
    names = {"first_name": patch.first_name, "last_name": patch.last_name}
    changes = {
        **{name: parse_text(text, name, longest=LONGEST_NAME) for name, text in names.items() if text is not None},
        "phone": patch.phone,
        "email_notifications": patch.email_notifications,
        "sms_notifications": patch.sms_notifications,
    }
    with naming_the_field():
        async with ctx.writing() as db:
            user = await db.get_one(User, ctx.viewer.id, with_for_update=True)
            old = user.phone
            for name, value in changes.items():
                if value is not None:
                    setattr(user, name, value)
            if user.phone != old:
                await tell_of_new_phone(db, user, old)
            answers(db, user)
    return user


@allow(SIGNED_IN, sensitive=True)
async def change_password(ctx: Context, *, current_password: str, new_password: str) -> User:
    """Set a new password, which ends every other session of the viewer."""
    [person] = await ctx.fetch(select(User.email).where(User.id == ctx.viewer.id))
    require_good_password(ctx.settings, new_password, person["email"], "new_password")
    proof = await confirm_password(ctx, current_password, "current_password")
    hashed = await hash_password(new_password)
    async with ctx.writing() as db:
        credential = await db.scalar(_stands(proof))
        if credential is None:
            raise Conflict("The password was changed meanwhile.")
        credential.secret = hashed
        user = await db.get_one(User, ctx.viewer.id)
        await db.execute(delete(EmailChange).where(EmailChange.user_id == user.id))  # whoever knew the old one may have asked for it
        await end_sessions(db, EndReason.PASSWORD_CHANGED, Session.user_id == user.id, Session.family != ctx.viewer.session)
        answers(db, user)
    return user


async def prove(ctx: Context, email: EmailAddress, password: str) -> Proof:
    """What an account's password was compared with; InvalidCredentials when it is another one, or the account is locked."""
    await limit(ctx, "sign_in", SIGN_INS)
    async with guarded(ctx, email):
        return await _compare(ctx, func.lower(User.email) == email, password)


async def proven(db: AsyncSession, proof: Proof) -> User:
    """Whose password it was, unless that changed meanwhile."""
    credential = await db.scalar(_stands(proof))
    if credential is None:
        raise InvalidCredentials
    if proof.better:
        credential.secret = proof.better
    return await db.get_one(User, proof.user_id)


async def confirm_password(ctx: Context, password: str | None, field: str) -> Proof:
    """What the viewer's password was compared with, once they said it again; BadUserInput names the field otherwise."""
    if password is None:
        raise BadUserInput(**{field: "Enter your password to confirm this."})
    try:
        async with guarded(ctx, f"user {ctx.viewer.id}"):
            return await _compare(ctx, User.id == ctx.viewer.id, password)
    except InvalidCredentials:
        # Not 401: the viewer is signed in, and stays so.
        raise BadUserInput(**{field: "This is not your password."}) from None


async def confirm_owner(ctx: Context, password: str | None) -> None:
    """Make sure that nobody else adds a way to sign in: by the password or, for who has none, by a sign-in of just now."""
    if ctx.door != "graphql":
        return  # the documented requests carry no password
    held = select(Credential.id).where(Credential.user_id == ctx.viewer.id, Credential.kind == CredentialKind.PASSWORD)
    if await ctx.fetch(held):
        await confirm_password(ctx, password, "password")
        return
    fresh = select(Session.id).where(Session.family == ctx.viewer.session, Session.created_at > moment() - JUST_NOW)
    if not await ctx.fetch(fresh):
        raise BadUserInput(password="Sign in again to confirm this.")  # noqa: S106 - a sentence


async def _compare(ctx: Context, whose: ColumnElement[bool], password: str) -> Proof:
    """The stored password if it is this one; InvalidCredentials takes as long."""
    found = await ctx.fetch(
        select(Credential.id, Credential.user_id, Credential.secret)
        .join(User, User.id == Credential.user_id)
        .where(whose, User.is_active, Credential.kind == CredentialKind.PASSWORD)
    )
    is_right, better = await check_password(password, found[0]["secret"] if found else None)
    if not is_right:
        raise InvalidCredentials
    return Proof(**found[0], better=better)


def _stands(proof: Proof) -> Select[Credential]:
    """The credential, locked, unless its owner was blocked or it was changed since it was compared."""
    same = select(Credential).where(Credential.id == proof.id, Credential.secret == proof.secret)
    return same.join(User, User.id == Credential.user_id).where(User.is_active).with_for_update(of=Credential)


@contextmanager
def naming_the_field() -> Iterator[None]:
    """Say which of the unique fields is taken."""
    try:
        yield
    except AlreadyExists as error:
        field = UNIQUE.get(constraint(error.__cause__) or "" if error.__cause__ else "")
        if field is None:
            raise
        raise AlreadyExists("An account with these details exists already.", **{field: "This cannot be used."}) from error
