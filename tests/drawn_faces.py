"""Pictures of faces of nobody: drawn, so that tests need no photograph of anybody."""

import random
from typing import Any

import cv2
import numpy

SIDE, SKIN, HAIR = 480, 170, 50
TEXTURE = 5
PEOPLE = (1, 4, 10, 11)
"""Numbers whose faces the cascade sees in each of the takes 0 to 3."""


def picture(*people: int, take: int = 0, form: str = ".png") -> bytes:
    """A picture of one or more people side by side; another take moves a little, and has other noise."""
    encoded: bytes = cv2.imencode(form, numpy.hstack([_face(each, take) for each in people]))[1].tobytes()
    return encoded


def empty_picture(width: int = SIDE, height: int = SIDE) -> bytes:
    """A picture that shows nothing; even a very large one is a few bytes."""
    encoded: bytes = cv2.imencode(".png", numpy.full((height, width), 200, numpy.uint8))[1].tobytes()
    return encoded


def _face(person: int, take: int) -> Any:
    """Sizes and skin are the person's, place and noise the take's."""
    own, moved = random.Random(person), random.Random(take)  # noqa: S311 - no secret
    image = numpy.full((SIDE, SIDE), 200, numpy.uint8)
    x, y = SIDE // 2 + moved.randint(-6, 6), SIDE // 2 + moved.randint(-6, 6)
    width, height = 120 + own.randint(-12, 12), 160 + own.randint(-15, 15)
    _ellipse(image, (x, y), (width, height), SKIN)
    apart, high = 48 + own.randint(-6, 6), -40 + own.randint(-8, 8)
    for side in (x - apart, x + apart):
        _ellipse(image, (side, y + high), (30, 18), 110)
        _ellipse(image, (side, y + high), (24, 11), 225)
        cv2.circle(image, (side, y + high), 8 + own.randint(0, 4), 30, -1)
        cv2.ellipse(image, (side, y + high - 28 - own.randint(0, 6)), (32, 7 + own.randint(0, 4)), 0, 180, 360, 60, -1)
    cv2.line(image, (x - 6, y - 20), (x - 14, y + 35), 135, 6)
    _ellipse(image, (x, y + 36), (20 + own.randint(-4, 6), 9), 120)
    _ellipse(image, (x, y + 80 + own.randint(-6, 6)), (42 + own.randint(-10, 10), 13 + own.randint(-4, 6)), 80)
    cv2.ellipse(image, (x, y - height + 30), (width, 60 + own.randint(-10, 25)), 0, 180, 360, HAIR, -1)
    skin = cv2.GaussianBlur(numpy.random.default_rng(person).normal(0, 1, image.shape), (0, 0), 5)
    skin = numpy.roll(skin / skin.std() * TEXTURE, (y - SIDE // 2, x - SIDE // 2), (0, 1))
    noise = numpy.random.default_rng(take).normal(0, 1, image.shape)
    return numpy.clip(cv2.GaussianBlur(image, (9, 9), 0) + skin + noise, 0, 255).astype(numpy.uint8)


def _ellipse(image: Any, at: tuple[int, int], size: tuple[int, int], shade: int) -> None:
    cv2.ellipse(image, at, size, 0, 0, 360, shade, -1)
