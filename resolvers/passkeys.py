"""Passkeys (WebAuthn): signing in by a key that a device keeps, and opens by its owner's face, finger or PIN."""

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import webauthn
from sqlalchemy import Executable, Select, delete, func, or_, select, update
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from errors import BadUserInput, Conflict, InvalidCredentials, NotFound
from models.identity import User
from models.keys import Key
from models.passkeys import Ceremony, Passkey, PasskeyChallenge
from resolvers.account_mails import tell_of_copied_passkey, tell_of_new_passkey
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.identity import confirm_owner
from resolvers.inputs.scalars import Json
from resolvers.inputs.values import parse_text
from resolvers.limits import limit
from resolvers.operations import ANYONE, SIGNED_IN, allow
from resolvers.passkey_domain import origins, relying_party
from resolvers.sessions import SignedIn, open_session

PasskeyId = Key[Passkey]
CEREMONIES = "60/minute"
GOOD_FOR = timedelta(minutes=5)
MOST_PASSKEYS, LONGEST_NAME, MOST_TRANSPORTS = 20, 60, 10
NOT_ACCEPTED = "This passkey was not accepted."
JUNK = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, struct.error, OverflowError)
"""What the library raises for an answer that no device has made."""


@dataclass
class PasskeyCeremony:
    """What a browser is to be given, and until when its answer is taken."""

    options: Json
    expires_at: datetime


@allow(SIGNED_IN)
def list_my_passkeys(ctx: Context) -> Select[Passkey]:
    """The viewer's passkeys, newest first."""
    return select(Passkey).where(Passkey.user_id == ctx.viewer.id).order_by(Passkey.id.desc())


@allow(SIGNED_IN, sensitive=True)
async def begin_passkey_registration(ctx: Context, *, password: str | None = None) -> PasskeyCeremony:
    """Options for navigator.credentials.create(): a new passkey of the viewer's on the device before them."""
    domain = relying_party(ctx.settings)
    await limit(ctx, "passkeys", CEREMONIES)
    await confirm_owner(ctx, password)
    [person] = await ctx.fetch(select(User.uuid, User.email, User.phone, User.first_name, User.last_name).where(User.id == ctx.viewer.id))
    held = await ctx.fetch(select(Passkey.credential_id).where(Passkey.user_id == ctx.viewer.id))
    if len(held) >= MOST_PASSKEYS:
        raise Conflict(f"An account has {MOST_PASSKEYS} passkeys at most; delete one first.")
    options = webauthn.generate_registration_options(
        rp_id=domain,
        rp_name=domain,
        user_id=person["uuid"].bytes,
        user_name=person["email"] or person["phone"] or str(ctx.viewer.id),
        user_display_name=f"{person['first_name']} {person['last_name']}".strip(),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(row["credential_id"])) for row in held],
    )
    return await _begun(ctx, Ceremony.REGISTRATION, options, ctx.viewer.id)


@allow(SIGNED_IN, sensitive=True)
async def finish_passkey_registration(ctx: Context, *, credential: Json, name: str = "Passkey") -> Passkey:
    """Keep the passkey that navigator.credentials.create() has made."""
    domain = relying_party(ctx.settings)
    name = parse_text(name, "name", longest=LONGEST_NAME) or "Passkey"
    await limit(ctx, "passkeys", CEREMONIES)
    challenge = await _taken(ctx, Ceremony.REGISTRATION, credential, ctx.viewer.id)
    if challenge is None:
        raise BadUserInput(credential=NOT_ACCEPTED)
    answer: Any = credential
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=domain,
            expected_origin=origins(ctx.settings, _origin(answer)),
            require_user_verification=True,
        )
        told = answer["response"].get("transports") or []
        transports = [str(each)[:LONGEST_NAME] for each in told][:MOST_TRANSPORTS]
        kind = UUID(made.aaguid)
    except JUNK:
        raise BadUserInput(credential=NOT_ACCEPTED) from None
    passkey = Passkey(
        user_id=ctx.viewer.id,
        name=name,
        credential_id=bytes_to_base64url(made.credential_id),
        public_key=bytes_to_base64url(made.credential_public_key),
        sign_count=made.sign_count,
        aaguid=kind,
        transports=transports,
        is_backed_up=made.credential_backed_up,
    )
    async with ctx.writing() as db:
        user = await db.get_one(User, ctx.viewer.id, with_for_update=True)
        if (await db.scalar(select(func.count(Passkey.id)).where(Passkey.user_id == user.id)) or 0) >= MOST_PASSKEYS:
            raise Conflict(f"An account has {MOST_PASSKEYS} passkeys at most; delete one first.")
        db.add(passkey)
        await tell_of_new_passkey(db, user, name)
        answers(db, passkey)
    return passkey


@allow(ANYONE, sensitive=True)
async def begin_passkey_sign_in(ctx: Context) -> PasskeyCeremony:
    """Options for navigator.credentials.get(): the device shows which of its passkeys belong here, and nobody types a name."""
    domain = relying_party(ctx.settings)
    await limit(ctx, "passkeys", CEREMONIES)
    options = webauthn.generate_authentication_options(rp_id=domain, user_verification=UserVerificationRequirement.REQUIRED)
    return await _begun(ctx, Ceremony.SIGN_IN, options, None)


