"""What the demo has told people, what they wrote, and a campaign that was sent."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import ASHA, FIRST_GUEST, JOHN
from demo.world import World, put
from models.bookings import Booking
from models.campaigns import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus, Segment
from models.forms import FormKind, FormStatus, FormSubmission
from models.identity import User
from models.newsletter import ConsentPurpose, ConsentSource, MarketingConsent, NewsletterSubscription, SubscriptionStatus
from models.notifications import Notification, NotificationKind
from resolvers.letters import spell_day, spell_hour, write_letter
from resolvers.samples import SAMPLES

READERS = 60
"""So many guests have agreed to news and offers."""
WRITTEN = [
    ("Nora Blum", "nora.blum@example.com", "Do you have evening appointments for two people at once?", FormStatus.NEW),
    ("Ben Ortiz", "ben.ortiz@example.com", "I left a blue scarf in room 2 last Friday. Did anybody find it?", FormStatus.IN_PROGRESS),
    ("Lina Sato", "lina.sato@example.com", "Can I bring my mother along with a guest pass?", FormStatus.DONE),
    ("Best SEO", "rank@example.net", "http://a.example http://b.example http://c.example http://d.example", FormStatus.SPAM),
]


async def fill(db: AsyncSession, world: World) -> None:
    """John's and Asha's notifications, four messages and an inquiry, the newsletter's list, one campaign."""
    await _fill_bells(db, world)
    await _fill_forms(db, world)
    await _fill_campaign(db, world, await _fill_list(db, world))


async def _fill_bells(db: AsyncSession, world: World) -> None:
    past = select(Booking.id).where(Booking.customer_id == JOHN, Booking.starts_at < world.now).order_by(Booking.starts_at.desc()).limit(6)
    told = [
        _told(JOHN, NotificationKind.BOOKING_REMINDER if number % 2 else NotificationKind.BOOKING_CONFIRMED, world, days=4 + 9 * number,
              booking=booking, is_read=number > 1)
        for number, booking in enumerate(await db.scalars(past))
    ]  # fmt: skip
    told.append(_told(ASHA, NotificationKind.BOOKING_CONFIRMED, world, days=2, booking=None, is_read=False))
    await put(db, Notification, sorted(told, key=lambda row: row["created_at"]))


def _told(user: int, kind: NotificationKind, world: World, *, days: int, booking: int | None, is_read: bool) -> dict[str, Any]:
    at = world.now - timedelta(days=days)
    facts = {**SAMPLES[kind], "day": spell_day(at.date()), "hour": spell_hour(at.replace(hour=14, minute=0))}
    letter = write_letter(kind, facts)
    return {
        "user_id": user, "kind": kind, "title": letter.title, "message": letter.notice, "created_at": at,
        "action_url": f"/bookings/{booking}" if booking else None, "read_at": at + timedelta(hours=1) if is_read else None,
    }  # fmt: skip


async def _fill_forms(db: AsyncSession, world: World) -> None:
    contact = [
        {"kind": FormKind.CONTACT, "name": name, "email": email, "message": message, "status": status, "source": "website",
         "fingerprint": f"demo {email}", "created_at": world.now - timedelta(days=5 - number)}
        for number, (name, email, message, status) in enumerate(WRITTEN)
    ]  # fmt: skip
    await put(db, FormSubmission, contact)
    inquiry = {
        "kind": FormKind.MEMBERSHIP_INQUIRY, "name": "Theo Park", "email": "theo.park@example.com", "phone": "+15550101234",
        "interested_plan": "unlimited", "interest_level": "high", "preferred_services": ["massage", "facial"],
        "heard_about_us": "A friend", "fingerprint": "demo inquiry", "created_at": world.now - timedelta(hours=5),
    }  # fmt: skip
    await put(db, FormSubmission, [inquiry])


async def _fill_list(db: AsyncSession, world: World) -> list[tuple[int, str]]:
    """Guests who agreed, and two who only put an address down; tells who may be written to."""
    people = await db.execute(select(User.id, User.email).where(User.id.between(FIRST_GUEST, FIRST_GUEST + READERS - 1)).order_by(User.id))
    readers = [(number, email) for number, email in people if email]
    purposes = [ConsentPurpose.MARKETING_EMAILS, ConsentPurpose.SPECIAL_OFFERS]
    await put(db, MarketingConsent, [
        {"email": email, "purpose": purpose, "source": ConsentSource.NEWSLETTER, "given_at": world.now - timedelta(days=30 + number % 90)}
        for number, email in readers for purpose in purposes
    ])  # fmt: skip
    on_list = [
        {"email": email, "status": SubscriptionStatus.CONFIRMED, "wanted": [each.value for each in purposes], "first_name": "",
         "confirmed_at": world.now - timedelta(days=30 + number % 90)}
        for number, email in readers[:20]
    ]  # fmt: skip
    await put(db, NewsletterSubscription, on_list)
    waiting = {"email": "maybe@example.com", "status": SubscriptionStatus.PENDING, "wanted": [purposes[0].value], "first_name": "Max"}
    await put(db, NewsletterSubscription, [waiting])
    return readers


async def _fill_campaign(db: AsyncSession, world: World, readers: list[tuple[int, str]]) -> None:
    [away, _] = await put(db, Segment, [
        {"name": "Not here for two months", "conditions": {"not_visited_for_days": 60}},
        {"name": "Members in New York", "conditions": {"is_member": True, "cities": ["New York"]}},
    ])  # fmt: skip
    sent_at = world.now - timedelta(days=12)
    letter = {
        "purpose": ConsentPurpose.SPECIAL_OFFERS, "subject": "{first_name}, we miss you", "heading": "An hour is waiting for you",
        "body": "Dear {first_name},\n\nit has been a while. Come back before the end of the month, and the aromatherapy is on us.",
        "button_label": "Book an hour", "button_url": "https://coresync.life/offers",
    }  # fmt: skip
    [campaign] = await put(db, Campaign, [
        {**letter, "name": "Come back", "segment_id": away, "status": CampaignStatus.SENT, "starts_at": sent_at, "begun_at": sent_at,
         "listed_at": sent_at, "finished_at": sent_at + timedelta(minutes=4), "created_at": sent_at - timedelta(days=1)}
    ])  # fmt: skip
    await put(db, Campaign, [{**letter, "name": "January", "subject": "A warm hour in January", "status": CampaignStatus.DRAFT}])
    await put(db, CampaignRecipient, [
        {"campaign_id": campaign, "email": email, "user_id": number, "queued_at": sent_at,
         "status": RecipientStatus.FAILED if index == 7 else RecipientStatus.SENT,
         "failure": "The mail server refuses the address: 550." if index == 7 else None}
        for index, (number, email) in enumerate(readers)
    ])  # fmt: skip
    left = [email for _, email in readers[3:5]]
    await db.execute(
        update(CampaignRecipient).where(CampaignRecipient.email.in_(left)).values(unsubscribed_at=sent_at + timedelta(hours=3))
    )
    gone = update(MarketingConsent).where(MarketingConsent.email.in_(left), MarketingConsent.purpose == ConsentPurpose.SPECIAL_OFFERS)
    await db.execute(gone.values(withdrawn_at=sent_at + timedelta(hours=3), withdrawn_by=ConsentSource.UNSUBSCRIBED))
