"""Faces: a picture goes in, what can be compared of it comes out, and nobody keeps the picture. What it proves: docs/faces.md."""

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol, Self

from errors import BadUserInput, FacesOff
from gateways.face_pictures import OpenCvMatcher
from gateways.face_provider import FaceProvider
from gateways.simulators.faces import SimulatedMatcher
from settings import FaceMatcher, Settings

LARGEST_PICTURE = 1_000_000
DATA_URI = re.compile(r"data:image/[a-z+.-]{1,20};base64,")
URL_SAFE = str.maketrans("-_", "+/")


class Matcher(Protocol):
    """Makes templates of pictures, and tells how alike two of them are."""

    kind: FaceMatcher
    threshold: float
    lead: float

    def takes(self, raw: bytes) -> bool:
        """Whether this can be a picture for it."""

    async def template(self, raw: bytes) -> bytes:
        """What can be compared of the one face in a picture; BadUserInput when there is none, or more than one."""

    def likeness(self, one: bytes, other: bytes) -> float:
        """How alike two templates are, 1 at most; runs in a worker thread."""


@dataclass(frozen=True)
class Template:
    """What can be compared of a face, and with whose others."""

    matcher: FaceMatcher
    data: bytes


@dataclass(frozen=True)
class Demands:
    """What a match must reach."""

    threshold: float
    lead: float


class Faces:
    """The matchers of this server; none where it takes no faces."""

    def __init__(self, settings: Settings, *matchers: Matcher) -> None:
        self._settings = settings
        self._matchers = {each.kind: each for each in matchers}
        self._closing = AsyncExitStack()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The matcher that the settings name; in demo mode the simulator, and OpenCV for pictures where it is installed."""
        chosen: list[Matcher] = [SimulatedMatcher()] if settings.is_demo else []
        if settings.face_matcher is FaceMatcher.PROVIDER:
            chosen.append(FaceProvider(settings))
        elif settings.face_matcher is FaceMatcher.OPENCV or (
            settings.is_demo and settings.face_matcher is None and OpenCvMatcher.is_installed()
        ):
            chosen.append(OpenCvMatcher())
        return cls(settings, *chosen)

    async def __aenter__(self) -> Self:
        for each in self._matchers.values():
            if isinstance(each, FaceProvider):
                await self._closing.enter_async_context(each)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def read(self, face_data: str) -> Template:
        """What can be compared of a picture in base64; FacesOff where faces are not taken, BadUserInput when it shows not one face."""
        if not self._matchers:
            raise FacesOff
        raw = _decoded(face_data)
        matcher = next((each for each in self._matchers.values() if each.takes(raw)), None)
        if matcher is None:
            raise BadUserInput(face_data="This is not a picture that can be compared here.")
        return Template(matcher.kind, await matcher.template(raw))

    async def compare(self, template: Template, others: Sequence[bytes]) -> list[float]:
        """How much each of the others is like it."""
        likeness = self._matchers[template.matcher].likeness
        return await asyncio.to_thread(lambda: [likeness(template.data, each) for each in others])

    def demands(self, kind: FaceMatcher) -> Demands:
        """What a match by a matcher must reach here."""
        own, said = self._matchers[kind], self._settings
        return Demands(
            own.threshold if said.face_threshold is None else said.face_threshold, own.lead if said.face_lead is None else said.face_lead
        )


def _decoded(face_data: str) -> bytes:
    """The bytes of any spelling of base64, with or without the prefix that browsers put before it."""
    if len(face_data) > LARGEST_PICTURE * 4 // 3 + 100:
        raise BadUserInput(face_data=f"A picture has {LARGEST_PICTURE} bytes at most.")
    text = DATA_URI.sub("", face_data.strip(), count=1).translate(URL_SAFE).rstrip("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadUserInput(face_data="This is not base64.") from None
    if not raw:
        raise BadUserInput(face_data="This field is required.")
    return raw
