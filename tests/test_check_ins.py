"""Checking in at an entrance: by whom, among whom, and what the welcome screen learns."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import Range

from errors import AlreadyExists, BadUserInput, Forbidden, NotFound, Unauthenticated
from gateways.all import open_gateways
from gateways.simulators.faces import synthetic_face
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.database import Database
from models.event_log import EventRecord
from models.faces import FaceCheck
from models.identity import Role, Session
from models.keys import Key
from models.rooms import Device, DeviceType
from models.scheduling import Location, Reservation
from resolvers import bookings, check_ins, faces, identity, kiosks
from resolvers.authentication import authenticate
from resolvers.context import Context
from settings import Mode, Settings
from tests.people import PASSWORD, as_viewer, call, join, nobody
from tests.worlds import Spa, make_spa

JOHN, ANN = synthetic_face("John Doe"), synthetic_face("Ann Lee")


@dataclass
class Entrance:
    """A spa with an administrator, two guests whose faces are enrolled, and a request by nobody."""

    stranger: Context
    admin: Context
    john: Context
    ann: Context
    spa: Spa
    database: Database

    def strict(self, ctx: Context) -> Context:
        """The same request outside demo mode, with the matcher of the demo."""
        return ctx.but(settings=ctx.settings.model_copy(update={"mode": Mode.PRODUCTION}))

    async def kiosk(self, slug: str = "mensuite_entrance") -> Context:
        """What a kiosk at the spa asks with, outside demo mode."""
        minted = await call(kiosks.mint_kiosk, self.admin, location_id=Key(number=self.spa.location.id), slug=slug)
        viewer = await authenticate(self.database, self.stranger.settings, minted.token)
        return self.strict(self.stranger.with_viewer(viewer))

    async def visit(self, guest: Context, *, hours: float = 1, location_id: int | None = None) -> int:
        """An appointment of a guest's in the first room."""
        starts = datetime.now(UTC) + timedelta(hours=hours)
        async with self.database.sessions.begin() as db:
            booking = Booking(
                kind=BookingKind.APPOINTMENT,
                customer_id=guest.viewer.id,
                service_id=self.spa.service.id,
                location_id=location_id or self.spa.location.id,
                status=BookingStatus.CONFIRMED,
                starts_at=starts,
                ends_at=starts + timedelta(hours=1),
                total_amount=Decimal(100),
                special_requests="None of the kiosk's business",
            )
            db.add(booking)
            await db.flush()
            db.add(Appointment(booking_id=booking.id, room_id=self.spa.rooms[0].id))
        return booking.id


@pytest.fixture
async def entrance(database: Database, settings: Settings) -> AsyncIterator[Entrance]:
    async with open_gateways(settings, database) as gateways:
        stranger = replace(nobody(database, settings), gateways=gateways)
        admin, john, ann = [await as_viewer(stranger, await join(stranger, *roles, first_name=name)) for name, roles in PEOPLE.items()]
        for person, face in ((john, JOHN), (ann, ANN)):
            await call(faces.register_face, person, face_data=face, consent=True, password=PASSWORD)
        yield Entrance(stranger, admin, john, ann, await make_spa(database), database)


PEOPLE: dict[str, tuple[Role, ...]] = {"Ada": (Role.ADMIN,), "John": (), "Ann": ()}


async def test_a_kiosk_greets_the_guest_who_is_expected(entrance: Entrance, database: Database) -> None:
    booking = await entrance.visit(entrance.john)
    await entrance.visit(entrance.ann)
    done = await call(check_ins.check_in, await entrance.kiosk(), face_data=JOHN)
    assert (done.guest.id, done.visit.id, done.welcome_message) == (entrance.john.viewer.id, booking, "Welcome back, John!")
    assert done.room_ready
    async with database.sessions() as db:
        arrived = (await db.scalars(select(Appointment.arrived_at).where(Appointment.booking_id == booking))).one()
        assert arrived is not None
        told = (await db.scalars(select(EventRecord.subject_id).where(EventRecord.kind == "booking.guest_arrived"))).all()
        assert told == [booking]
        assert len((await db.scalars(select(Session))).all()) == len(PEOPLE)


async def test_a_second_check_in_announces_nothing_new(entrance: Entrance, database: Database) -> None:
    await entrance.visit(entrance.john)
    kiosk = await entrance.kiosk()
    for _ in range(2):
        assert (await call(check_ins.check_in, kiosk, face_data=JOHN)).success
    async with database.sessions() as db:
        assert len((await db.scalars(select(EventRecord.id).where(EventRecord.kind == "booking.guest_arrived"))).all()) == 1


@pytest.mark.parametrize("hours", [None, 13, -2])
async def test_a_kiosk_knows_only_faces_that_are_expected_soon(entrance: Entrance, database: Database, hours: float | None) -> None:
    if hours is not None:
        await entrance.visit(entrance.john, hours=hours)
    await entrance.visit(entrance.ann)
    with pytest.raises(NotFound, match="not recognised"):
        await call(check_ins.check_in, await entrance.kiosk(), face_data=JOHN)
    async with database.sessions() as db:
        [check] = (await db.scalars(select(FaceCheck))).all()
    assert (check.compared, check.is_accepted) == (1, False)


