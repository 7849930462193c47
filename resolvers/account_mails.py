"""What people are told about their own account, so that nobody takes it over unseen."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import User
from models.notifications import Channel, NotificationKind
from resolvers.notifications import write


async def tell_of_new_phone(db: AsyncSession, user: User, old: str | None) -> None:
    """Tell a person that their phone number was changed: by mail, or at the old number of who has no e-mail address."""
    if user.email is not None:
        await write(db, NotificationKind.PHONE_CHANGED, to=user.email, facts={}, user_id=user.id)
    elif old is not None:
        await write(db, NotificationKind.PHONE_CHANGED, to=old, facts={}, channel=Channel.SMS, user_id=user.id)


async def tell_of_new_email(db: AsyncSession, user: User, old: str | None) -> None:
    """Tell a person at the old address that it is not theirs any more here."""
    if old is not None:
        await write(db, NotificationKind.EMAIL_CHANGED, to=old, facts={}, user_id=user.id)


async def ask_to_confirm(db: AsyncSession, user: User, email: str, code: str, hours: int) -> None:
    """Send the code that proves that an address can be read."""
    await write(db, NotificationKind.EMAIL_CODE, to=email, facts={"code": code, "hours": hours}, user_id=user.id, code=code)


async def tell_of_known_address(db: AsyncSession, email: str) -> None:
    """Tell the owner of an address that somebody wanted it for another account; whoever asked is not told that it is known."""
    await write(db, NotificationKind.EMAIL_KNOWN, to=email, facts={})


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


async def tell_of_google(db: AsyncSession, user: User) -> None:
    """Tell a person that Google opens their account."""
    said = "Your account can be signed in to with your Google account from now on."
    await _warn(db, user, "Google was linked to your account", said)


async def _warn(db: AsyncSession, user: User, subject: str, said: str) -> None:
    """By mail, or to the phone of who has no e-mail address."""
    facts = {"subject": subject, "said": said}
    if user.email is not None:
        await write(db, NotificationKind.ACCOUNT_WARNING, to=user.email, facts=facts, user_id=user.id)
    elif user.phone is not None:
        await write(db, NotificationKind.ACCOUNT_WARNING, to=user.phone, facts=facts, channel=Channel.SMS, user_id=user.id)
