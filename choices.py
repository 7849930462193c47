"""What settings choose among; settings.py shows them on."""

from enum import StrEnum


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """From where on something is worth a line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Introspection(StrEnum):
    """Who may ask GraphQL about its schema."""

    EVERYBODY = "everybody"
    STAFF = "staff"
    NOBODY = "nobody"


class FaceLogin(StrEnum):
    """Whether people may sign in with their face."""

    ON = "on"
    DEVICE = "device"
    OFF = "off"


class FaceMatcher(StrEnum):
    """What compares faces.

    SIMULATOR: Compares pictures by their bytes, for the demo.
    OPENCV: Compares faces on this machine.
    PROVIDER: Leaves the comparing to a provider.
    """

    SIMULATOR = "simulator"
    OPENCV = "opencv"
    PROVIDER = "provider"


class SmsProvider(StrEnum):
    """Who carries text messages."""

    TWILIO = "twilio"
    MSG91 = "msg91"


class MqttVersion(StrEnum):
    """Which MQTT is spoken with the devices' broker."""

    V311 = "3.1.1"
    V5 = "5"
