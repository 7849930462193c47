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
_EVENT: dict[str, Any] = {
    "first_name": "John",
    "reference": "EV-2026-123",
    "event": "Morning Meditation Session",
    "day": "Friday, 15 January 2027",
    "hour": "7:00 AM",
    "until": "8:00 AM",
    "zone": "America/New_York",
    "place": "Wellness Center",
    "requirements": "Bring your own mat",
    "total": "25.00 USD",
    "overlaps": False,
}
_MEMBERSHIP: dict[str, Any] = {
    "first_name": "John",
    "plan": "Unlimited",
    "starts_on": "1 January 2027",
    "ends_on": "31 December 2027",
    "amount": "399.00 USD",
}

_PURCHASE: dict[str, Any] = {
    "first_name": "John",
    "reference": "ORD-2027-456",
    "items": "2 x Premium Face Serum, 178.00 USD\n1 x Beard Oil, 24.50 USD",
    "total": "202.50 USD",
    "pickup_on": "Saturday, 16 January 2027",
}

SAMPLES: Mapping[NotificationKind, Mapping[str, Any]] = {
    NotificationKind.BOOKING_RECEIVED: _BOOKING,
    NotificationKind.BOOKING_CONFIRMED: _BOOKING,
    NotificationKind.BOOKING_MOVED: _BOOKING,
    NotificationKind.BOOKING_CANCELLED: _BOOKING,
    NotificationKind.BOOKING_REMINDER: _BOOKING,
    NotificationKind.EVENT_BOOKED: _EVENT,
    NotificationKind.EVENT_LEFT: _EVENT,
    NotificationKind.EVENT_CHANGED: _EVENT,
    NotificationKind.EVENT_CANCELLED: {**_EVENT, "reason": "The teacher is ill."},
    NotificationKind.WAITLIST_OFFERED: {
        "first_name": "John",
        "what": "Morning Meditation Session",
        "seats": 2,
        "day": "Monday, 18 January 2027",
        "hour": "8:00 AM",
        "until": "Sunday, 17 January 2027, 6:30 PM",
        "zone": "America/New_York",
    },
    NotificationKind.EVENT_LEFT_OUT: {
        "first_name": "Jane",
        "event": "Monday Wind-down",
        "day": "Monday, 18 January 2027",
        "hour": "8:00 PM",
        "zone": "America/New_York",
    },
    NotificationKind.PAYMENT_RECEIPT: {
        "first_name": "John",
        "what": "AI Massage Therapy, CS-2026-123",
        "amount": "187.50 USD",
        "method": "visa •••• 4242",
        "day": "Friday, 15 January 2027",
    },
    NotificationKind.PAYMENT_REFUNDED: {
        "first_name": "John",
        "what": "AI Massage Therapy, CS-2026-123",
        "amount": "187.50 USD",
        "refunded": "50.00 USD",
    },
    NotificationKind.PAYMENT_DISPUTED: {
        "dispute": "dp_1Q2w3E4r5T",
        "state": "opened",
        "amount": "187.50 USD",
        "reason": "fraudulent",
        "answer_by": "15 January 2027, 14:00 UTC",
        "payment": "17, pi_3Q2w3E4r5T",
    },
    NotificationKind.PURCHASE_CONFIRMED: _PURCHASE,
    NotificationKind.PURCHASE_READY: _PURCHASE,
    NotificationKind.PURCHASE_CANCELLED: _PURCHASE,
    NotificationKind.STOCK_LOW: {"product": "Premium Face Serum", "number": 12, "stock": 5, "low_stock": 5},
    NotificationKind.CONCIERGE_UPDATED: {
        "first_name": "John",
        "reference": "CON-2027-789",
        "sentence": "We are looking for it",
        "said": "We know a shop in Osaka.",
        "price": "385.00 USD",
        "expected_on": "Friday, 15 January 2027",
    },
    NotificationKind.MEMBERSHIP_STARTED: {**_MEMBERSHIP, "credits": 4, "guests": 2},
    NotificationKind.MEMBERSHIP_UPGRADED: _MEMBERSHIP,
    NotificationKind.MEMBERSHIP_RENEWED: _MEMBERSHIP,
    NotificationKind.MEMBERSHIP_ENDING: {
        **_MEMBERSHIP,
        "auto_renew": True,
        "next_starts_on": "1 January 2028",
        "next_ends_on": "31 December 2028",
    },
    NotificationKind.MEMBERSHIP_ENDED: _MEMBERSHIP,
    NotificationKind.MEMBERSHIP_PAYMENT_FAILED: {**_MEMBERSHIP, "reason": "Your card was declined.", "next_try_on": "3 January 2028"},
    NotificationKind.GUEST_INVITED: {"guest": "Gus Guest", "host": "John", "good_until": "15 January 2027", "code": "GP-7QKM-2XWT"},
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
