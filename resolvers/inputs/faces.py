"""What can be said about faces."""

from enum import StrEnum


class BiometricType(StrEnum):
    """What is recognised of a person.

    FACE_RECOGNITION: By the face.
    """

    FACE_RECOGNITION = "face_recognition"
