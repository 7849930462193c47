"""The operations of docs/faces.md, docs/passkeys.md and docs/accounts.md, as they stand there, and what these pages say of settings."""

import re
from typing import Any

import httpx2
import pytest

from gateways.simulators.faces import synthetic_face
from migrations import ROOT
from models.database import Database
from models.identity import Role, UserRole
from resolvers import faces
from settings import Settings
from tests.authenticator import Authenticator
from tests.people import PASSWORD, join, nobody
from tests.worlds import make_spa

PAGES = ("faces", "passkeys", "accounts")
FACE = synthetic_face("John Doe")


def documented(page: str) -> dict[str, str]:
    """The operations of a page, by name."""
    blocks: list[str] = re.findall(r"```graphql\n(.*?)```", (ROOT / f"docs/{page}.md").read_text(), re.DOTALL)
    return {re.findall(r"(?:query|mutation) (\w+)", each)[0]: each for each in blocks}


class Reader:
    """Somebody who copies operations out of the pages, in their order."""

    def __init__(self, client: httpx2.AsyncClient, page: str) -> None:
        self.client, self.left = client, documented(page)

    async def run(self, name: str, token: str | None = None, /, **variables: Any) -> Any:
        """The data of an answer without errors, from the only root field or all of them."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = {"query": self.left.pop(name), "variables": variables}
        answer = (await self.client.post("/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, answer
        return next(iter(answer["data"].values())) if len(answer["data"]) == 1 else answer["data"]


async def somebody(database: Database, settings: Settings, *roles: Role) -> tuple[str, int]:
    """The token and number of a new person."""
    joined = await join(nobody(database, settings), first_name="John")
    async with database.sessions.begin() as db:
        db.add_all(UserRole(user_id=joined.user.id, role=role) for role in roles)
    return joined.access_token, joined.user.id


async def test_the_page_about_faces(client: httpx2.AsyncClient, database: Database, settings: Settings) -> None:
    page, spa = Reader(client, "faces"), await make_spa(database)
    (john, _), (admin, _) = await somebody(database, settings), await somebody(database, settings, Role.ADMIN)
    enrolled = await page.run("RegisterFace", john, faceData=FACE, password=PASSWORD)
    assert enrolled["user"] == {"biometricEnabled": True}
    assert enrolled["consent"]["version"] == faces.CONSENT_VERSION
    assert (await page.run("SignInWithFace", faceData=FACE, deviceToken=enrolled["deviceToken"]))["user"] == {"firstName": "John"}
    kiosk = await page.run("MintKiosk", admin, locationId=spa.location.id)
    greeted = await page.run("CheckIn", kiosk["token"], faceData=FACE)
    assert (greeted["welcomeMessage"], greeted["visit"]) == ("Welcome back, John!", None)
    assert (await page.run("RevokeKiosk", admin, id=kiosk["kiosk"]["id"]))["revokedAt"]
    mine = await page.run("MyFace", john)
    assert (mine["myFace"]["matcher"], len(mine["myFaceConsents"])) == ("SIMULATOR", 1)
    assert await page.run("DeleteMyFace", john) == {"biometricEnabled": False}
    assert page.left == {}


async def test_the_page_about_passkeys(client: httpx2.AsyncClient, database: Database, settings: Settings) -> None:
    page, device = Reader(client, "passkeys"), Authenticator()
    john, _ = await somebody(database, settings)
    begun = await page.run("BeginPasskeyRegistration", john, password=PASSWORD)
    made = await page.run("FinishPasskeyRegistration", john, credential=device.create(begun["options"]), name="Phone")
    assert (made["name"], made["isBackedUp"]) == ("Phone", True)
    begun = await page.run("BeginPasskeySignIn")
    signed_in = await page.run("FinishPasskeySignIn", credential=device.get(begun["options"]))
    assert signed_in["user"] == {"firstName": "John"}
    [shown] = await page.run("MyPasskeys", signed_in["accessToken"])
    assert shown["usedAt"]
    assert await page.run("RenamePasskey", john, id=shown["id"]) == {"name": "Old phone"}
    assert await page.run("DeletePasskey", john, id=shown["id"]) == []
    assert page.left == {}


async def test_the_page_about_accounts(client: httpx2.AsyncClient, database: Database, settings: Settings) -> None:
    page = Reader(client, "accounts")
    (john, number), (admin, _) = await somebody(database, settings), await somebody(database, settings, Role.ADMIN)
    exported = await page.run("ExportPersonalData", john, password=PASSWORD)
    assert '"first_name": "John"' in exported["json"]
    blocked = await page.run("BlockAccount", admin, id=str(number))
    assert (blocked["user"], blocked["blockedBy"]) == ({"firstName": "John"}, {"firstName": "John"})
    refused = (await client.post("/graphql", json={"query": "{ me { number } }"}, headers={"Authorization": f"Bearer {john}"})).json()
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert [each["liftedAt"] for each in (await page.run("AccountBlocks", admin, id=str(number)))["nodes"]] == [None]
    assert (await page.run("UnblockAccount", admin, id=str(number)))["liftReason"] == "Settled with the bank"
    other, _ = await somebody(database, settings)
    assert "bookings" in (await page.run("EraseAccount", other, password=PASSWORD))["kept"]
    assert page.left == {}


@pytest.mark.parametrize("page", PAGES)
def test_whatever_a_page_calls_a_setting_is_one(page: str) -> None:
    text = (ROOT / f"docs/{page}.md").read_text()
    names = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", text))
    codes = {"FACES_OFF", "PASSKEYS_OFF"}
    assert {each for each in names - codes if each.lower() not in Settings.model_fields} == set()
    assert names
    settings = {each.upper() for each in Settings.model_fields if each.startswith(("face_", "passkey_"))}
    written = "".join((ROOT / f"docs/{each}.md").read_text() for each in PAGES)
    assert {each for each in settings if f"`{each}" not in written} == set()
