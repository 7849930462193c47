"""What clients see of faces: whether one is enrolled and what was allowed, never a template."""

import datetime

import strawberry

from models import bookings as booking_tables
from models import faces as tables
from models import kiosks as kiosk_tables
from resolvers import check_ins, faces, kiosks
from schema.bookings import local
from schema.fields import Connection, Record, column, computed, operation, related, shows
from schema.identity import Person, SignedIn, User
from schema.scheduling import Location
from settings import FaceMatcher


@shows(tables.Face)
class Face(Record):
    """An enrolled face."""

    matcher: FaceMatcher
    enrolled_at: datetime.datetime


@shows(tables.FaceConsent)
class FaceConsent(Record):
    """What a person allowed about their face, and whether they still do."""

    purpose: str
    version: str
    door: str
    withdrawn_at: datetime.datetime | None


@strawberry.type(description="A face was enrolled.")
class FaceRegistered:
    """The payload of registerFace."""

    device_token: str = strawberry.field(
        description="Shown once: with it this device signs in by the face where a face alone is not enough."
    )
    user: User = strawberry.field(description="Whose face it is.")
    consent: FaceConsent = strawberry.field(description="What was allowed.")


@shows(booking_tables.Booking, with_keys=False)
class ExpectedVisit(Record):
    """An appointment as the screen at the entrance may show it."""

    number: int = column("id")
    service_name: str | None = column("service.name")
    room_name: str | None = column("appointment.room.name")
    date: datetime.date = computed(
        ["starts_at", "location.time_zone"], lambda row: local(row, "starts_at").date(), "The day, in the location's calendar."
    )
    start_time: datetime.time = computed(
        ["starts_at", "location.time_zone"], lambda row: local(row, "starts_at").time(), "When it begins, in the location's own time."
    )


@strawberry.type(description="What the welcome screen shows.")
class CheckedIn:
    """The payload of checkIn."""

    success: bool = strawberry.field(description="Always true: whoever is not recognised is refused.")
    guest: Person = strawberry.field(description="Who has come.")
    visit: ExpectedVisit | None = strawberry.field(description="Their next appointment.")
    room_ready: bool = strawberry.field(description="Whether its room is free and everything in it works.")
    welcome_message: str = strawberry.field(description="A greeting.")


@shows(kiosk_tables.Kiosk)
class Kiosk(Record):
    """A screen at an entrance."""

    slug: str
    revoked_at: datetime.datetime | None
    location: Location = related("location")


@strawberry.type(description="A kiosk was set up.")
class KioskMinted:
    """The payload of mintKiosk."""

    token: str = strawberry.field(description="Shown once; the kiosk sends it as Authorization: Bearer.")
    kiosk: Kiosk = strawberry.field(description="The kiosk.")


@strawberry.type
class FaceQueries:
    """Reading about faces and kiosks."""

    my_face: Face | None = operation(faces.get_my_face)
    my_face_consents: list[FaceConsent] = operation(faces.list_my_face_consents)
    kiosks: Connection[Kiosk] = operation(kiosks.list_kiosks)


@strawberry.type
class FaceMutations:
    """Enrolling, signing in and checking in by face."""

    register_face: FaceRegistered = operation(faces.register_face)
    delete_my_face: User = operation(faces.delete_my_face)
    sign_in_with_face: SignedIn = operation(faces.sign_in_with_face)
    check_in: CheckedIn = operation(check_ins.check_in)
    mint_kiosk: KioskMinted = operation(kiosks.mint_kiosk)
    revoke_kiosk: Kiosk = operation(kiosks.revoke_kiosk)
