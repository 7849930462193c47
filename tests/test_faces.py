"""Faces: what is enrolled, who is let in by one, and who is not."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select, update

from errors import BadUserInput, FacesOff, InvalidCredentials, RateLimited
from gateways.all import open_gateways
from gateways.faces import Demands, Faces
from gateways.simulators.faces import SimulatedMatcher, synthetic_face
from models.database import Database
from models.faces import Face, FaceCheck, FaceConsent, FaceUse
from models.history import Change
from models.identity import User
from models.notifications import OutboxMessage
from resolvers import faces
from resolvers.context import Context
from resolvers.face_matching import judge
from resolvers.limits import forget_counters
from resolvers.lockout import TRIES_PER_ACCOUNT
from resolvers.sessions import SignedIn
from settings import FaceLogin, Mode, Settings
from tests.people import PASSWORD, as_viewer, call, join, nobody

JOHN, ANN = synthetic_face("John Doe"), synthetic_face("Ann Lee")


@dataclass
class Door:
    """A stranger's request to a server that takes faces, and two people with accounts."""

    stranger: Context
    john: Context
    ann: Context
    johns: SignedIn

    def but(self, **changes: object) -> Context:
        """The stranger at a server with other settings."""
        return self.stranger.but(settings=self.stranger.settings.model_copy(update=changes))

    async def enrol(self, face: str = JOHN, who: Context | None = None) -> str:
        """Enrol a face; the token of the device that did it."""
        done = await call(faces.register_face, who or self.john, face_data=face, consent=True, password=PASSWORD)
        return str(done.device_token)


@pytest.fixture
async def door(database: Database, settings: Settings) -> AsyncIterator[Door]:
    async with open_gateways(settings, database) as gateways:
        stranger = replace(nobody(database, settings), gateways=gateways)
        john, ann = await join(stranger, first_name="John"), await join(stranger, first_name="Ann")
        yield Door(stranger, await as_viewer(stranger, john), await as_viewer(stranger, ann), john)


async def rows(database: Database, table: type) -> list[object]:
    async with database.sessions() as db:
        return list(await db.scalars(select(table).order_by(table.id)))  # type: ignore[attr-defined]


async def test_an_enrolled_face_signs_its_owner_in(door: Door, database: Database) -> None:
    await door.enrol()
    await door.enrol(ANN, door.ann)
    signed_in = await call(faces.sign_in_with_face, door.stranger, face_data=synthetic_face("john doe ", noise=0.3))
    assert (await as_viewer(door.stranger, signed_in)).viewer.id == door.john.viewer.id
    [check] = await rows(database, FaceCheck)
    assert isinstance(check, FaceCheck)
    assert (check.purpose, check.user_id, check.compared, check.is_accepted) == (FaceUse.SIGN_IN, door.john.viewer.id, 2, True)
    assert check.likeness
    assert check.runner_up is not None
    assert check.likeness > check.threshold == SimulatedMatcher.threshold
    assert check.likeness - check.runner_up > check.lead


async def test_an_unknown_face_is_refused_and_noted(door: Door, database: Database) -> None:
    await door.enrol()
    with pytest.raises(InvalidCredentials, match="not recognised"):
        await call(faces.sign_in_with_face, door.stranger, face_data=ANN)
    [check] = await rows(database, FaceCheck)
    assert isinstance(check, FaceCheck)
    assert not check.is_accepted
    assert check.likeness
    assert check.likeness < 0.5


async def test_a_face_that_two_people_enrolled_opens_neither_account(door: Door) -> None:
    await door.enrol()
    await door.enrol(JOHN, door.ann)
    with pytest.raises(InvalidCredentials):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)


@pytest.mark.parametrize(
    ("scores", "nearest", "is_accepted"),
    [
        ([], None, False),
        ([0.9], 0, True),
        ([0.79], 0, False),
        ([0.2, 0.8], 1, True),
        ([0.95, 0.86], 0, False),
        ([0.95, 0.85], 0, True),
        ([0.9, 0.9, 0.1], 0, False),
    ],
)
def test_a_match_is_above_the_threshold_and_clearly_ahead(scores: list[float], nearest: int | None, is_accepted: bool) -> None:
    found = judge(scores, Demands(threshold=0.8, lead=0.09))
    assert (found.nearest, found.is_accepted) == (nearest, is_accepted)


