"""Passkeys (WebAuthn): public keys of people's own devices, and the challenges that these have to sign."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SENSITIVE, Model, Visible


class Passkey(Visible):
    """A key pair that a device keeps for a person; only its public half is here."""

    __tablename__ = "passkeys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(info=SENSITIVE, doc="What its owner calls it.")
    credential_id: Mapped[str] = mapped_column(unique=True, doc="The device's own name for it, in base64url.")
    public_key: Mapped[str] = mapped_column(doc="The public key (COSE), in base64url.")
    sign_count: Mapped[int] = mapped_column(default=0, doc="How often it signed, as far as its device counts.")
    aaguid: Mapped[UUID] = mapped_column(doc="Which kind of device made it; zeros where it does not say.")
    transports: Mapped[list[str]] = mapped_column(default=list, doc="How its device can be reached, such as internal or usb.")
    is_backed_up: Mapped[bool] = mapped_column(
        default=False, doc="Whether it is kept in an account of its maker, and so on several devices."
    )
    used_at: Mapped[datetime | None] = mapped_column(doc="When it was last signed in with.")

    __table_args__ = (CheckConstraint("sign_count >= 0", name="sign_count"),)


class Ceremony(StrEnum):
    """What a challenge is for."""

    REGISTRATION = "registration"
    SIGN_IN = "sign_in"


class PasskeyChallenge(Model):
    """Random bytes that a device has to sign; deleted by the first answer, whether that is good or not."""

    __tablename__ = "passkey_challenges"
    __history__ = False

    challenge: Mapped[str] = mapped_column(unique=True, doc="The bytes, in base64url.")
    ceremony: Mapped[Ceremony]
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True, doc="Who registers a device; empty: signing in."
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True, doc="Until when an answer is taken.")
