"""Receipts: a PDF of what is true, by mail and behind links that are signed and end."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
import time_machine
from pypdf import PdfReader
from sqlalchemy import select, update
from starlette.applications import Starlette

from engine.execute import Engine
from errors import NotFound
from gateways.all import open_gateways
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.notifications import NotificationKind, OutboxMessage
from models.payments import Payment
from resolvers.context import Context
from resolvers.links import Purpose, sign, subject_of
from resolvers.operations import perform
from resolvers.payment_mails import tell_about_payment
from resolvers.payment_news import News
from resolvers.receipts import make_receipt, open_receipt, printable
from resolvers.refunds import refund_payment
from resolvers.tokens import Use, issue
from settings import Settings
from tests.members import change, open_house, run_jobs, save_card
from tests.paying import begin, by, confirm, make_booking
from tests.telling import Post, in_production, outbox, work_off
from tests.worlds import make_person


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def ann(database: Database) -> User:
    return await make_person(database)


async def paid(world: Context, database: Database, person: User) -> Payment:
    begun = await begin(by(world, person), await make_booking(database, person))
    return (await confirm(by(world, person), begun.payment_intent_id)).payment


def words(content: bytes) -> str:
    assert content.startswith(b"%PDF-")
    [page] = PdfReader(io.BytesIO(content)).pages
    return page.extract_text()


async def test_a_receipt_says_what_was_paid_and_what_went_back(world: Context, database: Database, ann: User) -> None:
    payment = await paid(world, database, ann)
    name, content = await make_receipt(world, payment.id)
    assert name == f"receipt-R-{datetime.now(UTC).year}-{payment.id:06}.pdf"
    said = words(content)
    assert "paid by Ann" in said
    assert "200.00 USD" in said
    assert "4242" in said
    assert "Given back" not in said
    clerk = by(world, await make_person(database, "clerk"), Role.FINANCE)
    await perform(refund_payment, clerk, {"id": Key(number=payment.id), "amount": Decimal("50.00")})
    said = words((await make_receipt(world, payment.id))[1])
    assert "-50.00 USD" in said
    assert "150.00 USD" in said


async def test_a_membership_is_named_with_its_days(database: Database, settings: Settings, ann: User) -> None:
    async with open_house(database, settings) as house:
        await save_card(database, ann)
        done = await change(by(house.ctx, ann), house.small)
        assert done.payment
        said = words((await make_receipt(house.ctx, done.payment.id))[1])
    assert "Membership Small (joined)" in said
    assert "Downtown" in said


async def test_whoever_pays_gets_the_receipt_by_mail_once(world: Context, database: Database, ann: User) -> None:
    payment = await paid(world, database, ann)
    assert await run_jobs(world, "tell_about_payment") == 1
    await tell_about_payment(world, payment.id, News.PAID, f"payment:{payment.id}:paid")
    assert await run_jobs(world, "send_notification") == 1
    async with database.sessions() as db:
        [mail] = (await db.execute(select(OutboxMessage.subject, OutboxMessage.pdf_name, OutboxMessage.pdf))).all()
    assert (mail.subject, mail.pdf_name) == ("Your receipt over 200.00 USD", f"receipt-R-{datetime.now(UTC).year}-{payment.id:06}.pdf")
    assert "200.00 USD" in words(mail.pdf)


async def test_a_receipt_cannot_be_switched_off_and_is_forgotten_once_sent(world: Context, database: Database, ann: User) -> None:
    async with database.sessions.begin() as db:
        await db.execute(update(User).values(email_notifications=False, push_notifications=False))
    payment = await paid(world, database, ann)
    post = Post()
    await work_off(in_production(world, mail=post))
    [mail] = [each for each in post.sent if each.pdf]
    assert (mail.to, mail.subject) == ("ann@example.com", "Your receipt over 200.00 USD")
    assert mail.pdf[0] == f"receipt-R-{datetime.now(UTC).year}-{payment.id:06}.pdf"
    assert "200.00 USD" in words(mail.pdf[1])
    assert len(post.sent) == 1
    async with database.sessions() as db:
        assert (await db.scalars(select(OutboxMessage.pdf))).all() == [None]


async def test_whoever_gets_money_back_is_told_how_much(world: Context, database: Database, ann: User) -> None:
    payment = await paid(world, database, ann)
    clerk = by(world, await make_person(database, "clerk"), Role.FINANCE)
    await work_off(world)
    await perform(refund_payment, clerk, {"id": Key(number=payment.id), "amount": Decimal("50.00")})
    await work_off(world)
    told = await outbox(database, OutboxMessage.kind == NotificationKind.PAYMENT_REFUNDED)
    assert [(each.to, each.pdf_name is not None) for each in told] == [("ann@example.com", True)]
    assert "50.00 USD" in told[0].body


async def test_there_is_no_receipt_before_the_money_is_in(world: Context, database: Database, ann: User) -> None:
    begun = await begin(by(world, ann), await make_booking(database, ann))
    with pytest.raises(NotFound):
        await make_receipt(world, begun.payment.id)
    read = await Engine(world.settings).run("{ myPayments { nodes { receipt } } }", by(world, ann))
    assert read.data == {"myPayments": {"nodes": [{"receipt": None}]}}


async def test_the_link_opens_the_receipt_without_signing_in_until_it_ends(
    app: Starlette, client: httpx2.AsyncClient, database: Database, ann: User
) -> None:
    ctx: Context = app.state.runtime.context(request_id="req_test", address="test")
    payment = await paid(ctx, database, ann)
    read: Any = (await app.state.runtime.engine.run("{ myPayments { nodes { receipt } } }", by(ctx, ann))).data
    link: str = read["myPayments"]["nodes"][0]["receipt"]
    answer = await client.get(link)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["cache-control"] == "private, no-store"
    assert f"R-{datetime.now(UTC).year}-{payment.id:06}" in words(answer.content)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=ctx.settings.receipt_hours + 1)):
        late = await client.get(link)
    assert (late.status_code, late.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "%00", "x" * 5000])
async def test_any_other_link_opens_nothing(client: httpx2.AsyncClient, token: str) -> None:
    assert (await client.get(f"/receipts?token={token}")).status_code == 404


async def test_a_link_is_good_for_its_purpose_alone(world: Context, database: Database, ann: User, settings: Settings) -> None:
    payment = await paid(world, database, ann)
    token = sign(settings, Purpose.RECEIPT, str(payment.uuid), datetime.now(UTC) + timedelta(hours=1))
    assert subject_of(settings, Purpose.RECEIPT, token) == str(payment.uuid)
    assert (await open_receipt(world, token))[1].startswith(b"%PDF-")
    access = issue(settings, Use.ACCESS, ann.id, payment.uuid).text
    stranger = sign(settings, Purpose.RECEIPT, "7", datetime.now(UTC) + timedelta(hours=1))
    for each in (access, stranger, token[:-3], sign(settings, Purpose.RECEIPT, str(ann.uuid), datetime.now(UTC) + timedelta(hours=1))):
        with pytest.raises(NotFound):
            await open_receipt(world, each)


@pytest.mark.parametrize(("text", "shown"), [("Zoë •", "Zoë •"), ("Čapek", "Capek"), ("Олена", "?????"), ("x" * 200, "x" * 80)])
def test_letters_that_the_pdf_has_not_are_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown
