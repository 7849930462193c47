"""OpenCV's classical matcher: finds a face by Haar cascades and compares histograms of local binary patterns (LBPH).

It is for demonstrations, and beside another proof: light and pose break it, and a photograph fools it.
"""

import asyncio
import io
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from errors import BadUserInput
from settings import FaceMatcher

MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
FORMATS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS, LONGEST_SIDE = 12_000_000, 800
SIDE = 200
RADIUS, NEIGHBOURS, GRID = 1, 8, 8
FARTHEST = 4.0 * GRID * GRID
"""The distance of two templates that have nothing in common."""
SMALLEST_FACE, RIVAL = 80, 0.5
"""A second face counts when it has half the width of the first."""


def is_picture(raw: bytes) -> bool:
    """Whether bytes begin as those of a picture do."""
    return raw.startswith(MAGIC)


class OpenCvMatcher:
    """Works in a thread, since it holds a processor for some milliseconds."""

    kind = FaceMatcher.OPENCV
    threshold, lead = 0.86, 0.01

    @staticmethod
    def is_installed() -> bool:
        """Whether the extra `faces` is."""
        return find_spec("cv2") is not None and find_spec("PIL") is not None

    @cached_property
    def _cv2(self) -> Any:
        # Read with the first picture, in its thread: no server starts later for it.
        return import_module("cv2")

    @cached_property
    def _numpy(self) -> Any:
        return import_module("numpy")

    def takes(self, raw: bytes) -> bool:
        """Pictures, by how they begin."""
        return is_picture(raw)

    async def template(self, raw: bytes) -> bytes:
        """The histograms of the one face in a picture."""
        return await asyncio.to_thread(self._template, raw)

    def likeness(self, one: bytes, other: bytes) -> float:
        """1 for the same histograms, 0 for those that have nothing in common."""
        distance = self._cv2.compareHist(self._histograms(one), self._histograms(other), self._cv2.HISTCMP_CHISQR_ALT)
        return max(0.0, 1.0 - float(distance) / FARTHEST)

    def _template(self, raw: bytes) -> bytes:
        cv2, numpy, grey = self._cv2, self._numpy, self._numpy.asarray(_grey(raw))
        # A classifier must not be shared by threads, and reading one takes 20 ms.
        frontal = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
        found = frontal.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=6, minSize=(SMALLEST_FACE, SMALLEST_FACE))
        faces = sorted((tuple(map(int, each)) for each in found), key=lambda face: -face[2])
        if not faces:
            raise BadUserInput(face_data="No face can be seen in this picture.")
        x, y, width, height = faces[0]
        if len(faces) > 1 and faces[1][2] > width * RIVAL:
            raise BadUserInput(face_data="More than one face can be seen in this picture.")
        face = cv2.equalizeHist(cv2.resize(grey[y : y + height, x : x + width], (SIDE, SIDE)))
        recognizer = cv2.face.LBPHFaceRecognizer_create(RADIUS, NEIGHBOURS, GRID, GRID)
        recognizer.train([face], numpy.array([0]))
        histograms: bytes = recognizer.getHistograms()[0].astype(numpy.float16).tobytes()
        return histograms

    def _histograms(self, template: bytes) -> Any:
        return self._numpy.frombuffer(template, self._numpy.float16).astype(self._numpy.float32)


def _grey(raw: bytes) -> Any:
    """The picture without colours, upright and not larger than needed; its size is looked at before it is unfolded."""
    image, operations = import_module("PIL.Image"), import_module("PIL.ImageOps")
    try:
        with image.open(io.BytesIO(raw), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadUserInput(face_data=f"A picture has {MOST_PIXELS} pixels at most.")
            picture.draft("L", (LONGEST_SIDE, LONGEST_SIDE))
            upright = operations.exif_transpose(picture).convert("L")
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            return upright
    except (OSError, SyntaxError, ValueError, image.DecompressionBombError, image.DecompressionBombWarning):
        raise BadUserInput(face_data="This picture cannot be read; send a JPEG, PNG or WebP.") from None