async def test_what_is_stored_is_no_picture_and_opens_only_in_its_own_row(door: Door, database: Database) -> None:
    await door.enrol()
    await door.enrol(ANN, door.ann)
    async with database.sessions.begin() as db:
        stored = (await db.scalars(select(Face).order_by(Face.id))).all()
        assert JOHN not in {each.template for each in stored}
        assert "***" in str((await db.scalars(select(Change.after).where(Change.table_name == "faces"))).all())
        # Ann's template in John's row would make her face his.
        await db.execute(update(Face).where(Face.id == stored[0].id).values(template=stored[1].template))
    with pytest.raises(InvalidCredentials):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)
    signed_in = await call(faces.sign_in_with_face, door.stranger, face_data=ANN)
    assert signed_in.user.id == door.ann.viewer.id


async def test_enrolling_needs_consent_and_notes_it(door: Door, database: Database) -> None:
    with pytest.raises(BadUserInput) as refused:
        await call(faces.register_face, door.john, face_data=JOHN, consent=False, password=PASSWORD)
    assert list(refused.value.fields) == ["consent"]
    assert await rows(database, Face) == []
    await door.enrol()
    [consent] = await rows(database, FaceConsent)
    assert isinstance(consent, FaceConsent)
    assert (consent.user_id, consent.version, consent.door, consent.withdrawn_at) == (
        door.john.viewer.id,
        faces.CONSENT_VERSION,
        "graphql",
        None,
    )
    [mail] = await rows(database, OutboxMessage)
    assert isinstance(mail, OutboxMessage)
    assert mail.subject == "A face was enrolled for your account"


async def test_enrolling_asks_for_the_password_where_the_document_does_not_forbid_it(door: Door) -> None:
    for password in (None, "wrong password"):
        with pytest.raises(BadUserInput) as refused:
            await call(faces.register_face, door.john, face_data=JOHN, consent=True, password=password)
        assert list(refused.value.fields) == ["password"]
    await call(faces.register_face, door.john.but(door="coresync"), face_data=JOHN, consent=True)


async def test_deleting_a_face_takes_the_consent_back_at_once(door: Door, database: Database) -> None:
    await door.enrol()
    user = await call(faces.delete_my_face, door.john)
    assert not user.biometric_enabled
    with pytest.raises(InvalidCredentials):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)
    assert await rows(database, Face) == []
    [consent] = await rows(database, FaceConsent)
    assert isinstance(consent, FaceConsent)
    assert consent.withdrawn_at is not None


async def test_enrolling_again_replaces_the_face_and_its_device(door: Door, database: Database) -> None:
    old = await door.enrol()
    new = await door.enrol(ANN)
    assert old != new
    assert len(await rows(database, Face)) == 1
    with pytest.raises(InvalidCredentials):
        await call(faces.sign_in_with_face, door.stranger, face_data=ANN, device_token=old)
    assert await call(faces.sign_in_with_face, door.stranger, face_data=ANN, device_token=new)
    consents = await rows(database, FaceConsent)
    assert [isinstance(each, FaceConsent) and each.withdrawn_at is None for each in consents] == [False, True]


async def test_two_enrolments_at_once_leave_one_face(door: Door, database: Database) -> None:
    await asyncio.gather(door.enrol(), door.enrol(ANN), door.enrol())
    assert len(await rows(database, Face)) == 1
    current = [each for each in await rows(database, FaceConsent) if isinstance(each, FaceConsent) and each.withdrawn_at is None]
    assert len(current) == 1


class SlowMatcher(SimulatedMatcher):
    """Waits in the midst of a comparison, so that something can happen meanwhile."""

    def __init__(self) -> None:
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def likeness(self, one: bytes, other: bytes) -> float:
        self.has_begun.set()
        self.may_go_on.wait(10)
        return super().likeness(one, other)


