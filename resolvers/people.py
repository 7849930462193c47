"""What other domains need of a person."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import User


async def resource_of(db: AsyncSession, user_id: int) -> int:
    """What is reserved when this person is busy."""
    return (await db.scalars(select(User.resource_id).where(User.id == user_id))).one()
