"""Faces that nobody has: stable numbers per name, for demos and tests. No picture is looked at."""

import base64
import hashlib
import math
import random
import struct

from gateways.face_pictures import is_picture
from settings import FaceMatcher

HEAD, NUMBERS = b"atrium synthetic face\n", 128
FORM = f"<{NUMBERS}f"


def synthetic_face(name: str, *, noise: float = 0.0) -> str:
    """The face data of somebody's synthetic face; noise makes another take of the same face, and a large one a stranger's."""
    face = _numbers(name.strip().casefold().encode())
    if noise:
        face = [each + random.gauss(0, noise) for each in face]
    return base64.b64encode(HEAD + struct.pack(FORM, *face)).decode()


class SimulatedMatcher:
    """Compares synthetic faces; other bytes that are no picture stand for the face that they are the name of."""

    kind = FaceMatcher.SIMULATOR
    threshold, lead = 0.8, 0.1

    def takes(self, raw: bytes) -> bool:
        """Everything but pictures."""
        return not is_picture(raw)

    async def template(self, raw: bytes) -> bytes:
        """The numbers of a synthetic face, at length one."""
        body = raw.removeprefix(HEAD)
        is_ours = len(body) == struct.calcsize(FORM) and raw != body
        numbers = struct.unpack(FORM, body) if is_ours else _numbers(raw)
        length = math.sqrt(math.fsum(each * each for each in numbers if math.isfinite(each))) or 1.0
        return struct.pack(FORM, *((each / length if math.isfinite(each) else 0.0) for each in numbers))

    def likeness(self, one: bytes, other: bytes) -> float:
        """The cosine of the angle between two."""
        return math.fsum(a * b for a, b in zip(struct.unpack(FORM, one), struct.unpack(FORM, other), strict=True))


def _numbers(seed: bytes) -> list[float]:
    """A direction in a space so wide that two of them are never alike by chance."""
    drawn = random.Random(hashlib.sha256(seed).digest())  # noqa: S311 - the same face in every demo
    return [drawn.gauss(0, 1) for _ in range(NUMBERS)]
