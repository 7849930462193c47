"""What people say about what they want to be told, and where."""

import strawberry

from models.notifications import Channel, NotificationKind

strawberry.enum(Channel)


@strawberry.input(description="Whether one kind of message is wanted on one channel.")
class KindPreference:
    """One choice."""

    kind: NotificationKind = strawberry.field(description="Which kind of message.")
    channel: Channel = strawberry.field(description="On which channel.")
    is_wanted: bool = strawberry.field(description="Whether it is wanted there.")


@strawberry.input(description="Changes of what somebody wants to be told; what is absent or null stays as it is.")
class NotificationPreferencesPatch:
    """What people may choose."""

    email_notifications: bool | None = strawberry.field(default=None, description="Whether mails are wanted at all.")
    sms_notifications: bool | None = strawberry.field(default=None, description="Whether text messages are wanted at all.")
    push_notifications: bool | None = strawberry.field(default=None, description="Whether pushes are wanted at all.")
    booking_reminders: bool | None = strawberry.field(default=None, description="Whether reminders are wanted, on all channels.")
    promotional_offers: bool | None = strawberry.field(default=None, description="Whether special offers by e-mail are agreed to.")
    kinds: list[KindPreference] | None = strawberry.field(default=None, description="Single choices, 100 at most.")
