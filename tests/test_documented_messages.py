"""The operations of docs/notifications.md and docs/campaigns.md, as they stand there."""

import re

import httpx2
import pytest
from starlette.applications import Starlette

from migrations import ROOT
from models.database import Database
from models.identity import Role
from models.newsletter import ConsentPurpose, ConsentSource
from models.notifications import NotificationKind
from resolvers.campaign_sending import run_campaigns
from resolvers.consents import give_consent
from resolvers.context import Context
from settings import Settings
from tests.telling import outbox, person, tell, work_off


def examples(page: str) -> dict[str, str]:
    """The operations of a page, by name and in their order."""
    found = re.findall(r"```graphql\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return {re.split(r"\W+", text)[1]: text for text in found}


@pytest.fixture
async def ctx(app: Starlette) -> Context:
    ctx: Context = app.state.runtime.context(request_id="docs", address="docs")
    return ctx


async def test_every_example_about_notifications_works(
    ctx: Context, client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    door, user = await person(client, database, settings, Role.SUPPORT)
    await tell(ctx, user, NotificationKind.BOOKING_REMINDER)
    answers = {name: await door.data(text) for name, text in examples("notifications.md").items()}
    assert list(answers) == ["Bell", "Choose", "Register", "Preview", "Write", "Handle"]
    assert answers["Bell"]["unreadNotifications"] == 1
    chosen = {(each["kind"], each["channel"]): each["isWanted"] for each in answers["Choose"]["updateNotificationPreferences"]["kinds"]}
    assert (chosen["BOOKING_REMINDER", "SMS"], chosen["BOOKING_MOVED", "PUSH"]) == (True, False)
    assert "Zoë" in answers["Preview"]["letterPreview"]["text"]
    assert answers["Handle"]["handleFormSubmission"]["reference"] == answers["Write"]["submitContactForm"]["submissionId"]


async def test_every_example_about_campaigns_works(
    ctx: Context, client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    door, _ = await person(client, database, settings, Role.ADMIN)
    async with database.sessions.begin() as db:
        await give_consent(db, "eve@example.com", ConsentPurpose.SPECIAL_OFFERS, ConsentSource.NEWSLETTER, ctx.now())
    texts = examples("campaigns.md")
    assert list(texts) == ["Subscribe", "Size", "Store", "Create", "Try", "Schedule", "Watch", "Pause"]
    for name in ("Subscribe", "Size", "Store", "Create", "Try", "Schedule"):
        await door.data(texts[name])
    await run_campaigns(ctx, stay=0)
    await work_off(ctx)
    assert [each.to for each in await outbox(database)] == ["ann@example.com", "boss@example.com", "eve@example.com"]
    await run_campaigns(ctx, stay=0)
    watched = await door.data(texts["Watch"])
    assert {name: watched["campaign"][name] for name in ("recipients", "waiting", "sent", "failed", "skipped", "unsubscribed")} == {
        "recipients": 1,
        "waiting": 0,
        "sent": 1,
        "failed": 0,
        "skipped": 0,
        "unsubscribed": 0,
    }
    assert watched["campaign"]["status"] == "SENT"
    assert await door.code(texts["Pause"]) == "CONFLICT"
