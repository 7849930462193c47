"""Mails through any server that speaks SMTP."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import Policy
from email.utils import make_msgid

import aiosmtplib

from errors import Unavailable, Undeliverable
from settings import Settings

TLS_PORT = 465
FOR_GOOD = 500
"""From this code on a server says that trying again would not help."""


@dataclass(frozen=True)
class Mail:
    """One mail: always with a plain text, mostly with the same as HTML."""

    to: str
    subject: str
    text: str
    html: str | None = None
    unsubscribe_url: str | None = None
    """Where one POST, without any question asked, ends such mails (RFC 8058)."""
    name: str | None = None
    """The same for every try, so that mailboxes can tell a mail that arrives twice."""
    pdf: tuple[str, bytes] | None = None
    """The name and the content of a PDF that goes along."""


class _Verbatim(str):
    """A header that is written as it is: Python would encode a long address like words of another language, and no mailbox reads that."""

    name: str

    def __new__(cls, name: str, value: str) -> "_Verbatim":
        made = super().__new__(cls, value)
        made.name = name
        return made

    def fold(self, *, policy: Policy) -> str:
        """The line as it goes over the wire."""
        return f"{self.name}: {self}{policy.linesep}"


class Mailer:
    """Sends mails as the house."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, mail: Mail) -> None:
        """Send one mail; Unavailable when the server does not take it now, Undeliverable when it never will."""
        settings = self._settings
        try:
            await aiosmtplib.send(
                self._message(mail),
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_user,
                password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
                use_tls=settings.smtp_port == TLS_PORT,
                timeout=20,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(each.code >= FOR_GOOD for each in error.recipients):
                raise Undeliverable(f"The mail server refuses the address: {error.recipients[0].code}.") from error
            raise Unavailable("The mail server does not take mails now.") from error
        except aiosmtplib.SMTPNotSupported as error:
            raise Undeliverable("The mail server cannot write to such an address.") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable("The mail server does not take mails now.") from error

    def _message(self, mail: Mail) -> EmailMessage:
        message, sender = EmailMessage(), self._settings.mail_from
        domain = sender.rpartition("@")[2].strip("> ") or "localhost"
        # Subjects carry names that people chose: no line break may begin another header.
        message["From"], message["To"], message["Subject"] = sender, mail.to, " ".join(mail.subject.split())
        message["Message-ID"] = f"<{mail.name}@{domain}>" if mail.name else make_msgid(domain=domain)
        if mail.unsubscribe_url:
            message["List-Unsubscribe"] = _Verbatim("List-Unsubscribe", f"<{mail.unsubscribe_url}>")
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
        if mail.pdf:
            name, content = mail.pdf
            message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
        return message
