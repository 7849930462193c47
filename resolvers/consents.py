"""Consents to mails: given and taken back by an address, each with its time and source."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.newsletter import ConsentPurpose, ConsentSource, MarketingConsent


async def give_consent(db: AsyncSession, email: str, purpose: ConsentPurpose, source: ConsentSource, at: datetime) -> None:
    """Write down that an address agrees; who agreed already did so by what they did then."""
    row = insert(MarketingConsent).values(email=email.lower(), purpose=purpose, source=source, given_at=at)
    current = MarketingConsent.withdrawn_at.is_(None)
    await db.execute(row.on_conflict_do_nothing(index_elements=["email", "purpose"], index_where=current))


async def withdraw_consent(
    db: AsyncSession, email: str, source: ConsentSource, at: datetime, purpose: ConsentPurpose | None = None
) -> list[ConsentPurpose]:
    """Write down that an address agrees no more, to one purpose or to any; tells to which it had agreed."""
    current = update(MarketingConsent).where(MarketingConsent.email == email.lower(), MarketingConsent.withdrawn_at.is_(None))
    if purpose is not None:
        current = current.where(MarketingConsent.purpose == purpose)
    ended = current.values(withdrawn_at=at, withdrawn_by=source).returning(MarketingConsent.purpose)
    return list((await db.scalars(ended, execution_options={"synchronize_session": False})).all())


async def move_consents(db: AsyncSession, old: str, new: str, at: datetime) -> None:
    """Let consents follow a person to their new address."""
    held = select(MarketingConsent).where(MarketingConsent.email == old.lower(), MarketingConsent.withdrawn_at.is_(None))
    for each in (await db.scalars(held)).all():
        await withdraw_consent(db, old, ConsentSource.ADDRESS_CHANGED, at, each.purpose)
        await give_consent(db, new, each.purpose, ConsentSource.ADDRESS_CHANGED, at)
