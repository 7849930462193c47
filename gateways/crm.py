"""Another CRM, over HTTP: it is told of every booking, as the documented service was."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self

import httpx2

from settings import Settings

PATH = "/api/notify"
TIMEOUT = httpx2.Timeout(5, connect=3)
NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class NotTaken(Exception):
    """The other CRM did not take a notice; `is_away` when it would take no other one now either."""

    def __init__(self, why: str, *, is_away: bool) -> None:
        super().__init__(why)
        self.is_away = is_away


class Crm:
    """The CRM at CRM_SERVICE_URL, with its token."""

    def __init__(self, url: str, token: str, transport: httpx2.AsyncBaseTransport | None = None, timeout: httpx2.Timeout = TIMEOUT) -> None:
        self._address = url.rstrip("/") + PATH
        self._client = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=timeout, transport=transport)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The one that the settings name, if any."""
        url = settings.crm_service_url
        return cls(url, settings.crm_bearer_token.get_secret_value()) if url else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def notify(self, body: Mapping[str, Any], key: str) -> None:
        """Tell of a booking; told twice under the same key, it counts once. Raises NotTaken."""
        try:
            answer = await self._client.post(self._address, json=body, headers={"Idempotency-Key": key})
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NotTaken(f"The CRM cannot be reached: {type(error).__name__}.", is_away=True) from error
        if not answer.is_success:
            is_away = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code in NOT_NOW
            raise NotTaken(f"The CRM answered {answer.status_code}.", is_away=is_away)
