"""The forms of the website: whoever sends one is thanked, the staff look after it, and machines get nowhere."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from models.database import Database
from models.forms import FormStatus, FormSubmission
from models.identity import Role
from resolvers.context import Context
from settings import Settings
from tests.telling import bell, outbox, person, work_off
from tests.test_identity_graphql import Door

CONTACT = "mutation ($input: ContactInput!) { submitContactForm(input: $input) { submissionId } }"
INQUIRE = "mutation ($input: MembershipInquiryInput!) { submitMembershipInquiry(input: $input) { submissionId } }"
LIST = """query ($filter: FormFilter) {
  formSubmissions(filter: $filter, order: OLDEST) { nodes { number reference kind status name email phone message } }
}"""
HANDLE = """mutation ($id: ID!, $status: FormStatus, $note: String) {
  handleFormSubmission(id: $id, status: $status, note: $note) { status note handledAt handledBy { firstName } }
}"""
ANN = {"name": "Ann Lee", "email": "Ann@Example.com", "phone": "(555) 123-4567", "message": "Do you open late?", "source": "website"}


@pytest.fixture
async def ctx(app: Starlette) -> Context:
    ctx: Context = app.state.runtime.context(request_id="forms", address="forms")
    return ctx


@pytest.fixture
def stranger(client: httpx2.AsyncClient) -> Door:
    return Door(client)


async def stored(database: Database) -> list[FormSubmission]:
    async with database.sessions() as db:
        return list(await db.scalars(select(FormSubmission).order_by(FormSubmission.id)))


async def test_a_form_is_kept_and_its_clerks_are_told_and_its_sender_is_sent_nothing(
    ctx: Context, stranger: Door, client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    _, clerk = await person(client, database, settings, Role.SUPPORT, Role.ADMIN)
    _, bookkeeper = await person(client, database, settings, Role.FINANCE)
    made = (await stranger.data(CONTACT, input=ANN))["submitContactForm"]["submissionId"]
    [form] = await stored(database)
    assert made == form.reference == f"CONT-{form.created_at.year}-001"
    assert (form.email, form.phone, form.status, form.source) == ("ann@example.com", "+15551234567", FormStatus.NEW, "website")
    assert await work_off(ctx) == ["tell_staff_of_form", "send_notification", "send_message"]
    assert [each.title for each in await bell(database, clerk)] == ["New message"]
    assert await bell(database, bookkeeper) == []
    [mail] = await outbox(database)
    assert (mail.to, mail.subject) == (clerk.email, f"{made}: message by Ann Lee")
    assert "Do you open late?" in mail.body


async def test_an_inquiry_keeps_all_that_was_asked(stranger: Door, database: Database) -> None:
    asked = {
        "firstName": "John",
        "lastName": "Doe",
        "email": "john@example.com",
        "interestedPlan": "unlimited",
        "interestLevel": "high",
        "preferredServices": ["massage", "facial"],
        "howHeardAboutUs": "Google search",
    }
    made = (await stranger.data(INQUIRE, input=asked))["submitMembershipInquiry"]["submissionId"]
    [form] = await stored(database)
    assert made == form.reference == f"MEM-{form.created_at.year}-001"
    assert (form.name, form.interested_plan, form.interest_level, form.heard_about_us) == ("John Doe", "unlimited", "high", "Google search")
    assert form.preferred_services == ["massage", "facial"]


@pytest.mark.parametrize(
    "change",
    [
        {"website": "https://spam.example.com"},
        {"message": "Buy http://a.example http://b.example www.c.example [url=x]y[/url]"},
    ],
)
async def test_what_looks_like_spam_is_put_aside_and_its_sender_does_not_learn_it(
    ctx: Context, stranger: Door, client: httpx2.AsyncClient, database: Database, settings: Settings, change: dict[str, str]
) -> None:
    clerk, user = await person(client, database, settings, Role.ADMIN)
    assert (await stranger.data(CONTACT, input={**ANN, **change}))["submitContactForm"]["submissionId"].startswith("CONT-")
    assert [each.status for each in await stored(database)] == [FormStatus.SPAM]
    assert await work_off(ctx) == []
    assert await bell(database, user) == []
    assert (await clerk.data(LIST))["formSubmissions"]["nodes"] == []
    assert len((await clerk.data(LIST, filter={"status": "SPAM"}))["formSubmissions"]["nodes"]) == 1


async def test_the_same_words_again_are_put_aside(stranger: Door, database: Database) -> None:
    for email in ("ann@example.com", "bob@example.com"):
        await stranger.data(CONTACT, input={**ANN, "email": email, "message": f"  Do you OPEN late? {' ' * len(email)}"})
    assert [each.status for each in await stored(database)] == [FormStatus.NEW, FormStatus.SPAM]


async def test_a_form_is_taken_ten_times_an_hour(stranger: Door, database: Database) -> None:
    answers = await asyncio.gather(
        *(stranger.ask(CONTACT, input={**ANN, "email": f"{n}@example.com", "message": f"Word {n}"}) for n in range(13))
    )
    codes = [each["errors"][0]["extensions"]["code"] for each in answers if "errors" in each]
    assert codes == ["RATE_LIMITED"] * 3
    assert len(await stored(database)) == 10


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "  "}, "name"),
        ({"message": ""}, "message"),
        ({"message": "x" * 5001}, "message"),
        ({"name": "x" * 151}, "name"),
        ({"message": "a\u0000b"}, None),
        ({"email": "nobody"}, None),
    ],
)
async def test_what_is_no_message_is_refused_by_its_field(stranger: Door, database: Database, change: dict[str, str], field: str) -> None:
    [error] = (await stranger.ask(CONTACT, input={**ANN, **change}))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert field is None or list(error["extensions"]["fields"]) == [field]
    assert await stored(database) == []


async def test_clerks_move_forms_and_only_as_they_may_be_moved(
    stranger: Door, client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    clerk, _ = await person(client, database, settings, Role.SUPPORT, first_name="Clara")
    guest, _ = await person(client, database, settings)
    await stranger.data(CONTACT, input=ANN)
    [form] = (await clerk.data(LIST, filter={"kind": "CONTACT", "search": "OPEN LATE"}))["formSubmissions"]["nodes"]
    assert (await clerk.data(LIST, filter={"search": "100%"}))["formSubmissions"]["nodes"] == []
    moved = (await clerk.data(HANDLE, id=form["number"], status="IN_PROGRESS", note="Called her."))["handleFormSubmission"]
    assert (moved["status"], moved["note"], moved["handledBy"]) == ("IN_PROGRESS", "Called her.", {"firstName": "Clara"})
    assert (await clerk.data(HANDLE, id=form["number"], status="DONE"))["handleFormSubmission"]["status"] == "DONE"
    assert await clerk.code(HANDLE, id=form["number"], status="SPAM") == "CONFLICT"
    assert await clerk.code(HANDLE, id=form["number"]) == "BAD_USER_INPUT"
    assert await clerk.code(HANDLE, id=99, status="DONE") == "NOT_FOUND"
    assert await guest.code(LIST) == "FORBIDDEN"
    assert await guest.code(HANDLE, id=form["number"], status="DONE") == "FORBIDDEN"
    assert await stranger.code(LIST) == "UNAUTHENTICATED"


async def test_two_clerks_at_one_form_move_it_once(
    stranger: Door, client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    clerk, _ = await person(client, database, settings, Role.SUPPORT)
    await stranger.data(CONTACT, input=ANN)
    moves: tuple[dict[str, Any], ...] = await asyncio.gather(
        clerk.ask(HANDLE, id=1, status="DONE"), clerk.ask(HANDLE, id=1, status="SPAM"), clerk.ask(HANDLE, id=1, status="DONE")
    )
    ends = {(each["data"] or {}).get("handleFormSubmission", {}).get("status") for each in moves if "errors" not in each}
    [form] = await stored(database)
    assert ends <= {"DONE", "SPAM"}
    assert form.status.name in ends
    assert len(ends) == 1
