"""Changing the e-mail address: asked for with the password, done once the new address has proved that it can be read."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from errors import BadUserInput
from models.identity import EmailChange, User
from resolvers.account_mails import ask_to_confirm, tell_of_known_address, tell_of_new_email
from resolvers.consents import move_consents
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.identity import confirm_password, naming_the_field
from resolvers.inputs.values import EmailAddress, require_reachable
from resolvers.limits import limit
from resolvers.operations import ANYONE, SIGNED_IN, allow

GOOD_HOURS = 24
REQUESTS, CONFIRMATIONS = "10/hour", "30/hour"


@dataclass(frozen=True)
class EmailChangeBegun:
    """Where the code went, and until when it is good."""

    email: EmailAddress
    expires_at: datetime


@dataclass(frozen=True)
class EmailConfirmed:
    """The address that is the account's from now on."""

    email: EmailAddress


@allow(SIGNED_IN, sensitive=True)
async def change_email(ctx: Context, *, new_email: EmailAddress, password: str) -> EmailChangeBegun:
    """Ask for another e-mail address; it is sent a code by which confirmEmail puts it in the place of the old one."""
    await limit(ctx, "change_email", REQUESTS)
    if not ctx.settings.is_demo:
        require_reachable(new_email)
    await confirm_password(ctx, password, "password")
    code, expires_at = secrets.token_urlsafe(24), ctx.now() + timedelta(hours=GOOD_HOURS)
    wanted = {"email": new_email, "code_hash": _hash(code), "expires_at": expires_at}
    begun = EmailChangeBegun(new_email, expires_at)
    async with ctx.writing() as db:
        user = await db.get_one(User, ctx.viewer.id)
        if await db.scalar(select(User.id).where(func.lower(User.email) == new_email)) is None:
            # One change at a time: what was asked for before is good no more.
            await db.execute(
                insert(EmailChange).values(user_id=user.id, **wanted).on_conflict_do_update(index_elements=["user_id"], set_=wanted)
            )
            await ask_to_confirm(db, user, new_email, code, GOOD_HOURS)
        else:
            await tell_of_known_address(db, new_email)
        answers(db, begun)
    return begun


@allow(ANYONE, sensitive=True)
async def confirm_email(ctx: Context, *, token: str) -> EmailConfirmed:
    """Put a new e-mail address in the place of the old one, by the code that was sent to it; the old one is told."""
    await limit(ctx, "confirm_email", CONFIRMATIONS)
    with naming_the_field():
        async with ctx.writing() as db:
            asked = select(EmailChange, User).join(User, User.id == EmailChange.user_id).with_for_update()
            found = (
                await db.execute(asked.where(EmailChange.code_hash == _hash(token), EmailChange.expires_at > ctx.now(), User.is_active))
            ).one_or_none()
            if found is None:
                raise BadUserInput(token="This code is not good, or not good any more.")  # noqa: S106 - a sentence
            change, user = found
            old, user.email = user.email, change.email
            await db.delete(change)
            await tell_of_new_email(db, user, old)
            if old is not None:
                await move_consents(db, old, change.email, ctx.now())
            done = EmailConfirmed(EmailAddress(change.email))
            answers(db, done)
    return done


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
