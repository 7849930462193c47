"""Receipts of payments that have come in: a PDF, made when it is asked for, so that it shows what is true then."""

import asyncio
import io
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from errors import NotFound
from models.identity import User
from models.payments import Payment, RefundStatus
from models.scheduling import Location
from resolvers.context import Context
from resolvers.letters import spell_date
from resolvers.links import Purpose, sign, subject_of
from resolvers.payables import thing_of
from resolvers.settling import SETTLED
from resolvers.tokens import moment

FONT, BOLD = "Helvetica", "Helvetica-Bold"
LEFT, RIGHT, TOP = 25 * mm, A4[0] - 25 * mm, A4[1] - 30 * mm
LONGEST_LINE = 80


@dataclass(frozen=True)
class Receipt:
    """What stands on a receipt."""

    number: str
    house: str
    address: str
    paid_on: str
    payer: str
    lines: list[str]
    amount: Decimal
    refunded: list[tuple[str, Decimal]]
    currency: str
    method: str
    reference: str

    @property
    def left(self) -> Decimal:
        """What is paid once all that went back is taken off."""
        return self.amount - sum((amount for _, amount in self.refunded), Decimal(0))


def link_to_receipt(row: Mapping[str, Any], ctx: Context) -> str | None:
    """Where the receipt of a payment that came in can be had for a while, without signing in."""
    if row["status"] not in SETTLED:
        return None
    # From the next full hour on, so that whoever asks again within the hour gets the same link.
    until = moment().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1 + ctx.settings.receipt_hours)
    token = sign(ctx.settings, Purpose.RECEIPT, str(row["uuid"]), until)
    return f"/receipts?token={token}"


async def open_receipt(ctx: Context, token: str) -> tuple[str, bytes]:
    """The file's name and the PDF that a link opens; NotFound for a link that is not good."""
    try:
        named = UUID(subject_of(ctx.settings, Purpose.RECEIPT, token))
    except ValueError:
        raise NotFound from None
    found = await ctx.fetch(select(Payment.id).where(Payment.uuid == named))
    if not found:
        raise NotFound
    return await make_receipt(ctx, found[0]["id"])


async def make_receipt(ctx: Context, payment_id: int) -> tuple[str, bytes]:
    """The file's name and the PDF of a payment's receipt; NotFound before the money is in."""
    receipt = await _read(ctx, payment_id)
    return f"receipt-{receipt.number}.pdf", await asyncio.to_thread(draw, receipt)


async def _read(ctx: Context, payment_id: int) -> Receipt:
    async with ctx.database.sessions() as db:
        payment = await db.scalar(select(Payment).where(Payment.id == payment_id).options(selectinload(Payment.refunds)))
        if payment is None or payment.status not in SETTLED or payment.charged_at is None:
            raise NotFound
        payer = await db.get_one(User, payment.user_id)
        house = await db.scalar(select(Location).order_by(Location.id).limit(1))
        zone = ZoneInfo(house.time_zone if house else "UTC")
        payable, thing = await thing_of(db, payment)
        lines = await payable.describe(db, thing) if thing is not None else []
        paid_on = payment.charged_at.astimezone(zone)
        given_back = [each for each in payment.refunds if each.status is RefundStatus.SUCCEEDED]
        return Receipt(
            number=f"R-{paid_on.year}-{payment.id:06}",
            house=house.name if house else "",
            address=house.address if house else "",
            paid_on=spell_date(paid_on),
            payer=f"{payer.first_name} {payer.last_name}".strip() or payer.email or "",
            lines=lines or [str(payment.purpose).capitalize()],
            amount=payment.amount,
            refunded=[(spell_date(each.created_at.astimezone(zone)), each.amount) for each in given_back],
            currency=payment.currency,
            method=payment.method or str(payment.provider),
            reference=payment.provider_id or "",
        )


def draw(receipt: Receipt) -> bytes:
    """A receipt as a PDF of one page."""
    made = io.BytesIO()
    page = Canvas(made, pagesize=A4, invariant=True)
    page.setTitle(f"Receipt {receipt.number}")
    y = TOP
    for text, font, size, gap in (
        (receipt.house, BOLD, 16, 6), (receipt.address, FONT, 10, 16), (f"Receipt {receipt.number}", BOLD, 13, 8),
        (f"{receipt.paid_on}, paid by {receipt.payer}", FONT, 10, 6), (f"{receipt.method}   {receipt.reference}", FONT, 10, 14),
    ):  # fmt: skip
        page.setFont(font, size)
        page.drawString(LEFT, y, printable(text))
        y -= gap * mm
    for line in receipt.lines:
        page.setFont(FONT, 11)
        page.drawString(LEFT, y, printable(line))
        y -= 7 * mm
    y = _amount(page, y - 3 * mm, "Paid", receipt.amount, receipt.currency)
    for day, amount in receipt.refunded:
        y = _amount(page, y, f"Given back on {day}", -amount, receipt.currency)
    if receipt.refunded:
        _amount(page, y, "Left", receipt.left, receipt.currency)
    page.showPage()
    page.save()
    return made.getvalue()


def printable(text: str) -> str:
    """A text in the letters of the PDF's own fonts: western ones stay, others lose their marks or become a question mark."""
    letters = []
    for letter in text[:LONGEST_LINE]:
        try:
            letters.append(letter.encode("cp1252").decode("cp1252"))
        except UnicodeEncodeError:
            letters.append(unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?")
    return "".join(letters)


def _amount(page: Canvas, y: float, label: str, amount: Decimal, currency: str) -> float:
    page.setFont(BOLD, 11)
    page.drawString(LEFT, y, printable(label))
    page.drawRightString(RIGHT, y, f"{amount:,.2f} {currency}")
    return y - float(7 * mm)
