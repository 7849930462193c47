"""Intuit, as far as we use it, for demos and tests: discovery, tokens that end and are replaced, and a company's books."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests
from requests.adapters import BaseAdapter

DISCOVERY = {
    "issuer": "https://oauth.platform.intuit.com/op/v1",
    "authorization_endpoint": "https://appcenter.intuit.com/connect/oauth2",
    "token_endpoint": "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
    "userinfo_endpoint": "https://sandbox-accounts.platform.intuit.com/v1/openid_connect/userinfo",
    "revocation_endpoint": "https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
    "jwks_uri": "https://oauth.platform.intuit.com/op/v1/jwks",
}
NAMES = {each.lower(): each for each in ("Customer", "Item", "SalesReceipt", "RefundReceipt")}
UNIQUE = {"Customer": "DisplayName", "Item": "Name"}


class SimulatedIntuit(BaseAdapter):
    """Answers Intuit's HTTP inside of this process."""

    def __init__(self, refresh_token: str | None = None) -> None:
        super().__init__()
        self.refresh_token = refresh_token
        """The only good one; none: whichever comes first."""
        self.access_tokens: set[str] = set()
        self.books: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES.values()}
        self.seen: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.is_away = False
        self.loses_answers = False

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer one request, unless the line is cut: before it came, or after it was done."""
        url = urlsplit(request.url or "")
        self.calls.append(f"{request.method} {url.path}")
        if self.is_away:
            raise requests.ConnectionError("away")
        status, body = self._answer(request, url.path, {name: each[0] for name, each in parse_qs(url.query).items()})
        if self.loses_answers:
            raise requests.ReadTimeout("lost")
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, request.url or ""
        response._content = json.dumps(body).encode()
        response.headers["Content-Type"] = "application/json"
        return response

    def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if "openid" in path:
            return 200, DISCOVERY
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
        if path == "/oauth2/v1/tokens/bearer":
            return self._token(parse_qs(body))
        if str(request.headers.get("Authorization", "")).removeprefix("Bearer ") not in self.access_tokens:
            return 401, {"Fault": {"type": "AUTHENTICATION", "Error": [{"Message": "Token expired", "code": "3200"}]}}
        name = NAMES[path.rpartition("/")[2]]
        return self._add(name, json.loads(body), query.get("requestid", ""))

    def _token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        given = form["refresh_token"][0]
        if self.refresh_token not in (None, given):
            return 400, {"error": "invalid_grant"}
        self.refresh_token, access = f"refresh-{uuid4().hex}", f"access-{uuid4().hex}"
        self.access_tokens.add(access)
        return 200, {
            "access_token": access, "refresh_token": self.refresh_token, "expires_in": 3600, "x_refresh_token_expires_in": 8726400,
            "token_type": "bearer",
        }  # fmt: skip

    def _add(self, name: str, made: dict[str, Any], request_id: str) -> tuple[int, dict[str, Any]]:
        if request_id in self.seen:
            return 200, self.seen[request_id]
        key = UNIQUE.get(name)
        if key and any(each[key] == made[key] for each in self.books[name]):
            return 400, _fault(6240, "Duplicate Name Exists Error", f"The name supplied already exists: {made[key]}")
        if "Line" in made and not made["Line"]:
            return 400, _fault(2020, "Required param missing, need to supply the required value for the API", "Line")
        stored = {**made, "Id": str(uuid4().int % 10**12), "SyncToken": "0"}
        self.books[name].append(stored)
        self.seen[request_id] = {name: stored, "time": "2026-01-01T00:00:00.000-08:00"}
        return 200, self.seen[request_id]


def _fault(code: int, message: str, detail: str) -> dict[str, Any]:
    return {"Fault": {"type": "ValidationFault", "Error": [{"Message": message, "Detail": detail, "code": str(code)}]}}
