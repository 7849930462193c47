"""Sessions: opened by signing in, kept by refreshing, ended by signing out, by reuse of a refresh token, or by time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Unauthenticated
from models.identity import Session, User
from models.notifications import PushDevice
from resolvers.context import REVOKED, Context
from resolvers.idempotency import answers
from resolvers.limits import limit
from resolvers.operations import ANYONE, SIGNED_IN, allow
from resolvers.tokens import Issued, Token, Use, issue, moment, read
from subscriptions.facts import announce
from subscriptions.sessions import SessionEnded

REFRESHES = "30/minute"


class EndReason(StrEnum):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out"
    REUSED = "reused"
    BLOCKED = "blocked"
    ERASED = "erased"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason, not a password


@dataclass
class SignedIn:
    """Tokens of a session, and whose it is."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    user: User


@dataclass
class Renewed:
    """An access token alone."""

    access_token: str
    expires_at: datetime


@dataclass
class SignedOut:
    """How many sessions were ended."""

    ended: int


@allow(ANYONE, sensitive=True)
async def refresh_token(ctx: Context, *, refresh_token: str) -> SignedIn:
    """Exchange a refresh token for new tokens; it is good only once, and using it twice ends its session."""
    said = await _admitted(ctx, refresh_token)
    fresh = issue(ctx.settings, Use.REFRESH, said.user_id, said.family)
    async with ctx.writing() as db:
        # Of two that come at the same moment the second waits here, and then finds the first one's token.
        turned = update(Session).where(*_is_good(said)).values(refresh_jti=fresh.jti, expires_at=fresh.ends_at).returning(Session.user_id)
        user = await db.get(User, await db.scalar(turned) or 0)
        if user is None:
            await end_sessions(db, EndReason.REUSED, Session.family == said.family)
        else:
            signed_in = _signed_in(ctx, user, said.family, fresh)
            answers(db, signed_in)
    if user is None:
        raise Unauthenticated
    return signed_in


@allow(ANYONE, sensitive=True)
async def renew_access_token(ctx: Context, *, refresh_token: str) -> Renewed:
    """Get a new access token by a refresh token that stays good, as CoreSync, Events and Banister document it."""
    said = await _admitted(ctx, refresh_token)
    if not await ctx.fetch(select(Session.id).where(*_is_good(said))):
        async with ctx.writing() as db:
            await end_sessions(db, EndReason.REUSED, Session.family == said.family)
        raise Unauthenticated
    access = issue(ctx.settings, Use.ACCESS, said.user_id, said.family)
    return Renewed(access.text, access.ends_at)


@allow(SIGNED_IN)
async def sign_out(ctx: Context) -> SignedOut:
    """End this session; its tokens are refused from now on."""
    async with ctx.writing() as db:
        done = SignedOut(await end_sessions(db, EndReason.SIGNED_OUT, Session.family == ctx.viewer.session))
        answers(db, done)
    return done


@allow(SIGNED_IN)
async def sign_out_everywhere(ctx: Context) -> SignedOut:
    """End every session of the viewer, this one included."""
    async with ctx.writing() as db:
        done = SignedOut(await end_sessions(db, EndReason.SIGNED_OUT, Session.user_id == ctx.viewer.id))
        answers(db, done)
    return done


async def open_session(ctx: Context, db: AsyncSession, user: User) -> SignedIn:
    """Sign a person in, in the transaction that found out who they are; says so to answers()."""
    family = uuid4()
    fresh = issue(ctx.settings, Use.REFRESH, user.id, family)
    db.add(Session(family=family, user_id=user.id, refresh_jti=fresh.jti, door=ctx.door, expires_at=fresh.ends_at))
    signed_in = _signed_in(ctx, user, family, fresh)
    answers(db, signed_in)
    return signed_in


async def end_sessions(db: AsyncSession, reason: EndReason, *which: ColumnElement[bool]) -> int:
    """End the sessions that are still open, close what is connected by them, and tell how many these were."""
    ended = update(Session).where(Session.ended_at.is_(None), *which).values(ended_at=moment(), end_reason=reason).returning(Session)
    sessions = (await db.scalars(ended, execution_options={"synchronize_session": False})).all()
    for each in sessions:
        await announce(db, SessionEnded(each))
        db.info.setdefault(REVOKED, set()).add(each.user_id)
    if sessions:  # who signs out on a device must not read there what others are told
        await db.execute(delete(PushDevice).where(PushDevice.session.in_([each.family for each in sessions])))
    return len(sessions)


async def _admitted(ctx: Context, text: str) -> Token:
    said = read(ctx.settings, Use.REFRESH, text)
    await limit(ctx, "refresh", REFRESHES, by=f"family:{said.family}")
    return said


def _is_good(said: Token) -> tuple[ColumnElement[bool], ...]:
    is_active = select(User.id).where(User.id == Session.user_id, User.is_active).exists()
    return (
        Session.family == said.family,
        Session.user_id == said.user_id,
        Session.refresh_jti == said.jti,
        Session.ended_at.is_(None),
        Session.expires_at > moment(),
        is_active,
    )


def _signed_in(ctx: Context, user: User, family: UUID, fresh: Issued) -> SignedIn:
    access = issue(ctx.settings, Use.ACCESS, user.id, family)
    return SignedIn(access.text, fresh.text, access.ends_at, user)
