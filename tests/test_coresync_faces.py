"""CoreSync's documented face endpoints, through the old door."""

from typing import Any

import httpx2
import pytest

from main import create_app
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.database import Database
from models.identity import Role
from models.kiosks import Kiosk
from resolvers.limits import forget_counters
from settings import FaceLogin, Settings
from tests.conftest import in_one_task
from tests.documented import Contract, differences
from tests.people import join, nobody
from tests.rest_world import client_of
from tests.worlds import Spa, make_spa, soon

CONTRACT = Contract("coresync")
USER = CONTRACT.shown("auth.login")["user"]


@pytest.fixture
async def spa(database: Database) -> Spa:
    """A spa with the documented entrance."""
    spa = await make_spa(database)
    async with database.sessions.begin() as db:
        db.add(Kiosk(location_id=spa.location.id, slug=CONTRACT.sent("mobile.checkin")["location"], token_hash="of a token of nobody"))
    await forget_counters(database)
    return spa


@pytest.fixture
async def john(client: httpx2.AsyncClient, spa: Spa) -> str:
    answer = await client.post("/coresync/api/auth/register/", json=CONTRACT.sent("auth.register"))
    return str(answer.json()["access"])


async def ask(client: httpx2.AsyncClient, id: str, token: str | None = None, **changes: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await client.post(f"/coresync{CONTRACT[id]['path']}", json=CONTRACT.sent(id, **changes), headers=headers)


async def face(client: httpx2.AsyncClient, name: str) -> str:
    return str((await client.post("/demo/face", json={"name": name})).json()["face_data"])


async def test_the_documented_requests_answer_as_documented(client: httpx2.AsyncClient, john: str, spa: Spa, database: Database) -> None:
    enrolled = await ask(client, "auth.biometric-register", john)
    assert (enrolled.status_code, list(differences(CONTRACT.shown("auth.biometric-register"), enrolled.json()))) == (200, [])
    assert enrolled.json()["message"] == "Biometric data registered successfully"
    signed_in = await ask(client, "auth.biometric-login")
    shape = {"access": "", "refresh": "", "user": USER}
    assert (signed_in.status_code, list(differences(shape, signed_in.json()))) == (200, [])
    profile = await client.get("/coresync/api/users/profile/", headers={"Authorization": f"Bearer {signed_in.json()['access']}"})
    assert profile.json()["biometric_enabled"] is True
    assert (await ask(client, "mobile.checkin", john)).status_code == 404  # the document's two placeholders are two faces
    async with database.sessions.begin() as db:
        about = {"service_id": spa.service.id, "location_id": spa.location.id, "status": BookingStatus.CONFIRMED, "total_amount": 1}
        booking = Booking(kind=BookingKind.APPOINTMENT, customer_id=profile.json()["id"], starts_at=soon(1), ends_at=soon(1, 15), **about)
        db.add(booking)
        await db.flush()
        db.add(Appointment(booking_id=booking.id, room_id=spa.rooms[0].id))
    checked_in = await ask(client, "mobile.checkin", john, face_data=CONTRACT.sent("auth.biometric-login")["face_data"])
    body = checked_in.json()
    assert (checked_in.status_code, list(differences(CONTRACT.shown("mobile.checkin"), body))) == (200, [])
    assert body["user"].keys() == {"id", "first_name"}
    assert body["upcoming_booking"] == {
        "id": booking.id,
        "service": "AI Massage Therapy",
        "room": "Room 1",
        "date": soon(1).date().isoformat(),
        "start_time": "14:00",
    }


async def test_what_is_refused_is_refused_in_the_documented_words(client: httpx2.AsyncClient, john: str) -> None:
    johns, stranger = await face(client, "John Doe"), await face(client, "A Stranger")
    assert (await ask(client, "auth.biometric-register", face_data=johns)).status_code == 401
    assert (await ask(client, "auth.biometric-register", john, face_data=johns)).status_code == 200
    refused = await ask(client, "auth.biometric-login", face_data=stranger)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    assert (await ask(client, "mobile.checkin", face_data=johns)).status_code == 401
    for id, token in (("auth.biometric-register", john), ("auth.biometric-login", None), ("mobile.checkin", john)):
        for wrong in (None, "", "not base64!", 5, ["x"], {"x": 1}):
            bad = await ask(client, id, token, face_data=wrong)
            assert (bad.status_code, list(bad.json()["error"]["details"])) == (422, ["face_data"]), (id, wrong)
    bad = await ask(client, "auth.biometric-register", john, face_data=johns, biometric_type="fingerprint")
    assert (bad.status_code, list(bad.json()["error"]["details"])) == (422, ["biometric_type"])
    assert (await ask(client, "mobile.checkin", john, face_data=johns, location="nowhere")).status_code == 422


async def test_a_face_is_the_same_whenever_the_name_is(client: httpx2.AsyncClient) -> None:
    assert await face(client, "John Doe") == await face(client, " john doe") != await face(client, "Jane Doe")
    assert (await client.post("/demo/face", json={"name": " "})).status_code == 422
    assert (await client.post("/demo/face", content=b"{")).status_code == 400


@pytest.mark.parametrize(("mode", "status", "code"), [(FaceLogin.OFF, 403, "FACES_OFF"), (FaceLogin.DEVICE, 422, "VALIDATION_ERROR")])
async def test_a_server_that_asks_for_more_says_so(
    database_url: str, settings: Settings, client: httpx2.AsyncClient, john: str, mode: FaceLogin, status: int, code: str
) -> None:
    enrolled = (await ask(client, "auth.biometric-register", john)).json()
    strict = create_app(settings.model_copy(update={"face_login": mode}), database_url)
    async with in_one_task(strict.router.lifespan_context(strict)), client_of(strict) as careful:
        refused = await ask(careful, "auth.biometric-login")
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
        if mode is FaceLogin.DEVICE:
            assert (await ask(careful, "auth.biometric-login", device_token=enrolled["device_token"])).status_code == 200


async def test_a_kiosk_checks_guests_in_through_the_old_door_until_it_is_revoked(
    client: httpx2.AsyncClient, john: str, spa: Spa, database: Database, settings: Settings
) -> None:
    await ask(client, "auth.biometric-register", john, face_data=await face(client, "John Doe"))
    admin = (await join(nobody(database, settings), Role.ADMIN)).access_token
    mint = 'mutation($id: ID!) { mintKiosk(locationId: $id, slug: "door") { token kiosk { id } } }'
    body = {"query": mint, "variables": {"id": spa.location.id}}
    answer = await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {admin}"})
    minted = answer.json()["data"]["mintKiosk"]
    kiosk = minted["token"]
    assert (await ask(client, "mobile.checkin", kiosk, face_data=await face(client, "John Doe"))).status_code == 200
    profile = await client.get("/coresync/api/users/profile/", headers={"Authorization": f"Bearer {kiosk}"})
    assert profile.status_code == 403
    body = {"query": "mutation($id: ID!) { revokeKiosk(id: $id) { revokedAt } }", "variables": minted["kiosk"]}
    await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {admin}"})
    assert (await ask(client, "mobile.checkin", kiosk, face_data=await face(client, "John Doe"))).status_code == 401
