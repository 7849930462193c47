"""Signing in with Google: to the account that was opened or linked so, or to a new one."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import AlreadyExists, InvalidCredentials
from gateways.google import GoogleIdentity
from models.identity import Credential, CredentialKind, Role, User, UserRole
from models.scheduling import Resource, ResourceKind
from resolvers.account_mails import tell_of_google
from resolvers.authentication import hash_token
from resolvers.context import Context
from resolvers.identity import SIGN_INS
from resolvers.inputs.values import LONGEST_NAME, parse_email, parse_text
from resolvers.limits import limit
from resolvers.operations import ANYONE, allow
from resolvers.sessions import SignedIn, open_session

TRIES = 3


@allow(ANYONE, sensitive=True)
async def sign_in_with_google(ctx: Context, *, token: str) -> SignedIn:
    """Sign in by an ID token of Google; whoever comes for the first time gets an account, or has theirs of the same address linked."""
    await limit(ctx, "sign_in", SIGN_INS)
    identity = await ctx.gateways.google.identify(token)
    for attempt in range(TRIES):
        try:
            async with ctx.writing() as db:
                return await open_session(ctx, db, await _user(db, identity))
        except AlreadyExists:  # the same person came twice at once, and the other one was first
            if attempt == TRIES - 1:
                raise
    raise InvalidCredentials


async def _user(db: AsyncSession, identity: GoogleIdentity) -> User:
    """Whose account it is; InvalidCredentials when it is blocked."""
    subject = hash_token(identity.subject)
    linked = select(User).join(Credential, Credential.user_id == User.id)
    user = await db.scalar(linked.where(Credential.kind == CredentialKind.GOOGLE, Credential.secret == subject))
    if user is None:
        email = parse_email(identity.email)
        user = await db.scalar(select(User).where(func.lower(User.email) == email)) or await _new(db, identity, email)
        if user.is_active:
            db.add(Credential(user_id=user.id, kind=CredentialKind.GOOGLE, secret=subject))
            await tell_of_google(db, user)
    if not user.is_active:
        raise InvalidCredentials
    return user


async def _new(db: AsyncSession, identity: GoogleIdentity, email: str) -> User:
    user = User(
        email=email,
        first_name=parse_text(identity.first_name[:LONGEST_NAME], "first_name"),
        last_name=parse_text(identity.last_name[:LONGEST_NAME], "last_name"),
    )
    user.resource = Resource(kind=ResourceKind.PERSON)
    db.add(user)
    await db.flush()
    db.add(UserRole(user_id=user.id, role=Role.CUSTOMER))
    return user
