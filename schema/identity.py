"""What clients see of people: themselves wholly, others by their first name."""

from datetime import datetime

import strawberry
from sqlalchemy import ARRAY, ColumnElement, Text, func, select

from models import identity as tables
from models.identity import Role, UserRole
from resolvers import email_changes, identity, memberships, sessions
from resolvers.inputs.values import EmailAddress, PhoneNumber
from schema.fields import Record, column, expression, operation, related, shows
from schema.memberships import Membership


def _roles(user: type[tables.User]) -> ColumnElement[list[str]]:
    held = select(UserRole.role).where(UserRole.user_id == user.id, UserRole.is_approved).order_by(UserRole.role)
    return func.array(held.correlate(user).scalar_subquery(), type_=ARRAY(Text))


@shows(tables.User)
class User(Record):
    """The viewer's own account; nobody else sees it."""

    email: EmailAddress | None
    phone: PhoneNumber | None
    first_name: str
    last_name: str
    is_active: bool
    roles: list[Role] = expression(_roles, "What the person may do; roles that wait for approval are left out.")
    email_notifications: bool
    sms_notifications: bool
    push_notifications: bool
    biometric_enabled: bool
    membership_status: str = expression(memberships.status_of, "none, the plan's tier (standard or premium), or expired.")
    is_member: bool = expression(memberships.is_member, "Whether a membership counts now.")
    membership: Membership | None = related("membership")


@shows(tables.User, with_keys=False)
class Person(Record):
    """Somebody as others see them."""

    number: int = column("id")
    first_name: str


@strawberry.type(description="Tokens of a session, and whose it is.")
class SignedIn:
    """What signing in answers."""

    access_token: str = strawberry.field(description="Good for 15 minutes; sent as Authorization: Bearer.")
    refresh_token: str = strawberry.field(description="Good once, for 7 days, to get new tokens.")
    expires_at: datetime = strawberry.field(description="When the access token ends.")
    user: User = strawberry.field(description="Who is signed in.")


@strawberry.type(description="An access token alone.")
class Renewed:
    """What renewing an access token answers."""

    access_token: str = strawberry.field(description="Good for 15 minutes; sent as Authorization: Bearer.")
    expires_at: datetime = strawberry.field(description="When the access token ends.")


@strawberry.type(description="What signing out did.")
class SignedOut:
    """What signing out answers."""

    ended: int = strawberry.field(description="How many sessions were ended.")


@strawberry.type(description="A new e-mail address that waits to be confirmed.")
class EmailChangeBegun:
    """What asking for another address answers, whether or not it can be had."""

    email: EmailAddress = strawberry.field(description="Where the code was sent.")
    expires_at: datetime = strawberry.field(description="Until when the code is good.")


@strawberry.type(description="An e-mail address that was confirmed.")
class EmailConfirmed:
    """What confirming an address answers."""

    email: EmailAddress = strawberry.field(description="The account's address from now on.")


@strawberry.type
class IdentityQueries:
    """Who is asking."""

    me: User = operation(identity.me)


@strawberry.type
class IdentityMutations:
    """Opening accounts, signing in and out, and what people change about themselves."""

    register: SignedIn = operation(identity.register)
    sign_in: SignedIn = operation(identity.sign_in)
    refresh_token: SignedIn = operation(sessions.refresh_token)
    sign_out: SignedOut = operation(sessions.sign_out)
    sign_out_everywhere: SignedOut = operation(sessions.sign_out_everywhere)
    update_profile: User = operation(identity.update_profile)
    change_password: User = operation(identity.change_password)
    change_email: EmailChangeBegun = operation(email_changes.change_email)
    confirm_email: EmailConfirmed = operation(email_changes.confirm_email)


@strawberry.type
class OlderIdentityMutations:
    """What only the older systems' doors may do, since their documents say so."""

    renew_access_token: Renewed = operation(sessions.renew_access_token)
