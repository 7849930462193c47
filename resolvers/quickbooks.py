"""Bringing what was sold into QuickBooks: each thing once, in order, resumed after any outage, with what is missing and why."""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict, NotFound, Unavailable
from gateways.quickbooks import QuickBooks, Sold
from models.bookings import Booking
from models.catalogue import Service
from models.identity import User
from models.keys import Key
from models.payments import Payment, PaymentPurpose, Refund, RefundStatus
from models.quickbooks import BOOKS_MOVES, BooksEntry, BooksKind, BooksStatus, BooksToken
from models.shop import PurchaseItem
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.ledger import BOOKKEEPERS
from resolvers.moves import move
from resolvers.operations import allow

BATCH = 50
MOST_IN_A_RUN = 400
"""The next run goes on; Intuit allows 500 requests a minute."""
LONGEST_NAME = 100


@dataclass(frozen=True)
class Line:
    """What was sold, by our own name of it."""

    name: str
    amount: Decimal
    purpose: PaymentPurpose


@dataclass(frozen=True)
class Receipt:
    """A payment or a refund, as the books have it."""

    entry: int
    kind: BooksKind
    request_id: str
    number: str
    on: date
    payer: User
    lines: Sequence[Line]
    currency: str


@dataclass
class BooksStanding:
    """How far QuickBooks has what we have."""

    is_connected: bool
    waiting: int
    refused: int
    done: int
    not_listed: int


@allow(*BOOKKEEPERS)
def list_books_entries(ctx: Context, *, status: BooksStatus | None = None) -> Select[BooksEntry]:
    """What is to be in QuickBooks, whether it is, and why not; newest first."""
    found = select(BooksEntry).order_by(BooksEntry.id.desc())
    return found.where(BooksEntry.status == status) if status is not None else found


@allow(*BOOKKEEPERS)
async def get_books_standing(ctx: Context) -> BooksStanding:
    """How much of what was sold and given back QuickBooks has."""
    rows = await ctx.fetch(select(BooksEntry.status, func.count()).group_by(BooksEntry.status))
    counts = {row[0]: row[1] for row in rows}
    [[payments]] = await ctx.fetch(select(func.count()).select_from(_new_payments().subquery()))
    [[refunds]] = await ctx.fetch(select(func.count()).select_from(_new_refunds().subquery()))
    return BooksStanding(
        is_connected=ctx.settings.has_quickbooks,
        waiting=counts.get("waiting", 0),
        refused=counts.get("refused", 0),
        done=counts.get("done", 0),
        not_listed=payments + refunds,
    )


@allow(*BOOKKEEPERS)
async def retry_books_entry(ctx: Context, *, id: Key[BooksEntry]) -> BooksEntry:
    """Let something that QuickBooks refused be tried again."""
    async with ctx.writing() as db:
        entry = await db.scalar(select(BooksEntry).where(id.names(BooksEntry)).with_for_update())
        if entry is None:
            raise NotFound
        await move(db, entry, BooksStatus.WAITING, BOOKS_MOVES)
        answers(db, entry)
    return entry


async def synchronise_quickbooks(ctx: Context) -> None:
    """List what is new, and bring what waits to QuickBooks in its order; an outage ends the run, and the next one goes on there."""
    books = ctx.gateways.quickbooks
    if books is None:
        return
    await _list_new(ctx)
    token = books.refresh_token = await _stored_token(ctx) or books.refresh_token
    after = brought = 0
    try:
        while brought < MOST_IN_A_RUN and (receipts := await _waiting(ctx, after)):
            brought += len(receipts)
            for receipt in receipts:
                after = receipt.entry
                await _bring(ctx, books, receipt)
    finally:
        if books.refresh_token != token:
            await _store_token(ctx, books.refresh_token)


async def _bring(ctx: Context, books: QuickBooks, receipt: Receipt) -> None:
    try:
        codes = dict(each.strip().split("=") for each in ctx.settings.quickbooks_tax_codes.split(","))
        customer = await _customer(ctx, books, receipt.payer)
        lines = [
            Sold(await _item(ctx, books, each.name), each.name, each.amount, codes.get(each.purpose.value, "NON")) for each in receipt.lines
        ]
        add = books.add_sale if receipt.kind is BooksKind.PAYMENT else books.add_refund
        found = await add(receipt.number, receipt.on, customer, lines, receipt.currency, receipt.request_id)
        await _note(ctx, receipt.entry, BooksStatus.DONE, quickbooks_id=found)
    except Conflict as refused:
        await _note(ctx, receipt.entry, BooksStatus.REFUSED, error=refused.message)
    except Unavailable as away:
        await _note(ctx, receipt.entry, None, error=away.message)
        raise


async def _customer(ctx: Context, books: QuickBooks, person: User) -> str:
    name = _name(f"{person.first_name} {person.last_name}".strip() or "Guest")
    subject = str(person.uuid)
    return await _known(ctx, BooksKind.CUSTOMER, subject) or await _keep(
        ctx, BooksKind.CUSTOMER, subject, await books.add_customer(f"{name} ({person.id})", person.email, f"customer-{subject}")
    )


async def _item(ctx: Context, books: QuickBooks, name: str) -> str:
    request_id = f"item-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return await _known(ctx, BooksKind.ITEM, name) or await _keep(ctx, BooksKind.ITEM, name, await books.add_item(name, request_id))


async def _known(ctx: Context, kind: BooksKind, subject: str) -> str | None:
    rows = await ctx.fetch(select(BooksEntry.quickbooks_id).where(BooksEntry.kind == kind, BooksEntry.subject == subject))
    return rows[0]["quickbooks_id"] if rows else None


