"""Mail, text messages and pushes on the wire, and what their carriers may answer."""

import email
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from socket import socket
from typing import Any

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from errors import Unavailable, Undeliverable
from gateways.mail import Mail, Mailer
from gateways.push import open_push
from gateways.sms import open_sms
from settings import Settings
from tests.carriers import ACCOUNT, TOKEN, Carriers, firebase_error, service_account

TWILIO = {"sms_provider": "twilio", "twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN, "twilio_from": "+15550000"}
MSG91 = {"sms_provider": "msg91", "msg91_auth_key": "msg91-key", "msg91_template_id": "flow1"}
NUMBER, TEXT = "+911234567890", "Your code is 123456 & good."


def settings_with(**about: Any) -> Settings:
    return Settings(_env_file=None, **about)  # type: ignore[call-arg]


@pytest.fixture
def carriers() -> Carriers:
    return Carriers()


async def text(carriers: Carriers, about: dict[str, str]) -> None:
    async with open_sms(settings_with(**about), carriers.transport()) as gateway:
        assert gateway
        await gateway.send(NUMBER, TEXT)


async def test_twilio_gets_the_form_that_its_api_documents(carriers: Carriers) -> None:
    await text(carriers, TWILIO)
    await text(carriers, {**TWILIO, "twilio_from": "MG0123"})
    assert carriers.texts == [
        {"To": NUMBER, "From": "+15550000", "Body": TEXT},
        {"To": NUMBER, "MessagingServiceSid": "MG0123", "Body": TEXT},
    ]


async def test_msg91_gets_the_text_as_the_variable_of_its_flow(carriers: Carriers) -> None:
    await text(carriers, MSG91)
    assert carriers.texts == [{"template": "flow1", "mobiles": "911234567890", "message": TEXT}]


@pytest.mark.parametrize(
    ("provider", "status", "body", "error"),
    [
        (TWILIO, 400, {"code": 21211, "message": "Invalid 'To' number", "status": 400}, Undeliverable),
        (TWILIO, 400, {"code": 21610, "message": "Unsubscribed recipient", "status": 400}, Undeliverable),
        (TWILIO, 401, {"code": 20003, "message": "Authenticate", "status": 401}, Unavailable),
        (TWILIO, 429, {"code": 20429, "message": "Too many requests", "status": 429}, Unavailable),
        (TWILIO, 503, "the proxy is down", Unavailable),
        (MSG91, 400, {"type": "error", "message": "Invalid mobile number"}, Undeliverable),
        (MSG91, 401, {"type": "error", "message": "Unauthorized"}, Unavailable),
        (MSG91, 200, {"type": "error", "message": "template not found"}, Unavailable),
        (MSG91, 502, ["no object"], Unavailable),
    ],
)
async def test_a_number_that_takes_no_texts_is_told_from_a_carrier_that_takes_none_now(
    carriers: Carriers, provider: dict[str, str], status: int, body: Any, error: type[Exception]
) -> None:
    carriers.refusals.append((status, body))
    with pytest.raises(error):
        await text(carriers, provider)
    assert carriers.texts == []


class Gone(httpx2.AsyncBaseTransport):
    """A network that is down."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route", request=request)


@pytest.mark.parametrize("provider", [TWILIO, MSG91])
async def test_a_network_that_is_down_is_no_fault_of_the_number(provider: dict[str, str]) -> None:
    async with open_sms(settings_with(**provider), Gone()) as gateway:
        assert gateway
        with pytest.raises(Unavailable):
            await gateway.send(NUMBER, TEXT)


async def test_pushes_carry_a_token_that_google_granted_once(carriers: Carriers, tmp_path: Path) -> None:
    async with open_push(settings_with(fcm_credentials_file=service_account(tmp_path)), carriers.transport()) as gateway:
        assert gateway
        await gateway.send("phone-1", "Appointment Tomorrow", "At two.", "https://app.example.com/bookings/1")
        await gateway.send("phone-2", "Hello", "World.")
        assert carriers.grants == 1
        carriers.refusals.append((401, firebase_error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR")))
        await gateway.send("phone-3", "Hello", "again.")
    assert carriers.grants == 2
    assert [each["token"] for each in carriers.pushes] == ["phone-1", "phone-2", "phone-3"]
    assert carriers.pushes[0]["notification"] == {"title": "Appointment Tomorrow", "body": "At two."}
    assert carriers.pushes[0]["data"] == {"action_url": "https://app.example.com/bookings/1"}


BAD_TOKEN = {
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    "fieldViolations": [{"field": "message.token", "description": "Invalid"}],
}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, firebase_error(404, "NOT_FOUND", "UNREGISTERED"), Undeliverable),
        (403, firebase_error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Undeliverable),
        (400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [BAD_TOKEN]}}, Undeliverable),
        (404, {"error": {"code": 404, "status": "NOT_FOUND"}}, Unavailable),
        (429, firebase_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Unavailable),
        (502, "<!DOCTYPE html>", Unavailable),
    ],
)
async def test_a_dead_device_is_told_from_a_firebase_that_takes_nothing_now(
    carriers: Carriers, tmp_path: Path, status: int, body: Any, error: type[Exception]
) -> None:
    carriers.refusals.append((status, body))
    async with open_push(settings_with(fcm_credentials_file=service_account(tmp_path)), carriers.transport()) as gateway:
        assert gateway
        with pytest.raises(error):
            await gateway.send("phone-1", "Hello", "World.")


async def test_google_that_cannot_be_reached_takes_no_pushes_now(tmp_path: Path) -> None:
    async with open_push(settings_with(fcm_credentials_file=service_account(tmp_path)), Gone()) as gateway:
        assert gateway
        with pytest.raises(Unavailable):
            await gateway.send("phone-1", "Hello", "World.")


class Postbox:
    """A mail server that keeps mails, and knows some addresses by what they are called."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 No such mailbox"
        if address.startswith("full"):
            return "452 4.2.2 Mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, Callable[[], Mailer]]]:
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, lambda: Mailer(settings_with(smtp_host="127.0.0.1", smtp_port=port, mail_from="CoreSync <hello@coresync.life>"))
    controller.stop()


async def test_a_mail_has_both_parts_and_the_headers_of_one_click(postbox: tuple[Postbox, Callable[[], Mailer]]) -> None:
    box, mailer = postbox
    url = "https://api.example.com/newsletter/unsubscribe?token=" + "a" * 150
    mail = Mail("ann@example.com", "Hello\nBcc: all@example.com", "Plain — text", "<p>Rich — text</p>", url, "message-7")
    await mailer().send(mail)
    await mailer().send(Mail("ann@example.com", "Bare", "Only text"))
    rich, bare = box.mails
    assert rich["Subject"] == "Hello Bcc: all@example.com"
    assert rich["Bcc"] is None
    assert rich["Message-ID"] == "<message-7@coresync.life>"
    assert (rich["List-Unsubscribe"], rich["List-Unsubscribe-Post"]) == (f"<{url}>", "List-Unsubscribe=One-Click")
    plain, html = rich.get_body(("plain",)), rich.get_body(("html",))
    assert plain
    assert html
    assert (plain.get_content().strip(), html.get_content().strip()) == ("Plain — text", "<p>Rich — text</p>")
    assert bare["List-Unsubscribe"] is None
    assert not bare.is_multipart()


async def test_a_pdf_goes_along_with_text_and_html(postbox: tuple[Postbox, Callable[[], Mailer]]) -> None:
    box, mailer = postbox
    pdf = ("receipt-R-2027-000001.pdf", b"%PDF-1.4 ...")
    await mailer().send(Mail("ann@example.com", "Your receipt", "Attached", "<p>Attached</p>", pdf=pdf))
    [mail] = box.mails
    [attached] = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type(), attached.get_content()) == (pdf[0], "application/pdf", pdf[1])
    html = mail.get_body(("html",))
    assert html
    assert html.get_content().strip() == "<p>Attached</p>"


@pytest.mark.parametrize(("to", "error"), [("gone@example.com", Undeliverable), ("full@example.com", Unavailable)])
async def test_a_mailbox_that_is_gone_is_told_from_one_that_is_full(
    postbox: tuple[Postbox, Callable[[], Mailer]], to: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await postbox[1]().send(Mail(to, "Hello", "World"))


async def test_a_mail_server_that_is_away_takes_nothing_now() -> None:
    with pytest.raises(Unavailable):
        await Mailer(settings_with(smtp_host="127.0.0.1", smtp_port=9)).send(Mail("ann@example.com", "Hello", "World"))
