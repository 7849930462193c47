"""What people say about themselves when they register or change their profile."""

import strawberry

from resolvers.inputs.values import EmailAddress, PhoneNumber


@strawberry.input(description="A new account.")
class RegistrationInput:
    """What a new account needs."""

    email: EmailAddress = strawberry.field(description="E-mail address, unique whatever its case.")
    password: str = strawberry.field(description="8 to 128 characters, and not the e-mail address.")
    first_name: str = strawberry.field(default="", description="Given name.")
    last_name: str = strawberry.field(default="", description="Family name.")
    phone: PhoneNumber | None = strawberry.field(default=None, description="Phone number, unique.")


@strawberry.input(description="Changes of a profile; what is absent or null stays as it is.")
class ProfilePatch:
    """What people may change about themselves."""

    first_name: str | None = strawberry.field(default=None, description="Given name.")
    last_name: str | None = strawberry.field(default=None, description="Family name.")
    phone: PhoneNumber | None = strawberry.field(default=None, description="Phone number; changing it asks for the password.")
    email_notifications: bool | None = strawberry.field(default=None, description="Whether mails about bookings are wanted.")
    sms_notifications: bool | None = strawberry.field(default=None, description="Whether text messages are wanted.")
