"""Text messages through Twilio or MSG91, behind one interface."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx2
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from errors import Unavailable, Undeliverable
from settings import Settings, SmsProvider

log = logging.getLogger("atrium.sms")
SECONDS = 10
MSG91 = "https://control.msg91.com/api/v5/flow/"
NEVER = frozenset({21211, 21214, 21217, 21408, 21610, 21612, 21614, 21635})
"""Twilio's codes for numbers that are none, cannot be texted, or asked for no more texts."""
SHORTAGES = frozenset({401, 403, 408, 429})
"""Statuses that are about the house's account or the moment, not about the number."""


class Texter(Protocol):
    """Whoever carries text messages."""

    async def send(self, to: str, text: str) -> None:
        """Send one text; Unavailable when it cannot be sent now, Undeliverable when it never can."""


class _OverHttpx(AsyncHttpClient):  # type: ignore[misc]  # the SDK carries no types
    """Carries what Twilio's SDK asks for, over the connections that we hold."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        super().__init__(log, is_async=True, timeout=SECONDS)
        self._http = http

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_: object,
    ) -> Response:
        """One request of the SDK."""
        found: Any = params
        answer = await self._http.request(method, uri, params=found, data=data, headers=headers, auth=auth, timeout=SECONDS)
        return Response(answer.status_code, answer.text, answer.headers)


class Twilio:
    """Texts through Twilio's own SDK."""

    def __init__(self, http: httpx2.AsyncClient, account: str, token: str, sender: str) -> None:
        self._client = Client(account, token, http_client=_OverHttpx(http))
        self._sender = {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}

    async def send(self, to: str, text: str) -> None:
        """Send one text."""
        try:
            await self._client.messages.create_async(to=to, body=text, **self._sender)
        except TwilioRestException as error:
            if error.code in NEVER:
                raise Undeliverable(f"Twilio cannot text this number: {error.code}.") from error
            raise Unavailable(f"Twilio does not take texts now: {error.status}.") from error
        except (httpx2.HTTPError, TwilioException, ValueError) as error:
            raise Unavailable("Twilio cannot be reached.") from error


class Msg91:
    """Texts through a flow at MSG91, whose only variable is the text."""

    def __init__(self, http: httpx2.AsyncClient, key: str, template: str) -> None:
        self._http = http
        self._key = key
        self._template = template

    async def send(self, to: str, text: str) -> None:
        """Send one text."""
        asked = {"template_id": self._template, "short_url": "0", "recipients": [{"mobiles": to.lstrip("+"), "message": text}]}
        try:
            answer = await self._http.post(MSG91, json=asked, headers={"authkey": self._key}, timeout=SECONDS)
            told = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable("MSG91 cannot be reached.") from error
        if isinstance(told, dict) and told.get("type") == "success":
            return
        said = str(told.get("message", "")) if isinstance(told, dict) else ""
        # MSG91 has one word, error, for all that goes wrong: only what it says of the number is about the number.
        if answer.status_code < 500 and answer.status_code not in SHORTAGES and "mobile" in said.lower():
            raise Undeliverable("MSG91 cannot text this number.")
        raise Unavailable(f"MSG91 does not take texts now: {answer.status_code}.")


@asynccontextmanager
async def open_sms(settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> AsyncIterator[Texter | None]:
    """The provider that the settings name, or none."""
    if settings.sms_provider is None:
        yield None
        return
    async with httpx2.AsyncClient(transport=transport) as http:
        if settings.sms_provider is SmsProvider.TWILIO:
            token = settings.twilio_auth_token.get_secret_value() if settings.twilio_auth_token else ""
            yield Twilio(http, settings.twilio_account_sid or "", token, settings.twilio_from or "")
        else:
            key = settings.msg91_auth_key.get_secret_value() if settings.msg91_auth_key else ""
            yield Msg91(http, key, settings.msg91_template_id or "")
