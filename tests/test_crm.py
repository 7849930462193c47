"""The CRM in GraphQL: the staff see everything, facilitators their own, and docs/crm.md and docs/waitlists.md mean what they show."""

import re
from typing import Any

import httpx2
import pytest

from errors import Forbidden
from migrations import ROOT
from models.database import Database
from models.identity import Role
from models.readers import Readers
from resolvers import crm
from resolvers.sessions import SignedIn
from settings import Settings
from tests.attending import attend, make_event, make_facilitator
from tests.people import as_viewer, call, join, nobody
from tests.sql import sql, value
from tests.worlds import make_person, make_spa, soon

NUMBERS = "{ crmNotices(first: 50) { nodes { bookingNumber } } }"


class Page:
    """The operations of a page, each to be tried."""

    def __init__(self, client: httpx2.AsyncClient, name: str) -> None:
        blocks: list[str] = re.findall(r"```graphql\n(.*?)```", (ROOT / f"docs/{name}.md").read_text(), re.DOTALL)
        self.left = {re.findall(r"(?:query|mutation|subscription) (\w+)", each)[0]: each for each in blocks}
        self._client = client

    async def run(self, name: str, person: SignedIn, **variables: Any) -> Any:
        """The data of an answer without errors."""
        return (await ask(self._client, person, self.left.pop(name), **variables))["data"]


async def ask(client: httpx2.AsyncClient, person: SignedIn, query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {person.access_token}"}
    answer = (await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
    assert "errors" not in answer, answer
    return answer


@pytest.fixture
async def staff(database: Database, settings: Settings) -> SignedIn:
    return await join(nobody(database, settings), Role.SUPPORT, first_name="Sue", last_name="Support")


async def test_the_page_about_the_crm(client: httpx2.AsyncClient, database: Database, staff: SignedIn) -> None:
    event = await make_event(database, await make_facilitator(database))
    booking = await attend(database, event, await make_person(database, "ann"))
    page = Page(client, "crm")
    desk = await page.run("Desk", staff)
    [shown] = desk["crmNotices"]["nodes"]
    assert (shown["user"]["name"], shown["event"]["title"], shown["source"]) == ("Ann", event.title, "OWN")
    assert desk["crmSummary"]["counts"] == {"total": 1, "filtered": 1}
    moved = await page.run("Call", staff, number=booking.id)
    assert moved["setCrmStatus"] == {"oldStatus": "NEW", "newStatus": "CONTACTED", "note": "Called, will come", "by": "Sue Support"}
    dashboard = (await page.run("Dashboard", staff, facilitator=event.facilitator_id))["crmDashboard"]
    assert dashboard["summary"]["totalBookings"] == 1
    assert dashboard["recentBookings"] == [{"bookingNumber": booking.id, "user": {"name": "Ann"}}]
    assert [each["sessions"] for each in dashboard["trends"]["weeks"]] == [1]
    assert (await page.run("Backlog", staff))["crmBacklog"]["totalCount"] == 1
    assert (await page.run("RetryNow", staff))["retryCrmBacklog"] == {"waiting": 1}
    assert list(page.left) == ["Happens"]


async def test_the_page_about_waiting_lists(client: httpx2.AsyncClient, database: Database, settings: Settings, staff: SignedIn) -> None:
    event = await make_event(database, await make_facilitator(database), seats=2)
    spa = await make_spa(database, rooms=1)
    for name in ("ann", "bob"):
        await attend(database, event, await make_person(database, name))
    await sql(database, "UPDATE events SET current_participants = 2")
    cid, dan = await join(nobody(database, settings), first_name="Cid"), await join(nobody(database, settings))
    page = Page(client, "waitlists")
    entry = (await page.run("WaitForSeats", cid, event=str(event.id)))["joinEventWaitlist"]
    assert (entry["status"], entry["quantity"], entry["position"]) == ("WAITING", 2, 1)
    at = soon(8).isoformat()
    book = "mutation($service: ID!, $at: DateTime!) { bookAppointment(serviceId: $service, startsAt: $at) { number } }"
    await ask(client, dan, book, service=str(spa.service.id), at=at)
    waiting = (await page.run("WaitForTime", cid, service=str(spa.service.id), at=at))["joinSlotWaitlist"]
    assert waiting["service"] == {"name": spa.service.name}
    assert [each["position"] for each in (await page.run("MyPlaces", cid))["myWaitlist"]["nodes"]] == [1, 1]
    [line] = (await page.run("Line", staff, event=str(event.id)))["waitlist"]["nodes"]
    assert line == {"person": "Cid", "quantity": 2, "status": "WAITING", "position": 1}
    assert (await page.run("Leave", cid, id=entry["id"]))["leaveWaitlist"] == {"status": "LEFT"}
    assert list(page.left) == ["Places"]


async def test_facilitators_see_what_is_theirs_and_leave_the_desk_to_the_staff(
    client: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    ctx = nobody(database, settings)
    jane = await join(ctx, Role.FACILITATOR)
    await sql(database, "INSERT INTO facilitators (uuid, user_id, bio, is_active) VALUES (gen_random_uuid(), $1, '', true)", jane.user.id)
    joe = await make_facilitator(database, "joe")
    ann = await make_person(database, "ann")
    number = await value(database, "SELECT id FROM facilitators WHERE user_id = $1", jane.user.id)
    own = await make_event(database, joe)
    await sql(database, "UPDATE events SET facilitator_id = $1 WHERE id = $2", number, own.id)
    theirs = await make_event(database, joe, title="Other")
    mine, other = await attend(database, own, ann), await attend(database, theirs, await make_person(database, "bob"))
    found = await ask(client, jane, NUMBERS)
    assert [each["bookingNumber"] for each in found["data"]["crmNotices"]["nodes"]] == [mine.id]
    figures = "query($n: Int!) { crmStatistics(facilitatorNumber: $n) { statistics { totalBookings } } }"
    for whose, count in ((number, 1), (joe.id, 0)):
        assert (await ask(client, jane, figures, n=whose))["data"]["crmStatistics"]["statistics"]["totalBookings"] == count
    moving = "mutation($n: Int!) { setCrmStatus(bookingNumber: $n, crmStatus: REVIEWED) { newStatus } }"
    headers = {"Authorization": f"Bearer {jane.access_token}"}
    for booking in (mine, other):
        answer = (await client.post("/graphql", json={"query": moving, "variables": {"n": booking.id}}, headers=headers)).json()
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", "the desk's work is the staff's"


async def test_a_page_of_notices_takes_as_many_statements_however_long_it_is(
    client: httpx2.AsyncClient, database: Database, staff: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await make_event(database, await make_facilitator(database))
    page = Page(client, "crm").left["Desk"]
    counts = []
    for number in range(6):
        await attend(database, event, await make_person(database, f"guest{number}"))
        if number in (0, 5):
            counts.append(await statements(client, staff, page, monkeypatch))
    assert counts[0] == counts[1] <= 5


async def statements(client: httpx2.AsyncClient, person: SignedIn, query: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements an operation runs, once its plan is made."""
    await ask(client, person, query)
    seen = 0
    fetch = Readers.fetch

    async def counting(self: Readers, text: str, arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        return await fetch(self, text, arguments)

    monkeypatch.setattr(Readers, "fetch", counting)
    await ask(client, person, query)
    monkeypatch.undo()
    return seen


async def test_guests_learn_nothing_of_the_desk(database: Database, settings: Settings) -> None:
    guest = await as_viewer(nobody(database, settings), await join(nobody(database, settings)))
    with pytest.raises(Forbidden):
        await call(crm.get_crm_summary, guest)