async def test_a_kiosk_knows_nobody_who_is_expected_elsewhere(entrance: Entrance, database: Database) -> None:
    async with database.sessions.begin() as db:
        other = Location(name="Uptown", slug="uptown", time_zone="UTC", schedule_id=entrance.spa.location.schedule_id)
        db.add(other)
    await entrance.visit(entrance.john, location_id=other.id)
    with pytest.raises(NotFound):
        await call(check_ins.check_in, await entrance.kiosk(), face_data=JOHN, location="uptown")


async def test_outside_demo_mode_only_kiosks_and_staff_check_guests_in(entrance: Entrance) -> None:
    await entrance.visit(entrance.john)
    with pytest.raises(Forbidden):
        await call(check_ins.check_in, entrance.strict(entrance.john), face_data=JOHN, location="downtown")
    with pytest.raises(Unauthenticated):
        await call(check_ins.check_in, entrance.stranger, face_data=JOHN, location="downtown")
    assert (await call(check_ins.check_in, entrance.strict(entrance.admin), face_data=JOHN, location="downtown")).success
    # In demo mode whoever is signed in may try it, as the document shows it, with any face and without an appointment.
    done = await call(check_ins.check_in, entrance.ann, face_data=ANN, location="downtown")
    assert (done.guest.id, done.visit, done.room_ready) == (entrance.ann.viewer.id, None, False)


async def test_an_unknown_entrance_is_a_bad_field(entrance: Entrance) -> None:
    for location in (None, "nowhere"):
        with pytest.raises(BadUserInput) as refused:
            await call(check_ins.check_in, entrance.admin, face_data=JOHN, location=location)
        assert list(refused.value.fields) == ["location"]
    await entrance.kiosk("garden_entrance")
    assert (await call(check_ins.check_in, entrance.admin, face_data=JOHN, location="garden_entrance")).success


async def test_a_room_with_somebody_or_something_broken_in_it_is_not_ready(entrance: Entrance, database: Database) -> None:
    await entrance.visit(entrance.john)
    other = await entrance.visit(entrance.ann, hours=-0.5)
    kiosk, room = await entrance.kiosk(), entrance.spa.rooms[0]
    async with database.sessions.begin() as db:
        now = datetime.now(UTC)
        during = Range(now - timedelta(minutes=30), now + timedelta(minutes=30))
        db.add(taken := Reservation(resource_id=room.resource_id, during=during, booking_id=other))
    assert not (await call(check_ins.check_in, kiosk, face_data=JOHN)).room_ready
    async with database.sessions.begin() as db:
        await db.delete(taken)
        db.add(Device(room_id=room.id, name="Lights", device_type=DeviceType.LIGHTING, zone="main", in_maintenance=True))
    assert not (await call(check_ins.check_in, kiosk, face_data=JOHN)).room_ready
    async with database.sessions.begin() as db:
        await db.execute(update(Device).values(in_maintenance=False))
    assert (await call(check_ins.check_in, kiosk, face_data=JOHN)).room_ready


async def test_a_kiosk_can_do_nothing_else(entrance: Entrance) -> None:
    kiosk = await entrance.kiosk()
    for operation in (identity.me, bookings.list_my_bookings, bookings.list_bookings, kiosks.list_kiosks, faces.get_my_face):
        with pytest.raises(Forbidden):
            operation.admit(kiosk.viewer)
    with pytest.raises(Unauthenticated):
        _ = kiosk.viewer.id


async def test_a_revoked_kiosk_is_refused_at_once_and_its_name_is_free(entrance: Entrance, database: Database, settings: Settings) -> None:
    location = Key[Location](number=entrance.spa.location.id)
    minted = await call(kiosks.mint_kiosk, entrance.admin, location_id=location, slug="door")
    with pytest.raises(AlreadyExists):
        await call(kiosks.mint_kiosk, entrance.admin, location_id=location, slug="door")
    assert (await authenticate(database, settings, minted.token)).kiosk_id == minted.kiosk.id
    await call(kiosks.revoke_kiosk, entrance.admin, id=Key(number=minted.kiosk.id))
    for token in (minted.token, "kiosk_nonsense"):
        with pytest.raises(Unauthenticated):
            await authenticate(database, settings, token)
    again = await call(kiosks.mint_kiosk, entrance.admin, location_id=location, slug="door")
    assert again.token != minted.token


@pytest.mark.parametrize("slug", ["", "Door", "a door", "x" * 61, "-"])
async def test_only_administrators_mint_kiosks_and_by_plain_names(entrance: Entrance, slug: str) -> None:
    arguments: dict[str, Any] = {"location_id": Key(number=entrance.spa.location.id), "slug": slug}
    with pytest.raises(Forbidden):
        await call(kiosks.mint_kiosk, entrance.john, **arguments)
    with pytest.raises(BadUserInput):
        await call(kiosks.mint_kiosk, entrance.admin, **arguments)
