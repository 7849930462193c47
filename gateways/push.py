"""Pushes through Firebase Cloud Messaging, by its HTTP v1 API."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport import Request as AuthRequest
from google.auth.transport import Response as AuthResponse
from google.oauth2.service_account import Credentials

from errors import Unavailable, Undeliverable
from settings import Settings

SECONDS = 10
API = "https://fcm.googleapis.com/v1/projects/{project}/messages:send"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
DEAD = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH"})


class _Answer(AuthResponse):
    def __init__(self, answer: httpx2.Response) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def data(self) -> bytes:
        return self._answer.content


class _OverHttpx(AuthRequest):
    """Carries what google-auth asks for from its thread, over the connections that we hold."""

    def __init__(self, http: httpx2.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._http = http
        self._loop = loop

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> AuthResponse:
        asking = self._http.request(method, url, content=body, headers=headers, timeout=timeout or SECONDS)
        try:
            return _Answer(asyncio.run_coroutine_threadsafe(asking, self._loop).result())
        except httpx2.HTTPError as error:
            raise TransportError(error) from error  # type: ignore[no-untyped-call]


class Firebase:
    """Pushes to the devices of one Firebase project."""

    def __init__(self, http: httpx2.AsyncClient, credentials: Credentials) -> None:
        self._http = http
        self._credentials = credentials
        self._address = API.format(project=credentials.project_id)
        self._refreshing = asyncio.Lock()

    async def send(self, token: str, title: str, text: str, link: str | None = None) -> None:
        """Push to one device; Unavailable when it cannot be done now, Undeliverable when the token is dead."""
        message: dict[str, Any] = {"token": token, "notification": {"title": title, "body": text}}
        if link:
            message["data"] = {"action_url": link}
        answer = await self._post(message, await self._authority())
        if answer.status_code == 401:  # a token can be revoked before its time
            answer = await self._post(message, await self._authority(anew=True))
        if answer.status_code == 200:
            return
        if _is_dead(answer):
            raise Undeliverable("Firebase knows no such device.")
        raise Unavailable(f"Firebase does not take pushes now: {answer.status_code}.")

    async def _post(self, message: dict[str, Any], token: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            return await self._http.post(self._address, json={"message": message}, headers=headers, timeout=SECONDS)
        except httpx2.HTTPError as error:
            raise Unavailable("Firebase cannot be reached.") from error

    async def _authority(self, *, anew: bool = False) -> str:
        """An access token that is still good; fetched by one while the others wait."""
        async with self._refreshing:
            if anew or not self._credentials.valid:
                carrier = _OverHttpx(self._http, asyncio.get_running_loop())
                try:
                    await asyncio.to_thread(self._credentials.refresh, carrier)
                except GoogleAuthError as error:
                    raise Unavailable("Google does not let us push now.") from error
            return str(self._credentials.token)


def _is_dead(answer: httpx2.Response) -> bool:
    """Whether it is the device's token that Firebase refuses, now and for ever."""
    try:
        details = answer.json()["error"]["details"]
        codes = {each.get("errorCode") for each in details}
        fields = {field["field"] for each in details for field in each.get("fieldViolations", ())}
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(codes & DEAD) or "message.token" in fields


@asynccontextmanager
async def open_push(settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> AsyncIterator[Firebase | None]:
    """Firebase as the settings name it, or none."""
    if not settings.fcm_credentials_file:
        yield None
        return
    credentials = Credentials.from_service_account_file(settings.fcm_credentials_file, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    async with httpx2.AsyncClient(transport=transport) as http:
        yield Firebase(http, credentials)
