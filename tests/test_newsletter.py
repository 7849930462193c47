"""The newsletter: nobody is on it who has not confirmed it, and one click ends it."""

import asyncio
import re
from datetime import timedelta
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from models.database import Database
from models.identity import Role
from models.newsletter import MarketingConsent, NewsletterSubscription, SubscriptionStatus
from resolvers.context import Context
from resolvers.newsletter import unsubscribe_link
from resolvers.signatures import sign, signed
from settings import Settings
from tests.telling import outbox, person, work_off
from tests.test_identity_graphql import Door

SUBSCRIBE = "mutation ($input: NewsletterInput!) { subscribeToNewsletter(input: $input) { email } }"
CONFIRM = "mutation ($token: String!) { confirmNewsletter(token: $token) { email purposes } }"
UNSUBSCRIBE = "mutation ($token: String!, $all: Boolean!) { unsubscribe(token: $token, everything: $all) { purposes } }"
ANN = {"email": "ann@example.com", "firstName": "Ann", "marketingEmails": True, "serviceUpdates": True, "specialOffers": False}


@pytest.fixture
async def ctx(app: Starlette) -> Context:
    ctx: Context = app.state.runtime.context(request_id="newsletter", address="newsletter")
    return ctx


@pytest.fixture
def stranger(client: httpx2.AsyncClient) -> Door:
    return Door(client)


async def subscription(database: Database) -> NewsletterSubscription:
    async with database.sessions() as db:
        return (await db.scalars(select(NewsletterSubscription))).one()


async def consents(database: Database) -> list[tuple[str, str, bool]]:
    async with database.sessions() as db:
        found = await db.scalars(select(MarketingConsent).order_by(MarketingConsent.id))
        return [(each.purpose.value, each.source.value, each.withdrawn_at is None) for each in found]


async def code_of(database: Database) -> str:
    """The code of the newest mail that carries one."""
    return next(each.code for each in reversed(await outbox(database)) if each.code)


async def test_an_address_is_on_the_list_once_its_reader_has_confirmed_it(stranger: Door, database: Database) -> None:
    assert await stranger.data(SUBSCRIBE, input=ANN) == {"subscribeToNewsletter": {"email": "ann@example.com"}}
    assert (await subscription(database)).status is SubscriptionStatus.PENDING
    assert await consents(database) == []
    [asking] = await outbox(database)
    assert asking.link
    assert asking.link in asking.body
    assert asking.link.endswith(f"/newsletter/confirm?token={asking.code}")
    assert asking.unsubscribe_url is None
    done = (await stranger.data(CONFIRM, token=asking.code))["confirmNewsletter"]
    assert done == {"email": "ann@example.com", "purposes": ["MARKETING_EMAILS", "SERVICE_UPDATES"]}
    assert await consents(database) == [("marketing_emails", "newsletter", True), ("service_updates", "newsletter", True)]
    kept = await subscription(database)
    assert (kept.status, kept.code_hash) == (SubscriptionStatus.CONFIRMED, None)
    assert await stranger.code(CONFIRM, token=asking.code) == "BAD_USER_INPUT"
    assert (await outbox(database))[-1].unsubscribe_url


async def test_a_code_is_good_for_a_week_and_only_the_newest_is(ctx: Context, stranger: Door, database: Database) -> None:
    await stranger.data(SUBSCRIBE, input=ANN)
    first = await code_of(database)
    await stranger.data(SUBSCRIBE, input=ANN)
    assert await stranger.code(CONFIRM, token=first) == "BAD_USER_INPUT"
    newest = await code_of(database)
    async with database.sessions.begin() as db:
        (await db.scalars(select(NewsletterSubscription))).one().code_ends_at = ctx.now() - timedelta(seconds=1)
    assert await stranger.code(CONFIRM, token=newest) == "BAD_USER_INPUT"
    assert await consents(database) == []


async def test_what_a_stranger_types_changes_nothing_for_who_is_on_the_list(stranger: Door, database: Database) -> None:
    await stranger.data(SUBSCRIBE, input=ANN)
    await stranger.data(CONFIRM, token=await code_of(database))
    mails = len(await outbox(database))
    assert await stranger.data(SUBSCRIBE, input=ANN) == {"subscribeToNewsletter": {"email": "ann@example.com"}}
    assert len(await outbox(database)) == mails, "who agreed to all of it is not asked again"
    await stranger.data(SUBSCRIBE, input={**ANN, "firstName": "Rude", "specialOffers": True})
    assert (await subscription(database)).first_name == "Ann"
    assert len(await consents(database)) == 2
    await stranger.data(CONFIRM, token=await code_of(database))
    assert len(await consents(database)) == 3


async def test_an_address_is_asked_five_times_a_day(stranger: Door, client: httpx2.AsyncClient, database: Database) -> None:
    asked = await asyncio.gather(*(stranger.ask(SUBSCRIBE, input=ANN) for _ in range(8)))
    assert sum("errors" in each for each in asked) == 3
    assert len(await outbox(database)) == 5


async def test_machines_and_empty_wishes_are_not_asked(stranger: Door, database: Database) -> None:
    await stranger.data(SUBSCRIBE, input={**ANN, "website": "https://spam.example.com"})
    nothing = {"marketingEmails": False, "serviceUpdates": False, "specialOffers": False}
    assert await stranger.code(SUBSCRIBE, input={**ANN, **nothing}) == "BAD_USER_INPUT"
    assert await outbox(database) == []


