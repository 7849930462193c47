"""Facts of our own making for every kind of message, so that staff can see how it looks, and tests that it can be worded."""

from collections.abc import Mapping
from typing import Any

from models.notifications import NotificationKind

_BOOKING: dict[str, Any] = {
    "first_name": "John",
    "reference": "CS-2026-123",
    "service": "AI Massage Therapy",
    "day": "Friday, 15 January 2027",
    "hour": "2:00 PM",
    "zone": "America/New_York",
    "place": "Mensuite Room A, CoreSync Manhattan, 118 Greene Street, New York, NY 10012",
    "total": "187.50 USD",
}
_MEMBERSHIP: dict[str, Any] = {
    "first_name": "John",
    "plan": "Unlimited",
    "starts_on": "1 January 2027",
    "ends_on": "31 December 2027",
    "amount": "399.00 USD",
}

SAMPLES: Mapping[NotificationKind, Mapping[str, Any]] = {
    NotificationKind.BOOKING_RECEIVED: _BOOKING,
    NotificationKind.BOOKING_CONFIRMED: _BOOKING,
    NotificationKind.BOOKING_MOVED: _BOOKING,
    NotificationKind.BOOKING_CANCELLED: _BOOKING,
    NotificationKind.BOOKING_REMINDER: _BOOKING,
    NotificationKind.PAYMENT_RECEIPT: {
        "first_name": "John",
        "what": "AI Massage Therapy, CS-2026-123",
        "amount": "187.50 USD",
        "method": "visa •••• 4242",
        "day": "Friday, 15 January 2027",
        "receipt_url": "https://pay.example.com/receipts/1",
    },
    NotificationKind.MEMBERSHIP_STARTED: _MEMBERSHIP,
    NotificationKind.MEMBERSHIP_UPGRADED: _MEMBERSHIP,
    NotificationKind.MEMBERSHIP_RENEWED: _MEMBERSHIP,
    NotificationKind.MEMBERSHIP_ENDING: {**_MEMBERSHIP, "auto_renew": True},
    NotificationKind.MEMBERSHIP_ENDED: _MEMBERSHIP,
    NotificationKind.MEMBERSHIP_PAYMENT_FAILED: {**_MEMBERSHIP, "reason": "Your card was declined.", "next_try_on": "3 January 2028"},
    NotificationKind.FORM_RECEIVED: {
        "reference": "CONT-2026-001",
        "form": "message",
        "name": "Ann Lee",
        "email": "ann@example.com",
        "phone": "+15550100",
        "about": "",
        "message": "Do you have evening appointments for two?",
    },
    NotificationKind.SPECIAL_OFFER: {
        "subject": "A warm hour in January",
        "heading": "A warm hour in January",
        "paragraphs": ["Dear John,", "all massages are twenty dollars less until the end of the month."],
        "button_label": "Book yours",
        "button_url": "https://app.example.com/offers",
    },
    NotificationKind.SECURITY_CODE: {"code": "123456", "minutes": 5},
    NotificationKind.EMAIL_CODE: {"code": "q7cWm3x", "hours": 24},
    NotificationKind.EMAIL_CHANGED: {},
    NotificationKind.EMAIL_KNOWN: {},
    NotificationKind.PHONE_CHANGED: {},
    NotificationKind.ACCOUNT_WARNING: {
        "subject": "A passkey was added to your account",
        "said": "Your account can be signed in to by the passkey 'Phone' from now on.",
    },
    NotificationKind.ACCOUNT_ERASED: {},
    NotificationKind.NEWSLETTER_CONFIRMATION: {
        "first_name": "John",
        "confirm_url": "https://api.example.com/newsletter/confirm?token=…",
        "days": 7,
    },
    NotificationKind.NEWSLETTER_WELCOME: {"first_name": "John"},
}
