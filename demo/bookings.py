"""The year's appointments as rows: bookings with their rooms, money and books."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from demo.catalogue import MENSUITE
from demo.memberships import PLANS, plan_of
from demo.people import JOHN
from demo.spa_menu import ADDONS
from demo.visits import Visit, visits
from demo.world import World, put
from gateways.minor_units import to_minor
from gateways.simulators.stripe_payments import paid_before
from models.bookings import Appointment, Booking, BookingAddon, BookingKind, BookingStatus, PaymentStatus
from models.identity import User
from models.ledger import Account, AccountKind, Entry, LedgerTransaction
from models.memberships import Plan
from models.payments import Payment, Provider, Refund, RefundStatus
from models.rooms import Room
from models.scheduling import Reservation
from models.simulations import SimulatedObject
from resolvers.prices import MENSUITE as MENSUITE_SLUG
from resolvers.prices import PRIVATE, price_of

PARTS = 12
"""So many transactions, for none may stay open long."""

TILL, STRIPE = (AccountKind.CASH, ""), (AccountKind.PROVIDER_CLEARING, Provider.STRIPE.value)
EARNED, GIVEN_BACK = (AccountKind.REVENUE, "service"), (AccountKind.REFUNDS, "service")
Pot = tuple[AccountKind, str]


@dataclass(frozen=True)
class Bill:
    """What a visit costs, and where booking and money stand now."""

    visit: Visit
    addons: list[tuple[int, str, Decimal]]
    total: Decimal
    status: BookingStatus
    payment_status: PaymentStatus
    booked_at: datetime
    paid_at: datetime


def fill_part(part: int) -> Callable[[AsyncSession, World], Awaitable[None]]:
    """The chapter that loads one part of the year."""

    async def fill(db: AsyncSession, world: World) -> None:
        every = year(world)
        size = -(-len(every) // PARTS)
        await _write(db, [_bill(visit, world.now) for visit in every[part * size : (part + 1) * size]])

    return fill


@lru_cache(maxsize=1)
def year(world: World) -> list[Visit]:
    """All visits, made up once for all parts."""
    return visits(world)


def _bill(visit: Visit, now: datetime) -> Bill:
    plan = PLANS[2] if visit.customer == JOHN else next((each for each in PLANS if each["id"] == plan_of(visit.customer)), None)
    treatment = visit.offered.treatment
    extras = [(number, name, Decimal(price)) for number, (service, name, price) in enumerate(ADDONS, start=1)
              if service == visit.offered.number and visit.has_addon][:1]  # fmt: skip
    total = price_of(
        Plan(**plan) if plan else None,
        MENSUITE_SLUG if visit.offered.category == MENSUITE else PRIVATE,
        price=Decimal(treatment.price),
        member_price=Decimal(treatment.member_price),
        addons=[price for _, _, price in extras],
        credits_left=0,
    ).total
    status, payment_status = _standing(visit, now)
    booked_at = min(visit.starts_at, now) - visit.booked_ahead
    paid_at = booked_at + timedelta(minutes=3) if visit.is_paid and not visit.is_cash else visit.ends_at
    return Bill(visit, extras, total, status, payment_status, booked_at, min(paid_at, now))


def _standing(visit: Visit, now: datetime) -> tuple[BookingStatus, PaymentStatus]:
    if visit.is_cancelled:
        return BookingStatus.CANCELLED, PaymentStatus.REFUNDED if visit.is_paid else PaymentStatus.PENDING
    if visit.ends_at <= now:
        return BookingStatus.COMPLETED, PaymentStatus.CHARGED
    if visit.starts_at <= now:
        return BookingStatus.IN_PROGRESS, PaymentStatus.CHARGED
    if visit.is_paid:
        return BookingStatus.CONFIRMED, PaymentStatus.CHARGED
    return BookingStatus.PENDING, PaymentStatus.PENDING


async def _write(db: AsyncSession, bills: list[Bill]) -> None:
    numbers = await put(db, Booking, [_booking(bill) for bill in bills])
    billed = list(zip(numbers, bills, strict=True))
    await put(db, Appointment, [
        {"booking_id": number, "room_id": bill.visit.room, "staff_notes": bill.visit.staff_notes} for number, bill in billed
    ])  # fmt: skip
    await put(db, BookingAddon, [
        {"booking_id": number, "addon_id": addon, "name": name, "price": price}
        for number, bill in billed for addon, name, price in bill.addons
    ])  # fmt: skip
    rooms = {key: value for key, value in await db.execute(select(Room.id, Room.resource_id))}
    people = {key: value for key, value in await db.execute(select(User.id, User.resource_id))}
    await put(db, Reservation, [
        {"booking_id": number, "resource_id": resource, "during": Range(bill.visit.starts_at, bill.visit.ends_at)}
        for number, bill in billed if bill.status is not BookingStatus.CANCELLED
        for resource in (rooms[bill.visit.room], people[bill.visit.customer])
    ])  # fmt: skip
    await _write_money(db, [(number, bill) for number, bill in billed if bill.payment_status is not PaymentStatus.PENDING])


def _booking(bill: Bill) -> dict[str, Any]:
    visit = bill.visit
    is_over = bill.status is BookingStatus.COMPLETED
    return {
        "kind": BookingKind.APPOINTMENT, "customer_id": visit.customer, "service_id": visit.offered.number, "location_id": visit.location,
        "status": bill.status, "payment_status": bill.payment_status, "starts_at": visit.starts_at, "ends_at": visit.ends_at,
        "total_amount": bill.total, "special_requests": visit.special_requests, "cancel_reason": visit.cancel_reason,
        "cancelled_at": bill.booked_at + (visit.booked_ahead / 2) if visit.is_cancelled else None,
        "rating": visit.rating if is_over else None, "feedback": visit.feedback if is_over else None, "created_at": bill.booked_at,
    }  # fmt: skip


async def _write_money(db: AsyncSession, billed: list[tuple[int, Bill]]) -> None:
    payments = await put(db, Payment, [_payment(number, bill) for number, bill in billed])
    await put(db, SimulatedObject, [
        {"provider": "stripe", "key": thing["id"], "kind": thing["object"], "data": thing}
        for number, bill in billed if not bill.visit.is_cash for thing in _at_stripe(number, bill)
    ])  # fmt: skip
    paid = list(zip(payments, billed, strict=True))
    accounts = await _accounts(db)
    movements = [
        (f"payment:{payment}:charged", "Payment", payment, booking, bill, bill.paid_at, _pot(bill), EARNED)
        for payment, (booking, bill) in paid
    ]
    given_back = [(payment, booking, bill) for payment, (booking, bill) in paid if bill.payment_status is PaymentStatus.REFUNDED]
    refunds = await put(db, Refund, [
        {"payment_id": payment, "amount": bill.total, "status": RefundStatus.SUCCEEDED, "reason": bill.visit.cancel_reason,
         "created_at": bill.paid_at} for payment, _, bill in given_back
    ])  # fmt: skip
    movements += [
        (f"refund:{refund}:succeeded", "Refund", payment, booking, bill, bill.paid_at, GIVEN_BACK, _pot(bill))
        for refund, (payment, booking, bill) in zip(refunds, given_back, strict=True)
    ]
    posted = await put(db, LedgerTransaction, [
        {"cause": cause, "description": f"{what} for {bill.visit.offered.treatment.name}", "payment_id": payment, "booking_id": booking,
         "created_at": at} for cause, what, payment, booking, bill, at, _, _ in movements
    ])  # fmt: skip
    await put(db, Entry, [
        {"transaction_id": transaction, "account_id": accounts[pot], "amount": amount, "currency": "USD", "created_at": at}
        for transaction, (_, _, _, _, bill, at, debit, credit) in zip(posted, movements, strict=True)
        for pot, amount in ((debit, bill.total), (credit, -bill.total))
    ])  # fmt: skip


def _payment(booking: int, bill: Bill) -> dict[str, Any]:
    visit = bill.visit
    return {
        "user_id": visit.customer, "booking_id": booking, "provider": Provider.CASH if visit.is_cash else Provider.STRIPE,
        "provider_id": None if visit.is_cash else f"pi_demo_{booking:06}", "amount": bill.total, "status": bill.payment_status,
        "refunded_amount": bill.total if bill.payment_status is PaymentStatus.REFUNDED else Decimal(0),
        "method": "cash" if visit.is_cash else "visa •••• 4242", "charged_at": bill.paid_at, "created_at": bill.paid_at,
    }  # fmt: skip


def _at_stripe(booking: int, bill: Bill) -> list[dict[str, Any]]:
    """The same payment at the simulated Stripe, so that it can be given back."""
    is_refunded = bill.payment_status is PaymentStatus.REFUNDED
    return paid_before(f"pi_demo_{booking:06}", to_minor(bill.total, "USD"), "usd", refunded=is_refunded)


def _pot(bill: Bill) -> Pot:
    return TILL if bill.visit.is_cash else STRIPE


async def _accounts(db: AsyncSession) -> dict[Pot, int]:
    """The accounts by kind and name; made where they are missing."""
    wanted = [{"kind": kind, "name": name, "owner_id": None, "currency": "USD"} for kind, name in (TILL, STRIPE, EARNED, GIVEN_BACK)]
    await db.execute(insert(Account).on_conflict_do_nothing(index_elements=["kind", "name", "owner_id", "currency"]), wanted)
    rows = await db.execute(select(Account.kind, Account.name, Account.id).where(Account.owner_id.is_(None), Account.currency == "USD"))
    return {(kind, name): number for kind, name, number in rows}
