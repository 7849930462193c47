"""Passkeys in a real browser, with its virtual authenticator: the operations and lines of docs/passkeys.md."""

import json
import re
from typing import Any

from migrations import ROOT
from models.database import Database
from settings import Settings
from tests.browser import Page, open_page
from tests.people import PASSWORD, join, nobody
from tests.test_documented_accounts import documented

LINES = re.findall(r"```js\n(.*?)```", (ROOT / "docs/passkeys.md").read_text(), re.DOTALL)
OPERATIONS = documented("passkeys")
ASK = """async (query, variables, token) => {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return await answer.json();
}"""
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


async def ask(page: Page, name: str, token: str | None = None, /, **variables: Any) -> Any:
    """What the server answers the page."""
    said = json.dumps([OPERATIONS[name], variables, token])
    answer = await page.value(f"({ASK})(...{said})")
    assert "errors" not in answer, answer
    return next(iter(answer["data"].values()))


async def made(page: Page, lines: str, options: Any) -> Any:
    """What the browser makes of options."""
    return await page.value(f"(async (options) => {{ {lines} return credential; }})({json.dumps(options)})")


async def test_a_browser_makes_a_passkey_and_signs_in_by_it(server: str, database: Database, settings: Settings) -> None:
    token = (await join(nobody(database, settings), first_name="John")).access_token
    async with open_page(server.replace("127.0.0.1", "localhost")) as page:
        await page.call("WebAuthn.enable")
        await page.call("WebAuthn.addVirtualAuthenticator", options=DEVICE)
        begun = await ask(page, "BeginPasskeyRegistration", token, password=PASSWORD)
        credential = await made(page, LINES[0], begun["options"])
        kept = await ask(page, "FinishPasskeyRegistration", token, credential=credential, name="This browser")
        assert (kept["name"], kept["transports"]) == ("This browser", ["internal"])
        for _ in range(2):
            begun = await ask(page, "BeginPasskeySignIn")
            credential = await made(page, LINES[1], begun["options"])
            signed_in = await ask(page, "FinishPasskeySignIn", credential=credential)
            assert signed_in["user"] == {"firstName": "John"}
        [shown] = await ask(page, "MyPasskeys", signed_in["accessToken"])
        assert shown["usedAt"]