async def test_a_face_deleted_while_it_is_compared_signs_nobody_in(door: Door, settings: Settings) -> None:
    await door.enrol()
    matcher = SlowMatcher()
    slow = door.stranger.but(gateways=replace(door.stranger.gateways, faces=Faces(settings, matcher)))
    signing_in = asyncio.create_task(call(faces.sign_in_with_face, slow, face_data=JOHN))
    assert await asyncio.to_thread(matcher.has_begun.wait, 10)
    await call(faces.delete_my_face, door.john)
    matcher.may_go_on.set()
    with pytest.raises(InvalidCredentials):
        await signing_in


async def test_a_blocked_account_is_not_opened_by_its_face(door: Door, database: Database) -> None:
    await door.enrol()
    async with database.sessions.begin() as db:
        await db.execute(update(User).where(User.id == door.john.viewer.id).values(is_active=False))
    with pytest.raises(InvalidCredentials):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)


async def test_with_device_a_face_alone_is_not_enough(door: Door) -> None:
    token = await door.enrol()
    anns = await door.enrol(ANN, door.ann)
    strict = door.but(face_login=FaceLogin.DEVICE)
    with pytest.raises(BadUserInput) as refused:
        await call(faces.sign_in_with_face, strict, face_data=JOHN)
    assert list(refused.value.fields) == ["device_token"]
    for wrong in ("nonsense", anns):
        with pytest.raises(InvalidCredentials):
            await call(faces.sign_in_with_face, strict, face_data=JOHN, device_token=wrong)
    assert (await call(faces.sign_in_with_face, strict, face_data=JOHN, device_token=token)).user.id == door.john.viewer.id


async def test_off_is_a_code_of_its_own(door: Door) -> None:
    await door.enrol()
    with pytest.raises(FacesOff):
        await call(faces.sign_in_with_face, door.but(face_login=FaceLogin.OFF), face_data=JOHN)


def test_the_defaults_of_face_login(settings: Settings) -> None:
    assert settings.face_login_is is FaceLogin.ON
    assert settings.model_copy(update={"mode": Mode.PRODUCTION}).face_login_is is FaceLogin.OFF


async def test_a_production_server_without_a_matcher_takes_no_faces(door: Door, settings: Settings) -> None:
    strict = settings.model_copy(update={"mode": Mode.PRODUCTION})
    gateways = replace(door.stranger.gateways, faces=Faces.of(strict))
    with pytest.raises(FacesOff):
        await call(faces.register_face, door.john.but(gateways=gateways), face_data=JOHN, consent=True, password=PASSWORD)


async def test_guessing_faces_locks_the_device_out_even_when_all_guesses_come_at_once(door: Door) -> None:
    token = await door.enrol()

    async def guess(number: int) -> type[Exception] | None:
        try:
            await call(faces.sign_in_with_face, door.stranger.but(address=f"10.0.0.{number}"), face_data=ANN, device_token=token)
        except (InvalidCredentials, RateLimited) as error:
            return type(error)
        return None

    outcomes = await asyncio.gather(*(guess(number) for number in range(TRIES_PER_ACCOUNT + 3)))
    assert outcomes.count(InvalidCredentials) == TRIES_PER_ACCOUNT
    assert outcomes.count(RateLimited) == 3
    with pytest.raises(RateLimited):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN, device_token=token)


async def test_one_address_signs_in_by_face_ten_times_an_hour(door: Door, database: Database) -> None:
    await door.enrol()
    for _ in range(10):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)
    with pytest.raises(RateLimited):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)
    await forget_counters(database)
    await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)


async def test_the_key_can_be_changed_while_faces_stay_good(door: Door, database: Database) -> None:
    await door.enrol()
    old = door.stranger.settings.encryption_key
    new = type(old)("another key that is long enough for all of this")
    rotated = door.but(encryption_key=new, encryption_previous_keys=old)
    assert await call(faces.sign_in_with_face, rotated, face_data=JOHN)
    await faces.reseal_faces(rotated)
    alone = door.but(encryption_key=new)
    assert await call(faces.sign_in_with_face, alone, face_data=JOHN)
    with pytest.raises(InvalidCredentials):
        await call(faces.sign_in_with_face, door.stranger, face_data=JOHN)