async def _keep(ctx: Context, kind: BooksKind, subject: str, quickbooks_id: str) -> str:
    async with ctx.writing() as db:
        row = {"kind": kind, "subject": subject, "status": BooksStatus.DONE, "quickbooks_id": quickbooks_id, "synchronised_at": ctx.now()}
        await db.execute(insert(BooksEntry).values(**row).on_conflict_do_nothing(index_elements=["kind", "subject"]))
    return quickbooks_id


async def _note(ctx: Context, id: int, status: BooksStatus | None, *, quickbooks_id: str | None = None, error: str | None = None) -> None:
    async with ctx.writing() as db:
        entry = await db.get_one(BooksEntry, id, with_for_update=True)
        entry.refusals += status is BooksStatus.REFUSED
        entry.error, entry.quickbooks_id = error, quickbooks_id
        entry.synchronised_at = ctx.now() if status is BooksStatus.DONE else None
        await db.flush()
        if status is not None and entry.status is not status:
            await move(db, entry, status, BOOKS_MOVES)


def _new_payments() -> Select[int]:
    listed = select(BooksEntry.id).where(BooksEntry.payment_id == Payment.id)
    return select(Payment.id).where(Payment.charged_at.is_not(None), ~listed.exists())


def _new_refunds() -> Select[int]:
    listed = select(BooksEntry.id).where(BooksEntry.refund_id == Refund.id)
    return select(Refund.id).where(Refund.status == RefundStatus.SUCCEEDED, ~listed.exists())


async def _list_new(ctx: Context) -> None:
    """A row for each payment and refund that has none; in short transactions."""
    for kind, table, new, column in (
        (BooksKind.PAYMENT, Payment, _new_payments(), "payment_id"),
        (BooksKind.REFUND, Refund, _new_refunds(), "refund_id"),
    ):
        is_full = True
        while is_full:
            async with ctx.writing() as db:
                rows = (await db.execute(new.with_only_columns(table.id, table.uuid).order_by(table.id).limit(500))).all()
                values = [{"kind": kind, "subject": str(uuid), column: id, "status": BooksStatus.WAITING} for id, uuid in rows]
                if values:
                    await db.execute(insert(BooksEntry).values(values).on_conflict_do_nothing(index_elements=["kind", "subject"]))
            is_full = len(rows) == 500


async def _waiting(ctx: Context, after: int) -> list[Receipt]:
    async with ctx.database.sessions() as db:
        waiting = select(BooksEntry).where(BooksEntry.status == BooksStatus.WAITING, BooksEntry.id > after).order_by(BooksEntry.id)
        return [await _receipt(db, each) for each in await db.scalars(waiting.limit(BATCH))]


async def _receipt(db: AsyncSession, entry: BooksEntry) -> Receipt:
    refund = await db.get_one(Refund, entry.refund_id) if entry.refund_id is not None else None
    payment = await db.get_one(Payment, refund.payment_id if refund else entry.payment_id)
    payer = await db.get_one(User, payment.user_id)
    at = refund.created_at if refund else payment.charged_at or payment.created_at
    sold = await _sold(db, payment)
    if refund is not None and refund.amount != payment.amount:
        sold = [Line(sold[0].name, refund.amount, payment.purpose)]
    number = f"R{refund.id}" if refund else f"P{payment.id}"
    # Asked again after an outage it is the same request; asked again after a refusal it is another.
    request_id = f"{entry.kind}-{entry.subject}" + (f"-{entry.refusals}" if entry.refusals else "")
    return Receipt(entry.id, entry.kind, request_id, number, at.date(), payer, sold, payment.currency)


async def _sold(db: AsyncSession, payment: Payment) -> list[Line]:
    """What a payment is for, by the names under which its revenue is counted."""
    if payment.purchase_id is not None:
        items = await db.scalars(select(PurchaseItem).where(PurchaseItem.purchase_id == payment.purchase_id).order_by(PurchaseItem.id))
        return [Line(_name(each.name), each.price * each.quantity, payment.purpose) for each in items]
    booked = select(Service.name).join(Booking, Booking.service_id == Service.id).where(Booking.id == payment.booking_id)
    name = await db.scalar(booked) if payment.booking_id is not None else None
    return [Line(_name(name or payment.purpose.capitalize()), payment.amount, payment.purpose)]


def _name(text: str) -> str:
    """A name as QuickBooks takes it: a colon would mean something below something else."""
    return text.replace(":", " -")[:LONGEST_NAME]


def _seal_key(ctx: Context) -> AESGCM:
    return AESGCM(hashlib.sha256(b"quickbooks" + ctx.settings.encryption_key.get_secret_value().encode()).digest())


async def _stored_token(ctx: Context) -> str | None:
    rows = await ctx.fetch(select(BooksToken.sealed).where(BooksToken.company == ctx.settings.quickbooks_company))
    if not rows:
        return None
    raw = base64.b64decode(rows[0]["sealed"])
    return _seal_key(ctx).decrypt(raw[:12], raw[12:], None).decode()


async def _store_token(ctx: Context, token: str) -> None:
    nonce = os.urandom(12)
    sealed = base64.b64encode(nonce + _seal_key(ctx).encrypt(nonce, token.encode(), None)).decode()
    async with ctx.writing() as db:
        row = insert(BooksToken).values(company=ctx.settings.quickbooks_company, sealed=sealed)
        await db.execute(row.on_conflict_do_update(index_elements=["company"], set_={"sealed": sealed}))
