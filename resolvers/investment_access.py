"""Who may see the investment portal: staff grant it and take it back, and the history keeps both."""

from dataclasses import dataclass

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import NotFound
from models.identity import Role, User, UserRole
from models.keys import Key
from resolvers.context import REVOKED, Context
from resolvers.idempotency import answers
from resolvers.investments import KEEPERS
from resolvers.operations import allow
from subscriptions.facts import announce
from subscriptions.investments import InvestmentAccessChanged


@dataclass
class InvestmentAccess:
    """A person, and whether they may see the portal."""

    person: User
    has_access: bool


@allow(*KEEPERS)
def list_investors(ctx: Context) -> Select[User]:
    """Everybody who may see the investment portal as an investor."""
    return select(User).where(User.id.in_(select(UserRole.user_id).where(UserRole.role == Role.INVESTOR))).order_by(User.id)


@allow(*KEEPERS)
async def grant_investment_access(ctx: Context, *, person_id: Key[User]) -> InvestmentAccess:
    """Let a person see the investment portal."""
    async with ctx.writing() as db:
        person = await _person(db, person_id)
        new = insert(UserRole).values(user_id=person.id, role=Role.INVESTOR, is_approved=True)
        made = await db.scalar(new.on_conflict_do_nothing(index_elements=["user_id", "role"]).returning(UserRole.id))
        if made is not None:
            await _tell(db, person, is_granted=True)
        access = InvestmentAccess(person, has_access=True)
        answers(db, access)
    return access


@allow(*KEEPERS)
async def revoke_investment_access(ctx: Context, *, person_id: Key[User]) -> InvestmentAccess:
    """Take the investment portal from a person at once; links that were signed for them end by themselves within minutes."""
    async with ctx.writing() as db:
        person = await _person(db, person_id)
        held = delete(UserRole).where(UserRole.user_id == person.id, UserRole.role == Role.INVESTOR).returning(UserRole.id)
        if (await db.scalars(held)).all():
            await _tell(db, person, is_granted=False)
        access = InvestmentAccess(person, has_access=False)
        answers(db, access)
    return access


async def _person(db: AsyncSession, id: Key[User]) -> User:
    person = await db.scalar(select(User).where(id.names(User)).with_for_update(key_share=True))
    if person is None:
        raise NotFound
    return person


async def _tell(db: AsyncSession, person: User, *, is_granted: bool) -> None:
    """Have every process ask anew what the person may do."""
    await announce(db, InvestmentAccessChanged(person.id, is_granted))
    db.info.setdefault(REVOKED, set()).add(person.id)
