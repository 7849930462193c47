"""Twilio, MSG91 and Firebase as tests play them: they speak the protocols, keep what they are sent, and fail when told to."""

import json
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx2
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = rsa.generate_private_key(65537, 2048)
ACCOUNT, TOKEN, PROJECT = "AC0123456789abcdef0123456789abcdef", "twilio-token", "atrium-test"


@dataclass
class Carriers:
    """All three; `refusals` are answered before anything is taken, one each."""

    texts: list[dict[str, str]] = field(default_factory=list)
    pushes: list[dict[str, Any]] = field(default_factory=list)
    grants: int = 0
    refusals: list[tuple[int, Any]] = field(default_factory=list)

    def transport(self) -> httpx2.ASGITransport:
        """What carries requests of a client to them, whatever host they are for."""
        return httpx2.ASGITransport(
            app=Starlette(
                routes=[
                    Route(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self._twilio, methods=["POST"]),
                    Route("/api/v5/flow/", self._msg91, methods=["POST"]),
                    Route("/token", self._google, methods=["POST"]),
                    Route(f"/v1/projects/{PROJECT}/messages:send", self._firebase, methods=["POST"]),
                ]
            )
        )

    def _refusal(self) -> Response | None:
        if not self.refusals:
            return None
        status, body = self.refusals.pop(0)
        return JSONResponse(body, status)

    async def _twilio(self, request: Request) -> Response:
        kind, _, secret = request.headers["authorization"].partition(" ")
        assert (kind, b64decode(secret).decode()) == ("Basic", f"{ACCOUNT}:{TOKEN}")
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        if refusal := self._refusal():
            return refusal
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode(), strict_parsing=True).items()}
        self.texts.append(form)
        return JSONResponse({"sid": f"SM{len(self.texts):032}", "status": "queued", "to": form["To"], "body": form["Body"]}, 201)

    async def _msg91(self, request: Request) -> Response:
        assert request.headers["authkey"] == "msg91-key"
        if refusal := self._refusal():
            return refusal
        body = await request.json()
        for each in body["recipients"]:
            self.texts.append({"template": body["template_id"], **each})
        return JSONResponse({"type": "success", "message": "5762846b4f8d285d378b4567"})

    async def _google(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        claims = jwt.decode(form["assertion"][0], KEY.public_key(), algorithms=["RS256"], audience="https://oauth2.googleapis.com/token")
        assert claims["iss"] == "pusher@example.com"
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        self.grants += 1
        return JSONResponse({"access_token": f"granted-{self.grants}", "expires_in": 3600, "token_type": "Bearer"})

    async def _firebase(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer granted-{self.grants}"
        if refusal := self._refusal():
            return refusal
        message = (await request.json())["message"]
        if message["token"].startswith("dead"):
            return JSONResponse(firebase_error(404, "NOT_FOUND", "UNREGISTERED"), 404)
        self.pushes.append(message)
        return JSONResponse({"name": f"projects/{PROJECT}/messages/{len(self.pushes)}"})


def firebase_error(code: int, status: str, reason: str) -> dict[str, Any]:
    """An error as Firebase spells it."""
    detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": reason}
    return {"error": {"code": code, "message": "No.", "status": status, "details": [detail]}}


def service_account(folder: Path) -> str:
    """The file of a service account, whose key only these tests know."""
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    file = folder / "firebase.json"
    about = {"type": "service_account", "project_id": PROJECT, "private_key_id": "1", "private_key": pem, "client_id": "1"}
    file.write_text(json.dumps({**about, "client_email": "pusher@example.com", "token_uri": "https://oauth2.example.com/token"}))
    return str(file)