async def confirmed(stranger: Door, database: Database) -> str:
    """Somebody on the list, and the link that ends it."""
    await stranger.data(SUBSCRIBE, input=ANN)
    await stranger.data(CONFIRM, token=await code_of(database))
    link = (await outbox(database))[-1].unsubscribe_url
    assert link
    return link


async def test_one_click_ends_the_newsletter_and_a_look_does_not(client: httpx2.AsyncClient, stranger: Door, database: Database) -> None:
    where = urlsplit(await confirmed(stranger, database))
    look = await client.get(f"{where.path}?{where.query}")
    assert look.status_code == 200
    assert look.text.count("<form") == 2
    assert "form-action 'self'" in look.headers["content-security-policy"]
    assert all(is_current for *_, is_current in await consents(database))
    for _ in range(2):  # mail programs may send it twice
        click = await client.post(f"{where.path}?{where.query}", data={"List-Unsubscribe": "One-Click"})
        assert click.status_code == 200
        assert "Done." in click.text
    assert await consents(database) == [("marketing_emails", "newsletter", False), ("service_updates", "newsletter", False)]
    assert (await subscription(database)).status is SubscriptionStatus.UNSUBSCRIBED


async def test_the_page_of_the_confirmation_confirms_by_its_button_only(
    client: httpx2.AsyncClient, stranger: Door, database: Database
) -> None:
    await stranger.data(SUBSCRIBE, input=ANN)
    link = (await outbox(database))[-1].link
    assert link
    where = urlsplit(link)
    page = await client.get(f"{where.path}?{where.query}")
    assert await consents(database) == []
    action = re.search(r'action="([^"]+)"', page.text)
    assert action
    done = await client.post(where.path + action[1].replace("&amp;", "&"))
    assert (done.status_code, "is confirmed" in done.text) == (200, True)
    assert len(await consents(database)) == 2
    again = await client.post(where.path + action[1])
    assert (again.status_code, "not good any more" in again.text) == (422, True)


@pytest.mark.parametrize("token", ["", "x", "a.b", "bmV3c2xldHRlcjox.AAAAAAAAAAAAAAAAAAAAAA", "é.é", "....", "bmV3c2xldHRlcjox"])
async def test_a_link_that_we_did_not_make_ends_nothing(client: httpx2.AsyncClient, stranger: Door, database: Database, token: str) -> None:
    await confirmed(stranger, database)
    assert await stranger.code(UNSUBSCRIBE, token=token, all=True) == "BAD_USER_INPUT"
    assert (await client.post("/newsletter/unsubscribe", params={"token": token})).status_code == 422
    assert all(is_current for *_, is_current in await consents(database))


async def test_a_signature_is_for_one_use_and_one_subject(settings: Settings) -> None:
    token = sign(settings, "unsubscribe", "newsletter:1")
    assert signed(settings, "unsubscribe", token) == "newsletter:1"
    assert signed(settings, "documents", token) is None
    assert signed(settings, "unsubscribe", sign(settings, "unsubscribe", "newsletter:2").split(".")[0] + "." + token.split(".")[1]) is None
    assert signed(settings.model_copy(update={"encryption_key": settings.jwt_secret_key}), "unsubscribe", token) is None


async def test_a_link_to_what_is_gone_is_refused(ctx: Context, stranger: Door) -> None:
    for subject in ("campaign:7", "newsletter:7", "newsletter:x", "other:1"):
        token = unsubscribe_link(ctx, subject).partition("token=")[2]
        assert await stranger.code(UNSUBSCRIBE, token=token, all=False) == "BAD_USER_INPUT"


async def test_a_consent_follows_a_person_to_their_new_address(
    ctx: Context, client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    door, _ = await person(client, database, settings, email="old@example.com")
    await door.data("mutation { updateNotificationPreferences(patch: {promotionalOffers: true}) { promotionalOffers } }")
    change = 'mutation ($password: String!) { changeEmail(newEmail: "new@example.com", password: $password) { email } }'
    await door.data(change, password="correct horse battery")
    await door.data("mutation ($token: String!) { confirmEmail(token: $token) { email } }", token=await code_of(database))
    async with database.sessions() as db:
        found = [
            (each.email, each.withdrawn_at is None) for each in await db.scalars(select(MarketingConsent).order_by(MarketingConsent.id))
        ]
    assert found == [("old@example.com", False), ("new@example.com", True)]
    assert await work_off(ctx)


async def test_only_the_heads_of_the_house_read_the_list(
    client: httpx2.AsyncClient, stranger: Door, database: Database, settings: Settings
) -> None:
    await confirmed(stranger, database)
    head, _ = await person(client, database, settings, Role.ADMIN)
    clerk, _ = await person(client, database, settings, Role.SUPPORT)
    ask = """{ newsletterSubscriptions(status: CONFIRMED) { nodes { email status wanted } }
      marketingConsents(email: "ann@example.com") { nodes { purpose source withdrawnBy } } }"""
    found = await head.data(ask)
    assert [each["email"] for each in found["newsletterSubscriptions"]["nodes"]] == ["ann@example.com"]
    assert {each["source"] for each in found["marketingConsents"]["nodes"]} == {"NEWSLETTER"}
    assert await clerk.code(ask.replace("\n", " ").split(" marketing")[0] + "}") == "FORBIDDEN"