@allow(ANYONE, sensitive=True)
async def finish_passkey_sign_in(ctx: Context, *, credential: Json) -> SignedIn:
    """Sign in by what navigator.credentials.get() has answered."""
    domain = relying_party(ctx.settings)
    await limit(ctx, "passkeys", CEREMONIES)
    challenge = await _taken(ctx, Ceremony.SIGN_IN, credential, None)
    answer: Any = credential
    found = await ctx.fetch(_named(answer)) if challenge is not None else []
    if challenge is None or not found:
        raise InvalidCredentials(NOT_ACCEPTED)
    known = found[0]
    try:
        signed = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=domain,
            expected_origin=origins(ctx.settings, _origin(answer)),
            credential_public_key=base64url_to_bytes(known["public_key"]),
            credential_current_sign_count=0,  # compared below, where no twin can come between
            require_user_verification=True,
        )
        if base64url_to_bytes(answer["response"]["userHandle"]) != known["user_uuid"].bytes:
            raise InvalidCredentials(NOT_ACCEPTED)
    except JUNK:
        raise InvalidCredentials(NOT_ACCEPTED) from None
    count = signed.new_sign_count
    counted = (
        update(Passkey)
        .where(Passkey.id == known["id"], or_(Passkey.sign_count < count, (Passkey.sign_count == 0) & (count == 0)))
        .values(sign_count=count, used_at=ctx.now(), is_backed_up=signed.credential_backed_up)
        .returning(Passkey.id)
    )
    async with ctx.writing() as db:
        user = await db.scalar(select(User).where(User.id == known["user_id"], User.is_active).with_for_update(read=True))
        if user is not None:
            if await db.scalar(counted) is not None:
                return await open_session(ctx, db, user)
            if await db.scalar(select(Passkey.id).where(Passkey.id == known["id"])) is not None:
                await tell_of_copied_passkey(db, user, known["name"])
    raise InvalidCredentials(NOT_ACCEPTED)


@allow(SIGNED_IN)
async def rename_passkey(ctx: Context, *, id: PasskeyId, name: str) -> Passkey:
    """Call a passkey of the viewer's something else."""
    name = parse_text(name, "name", longest=LONGEST_NAME)
    if not name:
        raise BadUserInput(name="This field is required.")
    async with ctx.writing() as db:
        passkey = await db.scalar(list_my_passkeys(ctx).where(id.names(Passkey)).with_for_update())
        if passkey is None:
            raise NotFound
        passkey.name = name
        answers(db, passkey)
    return passkey  # type: ignore[no-any-return]  # operations are called without their types


@allow(SIGNED_IN)
async def delete_passkey(ctx: Context, *, id: PasskeyId) -> list[Passkey]:
    """Delete a passkey of the viewer's; answers those that are left."""
    async with ctx.writing() as db:
        gone = delete(Passkey).where(Passkey.user_id == ctx.viewer.id, id.names(Passkey)).returning(Passkey.id)
        if await db.scalar(gone) is None:
            raise NotFound
        left = list(await db.scalars(list_my_passkeys(ctx)))
        answers(db, left)
    return left


async def _begun(ctx: Context, ceremony: Ceremony, options: Any, user_id: int | None) -> PasskeyCeremony:
    """Remember the challenge where every process finds it."""
    until = ctx.now() + GOOD_FOR
    done = PasskeyCeremony(Json(orjson.loads(webauthn.options_to_json(options))), until)
    async with ctx.writing() as db:
        db.add(PasskeyChallenge(challenge=bytes_to_base64url(options.challenge), ceremony=ceremony, user_id=user_id, expires_at=until))
        answers(db, done)
    return done


async def _taken(ctx: Context, ceremony: Ceremony, credential: Any, user_id: int | None) -> bytes | None:
    """The challenge that an answer signs, which is good no more from now on, whatever comes of it; none when it is not good."""
    try:
        challenge = _client_data(credential).challenge
    except JUNK:
        return None
    which = (
        PasskeyChallenge.challenge == bytes_to_base64url(challenge),
        PasskeyChallenge.ceremony == ceremony,
        PasskeyChallenge.user_id.is_not_distinct_from(user_id),
    )
    async with ctx.writing() as db:
        until = await db.scalar(delete(PasskeyChallenge).where(*which).returning(PasskeyChallenge.expires_at))
    return challenge if until is not None and until > ctx.now() else None


def _client_data(credential: Any) -> Any:
    return parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))


def _origin(credential: Any) -> str:
    return str(_client_data(credential).origin)


def _named(credential: Any) -> Executable:
    """The passkey that an answer names, with whose it is."""
    name = credential.get("id")
    return (
        select(Passkey.id, Passkey.user_id, Passkey.name, Passkey.public_key, User.uuid.label("user_uuid"))
        .join(User, User.id == Passkey.user_id)
        .where(Passkey.credential_id == (name if isinstance(name, str) else ""), User.is_active)
    )
