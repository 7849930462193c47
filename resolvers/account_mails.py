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


async def tell_of_new_face(db: AsyncSession, user: User) -> None:
    """Tell a person that a face was enrolled for their account."""
    await _warn(db, user, "A face was enrolled for your account", "Your account can be recognised by a face from now on.")


async def tell_of_new_passkey(db: AsyncSession, user: User, name: str) -> None:
    """Tell a person that another device can sign in to their account."""
    await _warn(db, user, "A passkey was added to your account", f"Your account can be signed in to by the passkey {name!r} from now on.")


async def tell_of_copied_passkey(db: AsyncSession, user: User, name: str) -> None:
    """Tell a person that a passkey signed as only a copy of it would."""
    said = f"Somebody tried to sign in by a copy of your passkey {name!r}. Delete it and add a new one."
    await _warn(db, user, "A passkey of yours may have been copied", said)


async def _warn(db: AsyncSession, user: User, subject: str, said: str) -> None:
    """By mail, or to the phone of who has no e-mail address."""
    body = f"{said} {NOT_YOU}"
    if user.email is not None:
        await send(db, to=user.email, subject=subject, body=body, user_id=user.id)
    elif user.phone is not None:
        await send(db, to=user.phone, body=body, channel=Channel.SMS, user_id=user.id)
