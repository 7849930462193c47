"""What clients see of what people are told, and of what they want to be told."""

from datetime import datetime

import strawberry

from models import notifications as tables
from models.notifications import Channel, NotificationKind, PushPlatform
from resolvers import notification_preferences, notifications, push_devices
from resolvers.notifications import NotificationEventKind
from schema.fields import Connection, Record, computed, operation, shows


@shows(tables.Notification)
class Notification(Record):
    """What a person finds in the app under the bell."""

    kind: NotificationKind
    title: str
    message: str
    action_url: str | None
    read_at: datetime | None
    is_read: bool = computed(["read_at"], lambda row: row["read_at"] is not None, "Whether it was read.")


@shows(tables.PushDevice)
class PushDevice(Record):
    """A device on which somebody is signed in and takes pushes; it goes with the sign-in."""

    platform: PushPlatform
    name: str


@strawberry.type(description="How one kind of message is wanted on one channel.")
class NotificationPreference:
    """One choice."""

    kind: NotificationKind = strawberry.field(description="Which kind of message.")
    channel: Channel = strawberry.field(description="On which channel.")
    is_wanted: bool = strawberry.field(description="Whether it is sent there, provided that the channel itself is wanted.")
    is_necessary: bool = strawberry.field(description="Whether it cannot be switched off.")


@strawberry.type(description="What somebody wants to be told on which channel.")
class NotificationPreferences:
    """Everything that was chosen, or left as it usually is."""

    email_notifications: bool = strawberry.field(description="Whether mails are wanted at all.")
    sms_notifications: bool = strawberry.field(description="Whether text messages are wanted at all.")
    push_notifications: bool = strawberry.field(description="Whether pushes are wanted at all.")
    booking_reminders: bool = strawberry.field(description="Whether reminders are wanted on any channel.")
    promotional_offers: bool = strawberry.field(description="Whether special offers by e-mail are agreed to.")
    kinds: list[NotificationPreference] = strawberry.field(description="The choices one by one.")


@strawberry.type(description="How many notifications were read at once.")
class NotificationsRead:
    """What reading all answers."""

    count: int = strawberry.field(description="How many were unread before.")


@strawberry.type(description="A message in every form that it may take.")
class Letter:
    """How a message looks."""

    subject: str = strawberry.field(description="Subject of the mail.")
    title: str = strawberry.field(description="Title in the app and of a push.")
    notice: str = strawberry.field(description="The message in the app, as a push and as a text message.")
    text: str = strawberry.field(description="The mail as plain text.")
    html: str = strawberry.field(description="The mail as HTML.")


strawberry.enum(NotificationEventKind)


@strawberry.type(description="Something that happened to a notification.")
class NotificationEvent:
    """An event of the log, with the notification as it is now."""

    cursor: str = strawberry.field(description="Where to go on after this event: give it as `after`.")
    kind: NotificationEventKind = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened.")
    notification: Notification | None = strawberry.field(description="The notification as it is now; none once it is gone.")


@strawberry.type
class NotificationQueries:
    """What the viewer was told, and wants to be told."""

    my_notifications: Connection[Notification] = operation(notifications.list_my_notifications)
    unread_notifications: int = operation(notifications.count_unread_notifications)
    my_notification_preferences: NotificationPreferences = operation(notification_preferences.get_notification_preferences)
    my_push_devices: list[PushDevice] = operation(push_devices.list_my_push_devices)
    letter_preview: Letter = operation(notifications.preview_letter)


@strawberry.type
class NotificationMutations:
    """Reading, and choosing what to be told."""

    mark_notification_read: Notification = operation(notifications.mark_notification_read)
    mark_all_notifications_read: NotificationsRead = operation(notifications.mark_all_notifications_read)
    update_notification_preferences: NotificationPreferences = operation(notification_preferences.update_notification_preferences)
    register_push_device: PushDevice = operation(push_devices.register_push_device)
    remove_push_device: list[PushDevice] = operation(push_devices.remove_push_device)


@strawberry.type
class NotificationSubscriptions:
    """Being told as it happens."""

    notification_events: NotificationEvent = operation(notifications.follow_notifications)
