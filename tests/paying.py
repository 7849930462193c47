"""What tests of payments share: a booking to pay for, a simulated Stripe that holds its webhooks, and ways to look."""

import dataclasses
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import stripe
from sqlalchemy import func, select, text

from gateways.simulators.store import Store
from gateways.simulators.stripe import StripeSimulator
from models.bookings import Booking, BookingKind
from models.database import Database
from models.event_log import EventRecord
from models.identity import Role, User
from models.keys import Key
from models.ledger import Entry
from models.payments import Payment
from resolvers import payments
from resolvers.charging import PaymentBegun
from resolvers.context import Context, Viewer
from resolvers.operations import perform
from resolvers.payments import PaymentConfirmed
from resolvers.stripe_webhooks import handle_stripe_webhook
from tests.worlds import soon

SECRET = "whsec_demo"


def by(ctx: Context, person: User, *roles: Role) -> Context:
    return dataclasses.replace(ctx, viewer=Viewer(person.id, frozenset(roles or (Role.CUSTOMER,))))


async def make_booking(database: Database, person: User, total: str = "200.00", currency: str = "USD", **more: Any) -> Booking:
    async with database.sessions.begin() as db:
        booking = Booking(
            kind=BookingKind.EVENT, customer_id=person.id, starts_at=soon(), ends_at=soon() + timedelta(hours=1),
            total_amount=Decimal(total), currency=currency, **more,
        )  # fmt: skip
        db.add(booking)
    return booking


async def begin(ctx: Context, booking: Booking, key: str | None = None, **more: Any) -> PaymentBegun:
    begun: PaymentBegun = await perform(payments.create_payment_intent, ctx, {"booking_id": Key(number=booking.id), **more}, key=key)
    return begun


async def confirm(ctx: Context, intent: str, method: str | None = "pm_card_visa", key: str | None = None) -> PaymentConfirmed:
    arguments = {"payment_intent_id": intent, "payment_method_id": method}
    confirmed: PaymentConfirmed = await perform(payments.confirm_payment, ctx, arguments, key=key)
    return confirmed


async def hook(ctx: Context, body: bytes | str, headers: dict[str, str]) -> None:
    raw = body if isinstance(body, bytes) else body.encode()
    await perform(handle_stripe_webhook, ctx, {"body": raw, "signature": headers["Stripe-Signature"]})


def signed(kind: str, subject: dict[str, Any], *, id: str | None = None, at: int | None = None) -> tuple[bytes, dict[str, str]]:
    """An event of our own making, with Stripe's signature."""
    body = json.dumps({"id": id or f"evt_{uuid4().hex}", "object": "event", "type": kind, "data": {"object": subject}})
    return body.encode(), {"Stripe-Signature": stripe.WebhookSignature.generate_signature_header(body, SECRET, at)}


def simulator(ctx: Context) -> StripeSimulator:
    assert ctx.gateways.simulators.stripe
    return ctx.gateways.simulators.stripe


async def events(ctx: Context, database: Database) -> list[dict[str, Any]]:
    """What the simulated Stripe has to tell, oldest first."""
    async with database.sessions() as db:
        return await Store(db, "stripe").find("event")


async def stored(database: Database, intent: str) -> Payment:
    async with database.sessions() as db:
        return (await db.scalars(select(Payment).where(Payment.provider_id == intent))).one()


async def booking_now(database: Database, booking: Booking) -> Booking:
    async with database.sessions() as db:
        return await db.get_one(Booking, booking.id)


async def count(database: Database, table: Any, *conditions: Any) -> int:
    async with database.sessions() as db:
        return (await db.scalars(select(func.count()).select_from(table).where(*conditions))).one()


async def announced(database: Database) -> list[str]:
    async with database.sessions() as db:
        return list(await db.scalars(select(EventRecord.kind).order_by(EventRecord.id)))


async def posted(database: Database) -> list[Decimal]:
    """All amounts of the ledger, debits and credits."""
    async with database.sessions() as db:
        return list(await db.scalars(select(Entry.amount).order_by(Entry.id)))


async def queued(database: Database) -> list[str]:
    """The names of the jobs that wait, without those that only write mails."""
    async with database.sessions() as db:
        return list(await db.scalars(text("SELECT entrypoint FROM pgqueuer WHERE entrypoint NOT LIKE 'tell%' ORDER BY id")))
