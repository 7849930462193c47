"""Blocking accounts: at once, with a reason, and taken back the same way."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.accounts import AccountBlock
from models.identity import STAFF, Role, Session, User, UserRole
from models.keys import Key
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.values import parse_text
from resolvers.operations import allow
from resolvers.sessions import EndReason, end_sessions

UserId = Key[User]
LONGEST_REASON = 500


@allow(*STAFF)
def list_account_blocks(ctx: Context, *, user_id: UserId | None = None) -> Select[AccountBlock]:
    """When accounts were blocked and why, newest first; what is not lifted holds."""
    found = select(AccountBlock).order_by(AccountBlock.id.desc())
    return found if user_id is None else found.where(AccountBlock.user_id == user_id.of(User))


@allow(Role.SUPER_ADMIN, Role.ADMIN, Role.SUPPORT)
async def block_account(ctx: Context, *, id: UserId, reason: str) -> AccountBlock:
    """Block an account: its sessions end at once, and nobody signs in to it; of staff only a super admin may."""
    reason = _reason(reason)
    async with ctx.writing() as db:
        user = await _access(ctx, db, id)
        if not user.is_active:
            raise Conflict("This account is blocked already.")
        user.is_active = False
        block = AccountBlock(user_id=user.id, reason=reason, blocked_by_id=ctx.viewer.id)
        db.add(block)
        await end_sessions(db, EndReason.BLOCKED, Session.user_id == user.id)
        await db.flush()
        answers(db, block)
    return block


@allow(Role.SUPER_ADMIN, Role.ADMIN, Role.SUPPORT)
async def unblock_account(ctx: Context, *, id: UserId, reason: str) -> AccountBlock:
    """Let an account be used again; whoever it belongs to signs in anew."""
    reason = _reason(reason)
    async with ctx.writing() as db:
        user = await _access(ctx, db, id)
        block = await db.scalar(select(AccountBlock).where(AccountBlock.user_id == user.id, AccountBlock.lifted_at.is_(None)))
        if block is None:
            raise Conflict("This account is not blocked.")
        # A sign-in that was under way when the account was blocked may have opened one since.
        await end_sessions(db, EndReason.BLOCKED, Session.user_id == user.id)
        user.is_active = True
        block.lifted_at, block.lifted_by_id, block.lift_reason = ctx.now(), ctx.viewer.id, reason
        answers(db, block)
    return block


async def _access(ctx: Context, db: AsyncSession, id: UserId) -> User:
    """The account, locked; it is not one's own, nor that of a colleague, unless a super admin asks."""
    user = await db.scalar(select(User).where(id.names(User), User.erased_at.is_(None)).with_for_update())
    if user is None:
        raise NotFound
    if user.id == ctx.viewer.id:
        raise Conflict("Nobody blocks themselves.")
    roles = await db.scalars(select(UserRole.role).where(UserRole.user_id == user.id, UserRole.is_approved))
    if STAFF & set(roles) and Role.SUPER_ADMIN not in ctx.viewer.roles:
        raise Forbidden
    return user


def _reason(text: str) -> str:
    reason = parse_text(text, "reason", longest=LONGEST_REASON)
    if not reason:
        raise BadUserInput(reason="This field is required.")
    return reason
