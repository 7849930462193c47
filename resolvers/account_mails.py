"""What people are told about their own account, so that nobody takes it over unseen."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import User
from models.notifications import Channel
from resolvers.notifications import send

NOT_YOU = "If this was not you, change your password at once and tell us."


async def tell_of_new_phone(db: AsyncSession, user: User, old: str | None) -> None:
    """Tell a person that their phone number was changed: by mail, or at the old number of who has no e-mail address."""
    said = f"The phone number of your account was changed. {NOT_YOU}"
    if user.email is not None:
        await send(db, to=user.email, subject="Your phone number was changed", body=said, user_id=user.id)
    elif old is not None:
        await send(db, to=old, body=said, channel=Channel.SMS, user_id=user.id)


async def tell_of_new_email(db: AsyncSession, user: User, old: str | None) -> None:
    """Tell a person at the old address that it is not theirs any more here."""
    if old is not None:
        said = f"Your account has another e-mail address from now on. {NOT_YOU}"
        await send(db, to=old, subject="Your e-mail address was changed", body=said, user_id=user.id)


async def ask_to_confirm(db: AsyncSession, user: User, email: str, code: str, hours: int) -> None:
    """Send the code that proves that an address can be read."""
    said = (
        f"Confirm that this is your new e-mail address by this code: {code}\n\nIt is good for {hours} hours. Ignore it if it was not you."
    )
    await send(db, to=email, subject="Confirm your new e-mail address", body=said, user_id=user.id, code=code)


async def tell_of_known_address(db: AsyncSession, email: str) -> None:
    """Tell the owner of an address that somebody wanted it for another account; whoever asked is not told that it is known."""
    said = "Somebody wanted to use this e-mail address for their account, but it belongs to yours already. Nothing was changed."
    await send(db, to=email, subject="You have an account with us already", body=said)
