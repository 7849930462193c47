"""People: accounts, roles, credentials and the sessions they sign in to."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, UniqueConstraint, and_, func, text
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from models.base import SENSITIVE, Model, Visible

if TYPE_CHECKING:
    from models.memberships import Membership
    from models.preferences import Preferences
    from models.scheduling import Resource


class Role(StrEnum):
    """What a person may be; one person holds any number of roles.

    CUSTOMER: Books and pays; everybody has it.
    PROVIDER: Gives services on the marketplace.
    MANAGEMENT: Runs a business on the marketplace.
    FACILITATOR: Holds events.
    PARTNER: Gives services at homes.
    SUPER_ADMIN: Works for the house and may do everything.
    ADMIN: Works for the house and runs it.
    SUPPORT: Works for the house and helps customers.
    FINANCE: Works for the house and looks after money.
    INVESTOR: Whom staff have let into the investment portal.
    """

    CUSTOMER = "customer"
    PROVIDER = "provider"
    MANAGEMENT = "management"
    FACILITATOR = "facilitator"
    PARTNER = "partner"
    INVESTOR = "investor"
    SUPER_ADMIN = "super_admin"
    ADMIN = "admin"
    SUPPORT = "support"
    FINANCE = "finance"


STAFF = frozenset({Role.SUPER_ADMIN, Role.ADMIN, Role.SUPPORT, Role.FINANCE})


class User(Visible):
    """A person with an account, whatever door they came in by."""

    __tablename__ = "users"

    email: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="E-mail address, unique whatever its case.")
    phone: Mapped[str | None] = mapped_column(unique=True, info=SENSITIVE, doc="Phone number: + and 7 to 15 digits.")
    first_name: Mapped[str] = mapped_column(default="", info=SENSITIVE, doc="Given name.")
    last_name: Mapped[str] = mapped_column(default="", info=SENSITIVE, doc="Family name.")
    is_active: Mapped[bool] = mapped_column(default=True, doc="False for an account that is blocked or erased.")
    email_notifications: Mapped[bool] = mapped_column(default=True, doc="Whether mails about bookings are wanted.")
    sms_notifications: Mapped[bool] = mapped_column(default=False, doc="Whether text messages are wanted.")
    push_notifications: Mapped[bool] = mapped_column(default=True, server_default=text("true"), doc="Whether pushes are wanted.")
    biometric_enabled: Mapped[bool] = mapped_column(default=False, doc="Whether a face is enrolled.")
    erased_at: Mapped[datetime | None] = mapped_column(doc="When the person was erased; what the books need of the row stays.")
    resource_id: Mapped[int] = mapped_column(ForeignKey("resources.id"), unique=True, doc="What is reserved when this person is busy.")

    resource: Mapped["Resource"] = relationship(lazy="raise")
    roles: Mapped[list["UserRole"]] = relationship(lazy="raise", viewonly=True, order_by="UserRole.role")
    memberships: Mapped[list["Membership"]] = relationship(
        lazy="raise", back_populates="user", order_by="Membership.id.desc()", doc="Memberships, newest first."
    )

    preferences: Mapped["Preferences | None"] = relationship(lazy="raise", viewonly=True, doc="How they like a room, once they said so.")

    membership: Mapped["Membership | None"] = relationship(
        lazy="raise", viewonly=True, uselist=False, primaryjoin=lambda: _has_current(), doc="The membership that counts now, if any."
    )

    __table_args__ = (Index("uq_users_email_lower", func.lower(email), unique=True),)


def _has_current() -> ColumnElement[bool]:
    # Imported late, since memberships point back at people.
    from models.memberships import Membership, is_current

    return and_(User.id == foreign(Membership.user_id), is_current(Membership))


class UserRole(Model):
    """One role of one person."""

    __tablename__ = "user_roles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role: Mapped[Role]
    is_approved: Mapped[bool] = mapped_column(default=True, doc="Open registrations of management wait for approval.")

    __table_args__ = (UniqueConstraint("user_id", "role"),)


class CredentialKind(StrEnum):
    """How a person can prove who they are; passkeys and faces have tables of their own."""

    PASSWORD = "password"  # noqa: S105 - a kind, not a password
    OTP = "otp"
    GOOGLE = "google"
    TOTP = "totp"


class Credential(Model):
    """One proof of identity; `secret` is a hash, never the thing itself."""

    __tablename__ = "credentials"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[CredentialKind]
    secret: Mapped[str] = mapped_column(info=SENSITIVE)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict, info=SENSITIVE)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_credentials_password", "user_id", unique=True, postgresql_where=text("kind = 'password'")),
        Index("uq_credentials_google", "secret", unique=True, postgresql_where=text("kind = 'google'")),
    )


class Session(Model):
    """A sign-in: the family of refresh tokens that grew out of it. Ended by logout, reuse or expiry."""

    __tablename__ = "sessions"
    __history__ = False

    family: Mapped[UUID] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    refresh_jti: Mapped[UUID] = mapped_column(doc="The only refresh token of the family that is still good.")
    door: Mapped[str] = mapped_column(default="graphql")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class EmailChange(Model):
    """An e-mail address that a person asked for and has not confirmed yet; one at a time."""

    __tablename__ = "email_changes"
    __history__ = False

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    email: Mapped[str] = mapped_column(info=SENSITIVE, doc="The new address.")
    code_hash: Mapped[str] = mapped_column(unique=True, doc="SHA-256 of the code that was sent there.")
    expires_at: Mapped[datetime] = mapped_column(doc="Until when the code is good.")


class SignInFailure(Model):
    """Failed sign-ins per subject (account or address); decides on lockout."""

    __tablename__ = "sign_in_failures"
    __history__ = False

    subject: Mapped[str] = mapped_column(unique=True, doc="Keyed hash of the account or address.")
    failures: Mapped[int] = mapped_column(default=0)
    window_ends_at: Mapped[datetime]
    locked_until: Mapped[datetime | None]
