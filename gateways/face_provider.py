"""An external provider of face templates, over HTTP: CompreFace's detection service, or what speaks like it.

The provider answers an embedding, a list of numbers that is near that of another picture of the same face. Comparing is ours, so that
it never learns whose face it was. Whether a living face was before the camera is told by a plugin named `liveness`.
"""

import base64
import math
import struct
from typing import Any, Self

import httpx2

from errors import BadUserInput, Unavailable
from gateways.face_pictures import is_picture
from settings import FaceMatcher, Settings

PATH = "/api/v1/detection/detect"
TIMEOUT = httpx2.Timeout(8, connect=3)
NO_FACE = 28
"""CompreFace's code for a picture in which no face was found."""
MOST_NUMBERS = 4096


class FaceProvider:
    """One detection service with its key."""

    kind = FaceMatcher.PROVIDER
    threshold, lead = 0.75, 0.05

    def __init__(self, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._liveness = settings.face_liveness
        key = settings.face_provider_key.get_secret_value() if settings.face_provider_key else ""
        self._client = httpx2.AsyncClient(
            base_url=settings.face_provider_url or "", headers={"x-api-key": key}, timeout=TIMEOUT, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def takes(self, raw: bytes) -> bool:
        """Pictures, by how they begin."""
        return is_picture(raw)

    async def template(self, raw: bytes) -> bytes:
        """The embedding of the one living face in a picture; Unavailable when the provider does not answer."""
        faces = await self._detect(raw)
        if not faces:
            raise BadUserInput(face_data="No face can be seen in this picture.")
        if len(faces) > 1:
            raise BadUserInput(face_data="More than one face can be seen in this picture.")
        try:
            numbers = [float(each) for each in faces[0]["embedding"]]
            liveness = float(faces[0]["liveness"]["probability"]) if self._liveness else 1.0
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable("The face provider did not answer what it was asked for.") from error
        if not 0 < len(numbers) <= MOST_NUMBERS or not all(map(math.isfinite, numbers)) or not any(numbers):
            raise Unavailable("The face provider answered no embedding.")
        if not liveness >= self._liveness:
            raise BadUserInput(face_data="This does not look like a living face; try again before the camera.")
        length = math.sqrt(math.fsum(each * each for each in numbers))
        return struct.pack(f"<{len(numbers)}f", *(each / length for each in numbers))

    def likeness(self, one: bytes, other: bytes) -> float:
        """The cosine of the angle between two embeddings; none between those of different models."""
        if len(one) != len(other):
            return 0.0
        form = f"<{len(one) // 4}f"
        return math.fsum(a * b for a, b in zip(struct.unpack(form, one), struct.unpack(form, other), strict=True))

    async def _detect(self, raw: bytes) -> list[dict[str, Any]]:
        plugins = "calculator,liveness" if self._liveness else "calculator"
        body = {"file": base64.b64encode(raw).decode()}
        try:
            answer = await self._client.post(PATH, params={"face_plugins": plugins, "limit": 2}, json=body)
            told = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable("The face provider does not answer. Try again shortly.") from error
        if answer.status_code == 400 and isinstance(told, dict) and told.get("code") == NO_FACE:
            return []
        found = told.get("result") if answer.status_code == 200 and isinstance(told, dict) else None
        if not isinstance(found, list):
            raise Unavailable(f"The face provider answered {answer.status_code}.")
        return found
