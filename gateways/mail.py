"""Mails through any server that speaks SMTP."""

from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib

from errors import Unavailable
from settings import Settings

TLS_PORT = 465


class Mailer:
    """Sends mails as the house."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, to: str, subject: str, body: str, pdf: tuple[str, bytes] | None = None) -> None:
        """Send one mail of plain text, perhaps with a PDF (its name and content); raises Unavailable when the server does not take it."""
        settings = self._settings
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = settings.mail_from, to, subject
        mail["Message-ID"] = make_msgid(domain=settings.mail_from.rpartition("@")[2].strip("> ") or None)
        mail.set_content(body)
        if pdf is not None:
            name, content = pdf
            mail.add_attachment(content, maintype="application", subtype="pdf", filename=name)
        try:
            await aiosmtplib.send(
                mail,
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_user,
                password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
                use_tls=settings.smtp_port == TLS_PORT,
                timeout=20,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable("The mail server does not take mails now.") from error
