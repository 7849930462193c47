"""Faces of people: enrolling one with consent, signing in by it, deleting it. What it proves: docs/faces.md."""

import secrets
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, FacesOff, InvalidCredentials
from gateways.faces import Template
from models.faces import Face, FaceConsent, FaceUse
from models.identity import User
from resolvers.account_mails import tell_of_new_face
from resolvers.authentication import hash_token
from resolvers.context import Context
from resolvers.face_matching import about, recognise
from resolvers.idempotency import answers
from resolvers.identity import confirm_owner
from resolvers.inputs.faces import BiometricType
from resolvers.limits import limit, network
from resolvers.lockout import guarded
from resolvers.operations import ANYONE, SIGNED_IN, allow
from resolvers.sealing import Sealed, Unreadable, present_key, seal, unseal
from resolvers.sessions import SignedIn, open_session
from settings import FaceLogin

ENROLMENTS, SIGN_INS = "10/hour", "10/hour"
PURPOSE = "Recognise me by my face when I sign in and when I check in."
CONSENT_VERSION = "2026-11"
"""Of the wording in docs/faces.md; changes whenever what is done with faces does."""
UNKNOWN = "This face was not recognised."

log = structlog.get_logger()


@dataclass
class FaceRegistered:
    """A face was enrolled; the token makes the device that did it the person's second proof."""

    device_token: str
    user: User
    consent: FaceConsent


@allow(SIGNED_IN)
def get_my_face(ctx: Context) -> Select[Face]:
    """Whether and when the viewer's face was enrolled; none when it is not."""
    return select(Face).where(Face.user_id == ctx.viewer.id)


@allow(SIGNED_IN)
def list_my_face_consents(ctx: Context) -> Select[FaceConsent]:
    """What the viewer allowed about their face, newest first."""
    return select(FaceConsent).where(FaceConsent.user_id == ctx.viewer.id).order_by(FaceConsent.id.desc())


@allow(SIGNED_IN, sensitive=True)
async def register_face(
    ctx: Context,
    *,
    face_data: str,
    consent: bool,
    biometric_type: BiometricType = BiometricType.FACE_RECOGNITION,
    password: str | None = None,
) -> FaceRegistered:
    """Enrol the viewer's face in place of any earlier one; the picture becomes a template and is not kept."""
    if not consent:
        raise BadUserInput(consent="A face is only kept of who allows it.")
    await limit(ctx, "register_face", ENROLMENTS)
    await confirm_owner(ctx, password)
    template = await ctx.gateways.faces.read(face_data)
    device_token = secrets.token_urlsafe(32)
    given = FaceConsent(user_id=ctx.viewer.id, purpose=PURPOSE, version=CONSENT_VERSION, door=ctx.door)
    async with ctx.writing() as db:
        user = await db.get_one(User, ctx.viewer.id, with_for_update=True)
        await _forget(ctx, db, user)
        db.add_all([await _enrolled(ctx, db, template, device_token), given])
        user.biometric_enabled = True
        await tell_of_new_face(db, user)
        await db.flush()
        done = FaceRegistered(device_token, user, given)
        answers(db, done)
    return done


@allow(SIGNED_IN)
async def delete_my_face(ctx: Context) -> User:
    """Delete the viewer's face, and take their consent back."""
    async with ctx.writing() as db:
        user = await db.get_one(User, ctx.viewer.id, with_for_update=True)
        await _forget(ctx, db, user)
        answers(db, user)
    return user


@allow(ANYONE, sensitive=True)
async def sign_in_with_face(ctx: Context, *, face_data: str, device_token: str | None = None) -> SignedIn:
    """Sign in by a face, and outside demo mode by the device that enrolled it too."""
    if ctx.settings.face_login_is is FaceLogin.OFF:
        raise FacesOff
    if ctx.settings.face_login_is is FaceLogin.DEVICE and not device_token:
        raise BadUserInput(device_token="This field is required.")  # noqa: S106 - a sentence
    await limit(ctx, "face_sign_in", SIGN_INS, by=network(ctx.address))
    device = hash_token(device_token) if device_token else None
    whose: list[ColumnElement[bool]] = [Face.device_hash == device] if device else []
    template = await ctx.gateways.faces.read(face_data)
    async with guarded(ctx, f"face {device or network(ctx.address)}"):
        verdict = await recognise(ctx, FaceUse.SIGN_IN, template, *whose)
        if verdict.user_id is None:
            async with ctx.writing() as db:
                db.add(verdict.check)
            raise InvalidCredentials(UNKNOWN)
    async with ctx.writing() as db:
        # Unless it was deleted or replaced, or its owner blocked, since it was compared.
        same = select(User).join(Face, Face.user_id == User.id).where(Face.id == verdict.face_id, Face.template == verdict.template)
        user = await db.scalar(same.where(User.is_active).with_for_update(of=User, read=True))
        if user is None:
            raise InvalidCredentials(UNKNOWN)
        db.add(verdict.check)
        return await open_session(ctx, db, user)


async def _forget(ctx: Context, db: AsyncSession, user: User) -> None:
    """Delete a person's face, if there is one, and note that their consent is over."""
    await db.execute(delete(Face).where(Face.user_id == user.id))
    over = update(FaceConsent).where(FaceConsent.user_id == user.id, FaceConsent.withdrawn_at.is_(None))
    await db.execute(over.values(withdrawn_at=ctx.now()))
    user.biometric_enabled = False


async def _enrolled(ctx: Context, db: AsyncSession, template: Template, device_token: str) -> Face:
    """A new row, whose number must be known before its template can be encrypted for it."""
    number = await db.scalar(select(func.nextval(func.pg_get_serial_sequence(Face.__tablename__, "id"))))
    sealed = seal(ctx.settings, about(int(number or 0), ctx.viewer.id), template.data)
    return Face(
        id=number,
        user_id=ctx.viewer.id,
        matcher=template.matcher,
        template=sealed.text,
        key_id=sealed.key_id,
        device_hash=hash_token(device_token),
    )


async def reseal_faces(ctx: Context) -> None:
    """Encrypt templates anew that are still under an earlier key."""
    older = select(Face).where(Face.key_id != present_key(ctx.settings)).order_by(Face.id)
    last = 0
    while True:
        async with ctx.writing() as db:
            face = await db.scalar(older.where(Face.id > last).limit(1).with_for_update(skip_locked=True))
            if face is None:
                return
            last, row = face.id, about(face.id, face.user_id)
            try:
                sealed = seal(ctx.settings, row, unseal(ctx.settings, row, Sealed(face.key_id, face.template)))
            except Unreadable as error:
                log.error("face.unreadable", reason=str(error))
                continue
            face.template, face.key_id = sealed.text, sealed.key_id
