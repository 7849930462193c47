"""What the heads of the house read and do: failed jobs, and the history."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from jobs.queue import enqueue
from models.database import Database
from models.identity import Role
from settings import Settings
from tests.people import join, nobody
from tests.sql import sql
from tests.test_identity_graphql import Door
from tests.worlds import make_person

FAILED = "query ($before: Int) { failedJobs(limit: 2, before: $before) { number name payload tries queuedAt failedAt error } }"
REQUEUE = "mutation ($numbers: [Int!]!) { requeueJobs(numbers: $numbers) { numbers } }"
DROP = "mutation ($numbers: [Int!]!) { dropJobs(numbers: $numbers) { numbers } }"
HISTORY = """
query ($table: String, $row: Int, $actor: ID, $request: String, $since: DateTime, $until: DateTime) {
  history(table: $table, row: $row, actorId: $actor, requestId: $request, since: $since, until: $until, first: 50) {
    nodes { at actorId requestId tableName rowId action before after }
    totalCount
  }
}
"""
As = Callable[..., Awaitable[Door]]


@pytest.fixture
def signed_in(client: httpx2.AsyncClient, database: Database, settings: Settings) -> As:
    async def make(*roles: Role) -> Door:
        door = Door(client)
        door.token = (await join(nobody(database, settings), *roles)).access_token
        return door

    return make


@pytest.fixture
async def failed(database: Database) -> list[int]:
    """Three jobs that failed, and one that waits."""
    async with database.sessions.begin() as db:
        for number in range(4):
            await enqueue(db, "note", {"number": number})
    rows = await sql(database, "UPDATE pgqueuer SET status = 'failed', attempts = 7 WHERE payload <> '{\"number\":3}' RETURNING id")
    return sorted(row["id"] for row in rows)


async def test_failed_jobs_are_listed_newest_first(signed_in: As, failed: list[int]) -> None:
    door = await signed_in(Role.ADMIN)
    newest = (await door.data(FAILED))["failedJobs"]
    assert [job["number"] for job in newest] == [failed[2], failed[1]]
    assert (newest[0]["name"], newest[0]["payload"], newest[0]["tries"], newest[0]["error"]) == ("note", {"number": 2}, 8, "")
    assert [job["number"] for job in (await door.data(FAILED, before=failed[1]))["failedJobs"]] == [failed[0]]
    assert await door.code("{ failedJobs(limit: 0) { number } }") == "BAD_USER_INPUT"


async def test_failed_jobs_run_again_or_are_dropped_and_the_history_says_by_whom(
    signed_in: As, failed: list[int], database: Database
) -> None:
    door = await signed_in(Role.SUPER_ADMIN)
    waiting = max(failed) + 1
    assert (await door.data(REQUEUE, numbers=[failed[0], waiting, 999]))["requeueJobs"]["numbers"] == [failed[0]]
    assert (await door.data(DROP, numbers=[failed[0], failed[1]]))["dropJobs"]["numbers"] == [failed[1]]
    left = {row["id"]: row["status"] for row in await sql(database, "SELECT id, status FROM pgqueuer")}
    assert left == {failed[0]: "queued", failed[2]: "failed", waiting: "queued"}
    changes = (await door.data(HISTORY, table="pgqueuer"))["history"]["nodes"]
    assert [(change["action"], change["rowId"]) for change in changes] == [("delete", failed[1]), ("update", failed[0])]
    assert all(change["actorId"] for change in changes)
    assert await door.code(DROP, numbers=[1] * 101) == "BAD_USER_INPUT"


@pytest.mark.parametrize("ask", [FAILED, REQUEUE, DROP, HISTORY])
@pytest.mark.parametrize("roles", [(), (Role.SUPPORT,), (Role.FINANCE, Role.MANAGEMENT)])
async def test_others_may_not(signed_in: As, ask: str, roles: tuple[Role, ...]) -> None:
    door = await signed_in(*roles)
    variables: dict[str, Any] = {"numbers": []} if "numbers" in ask else {}
    assert await door.code(ask, **variables) == "FORBIDDEN"


async def test_the_history_is_narrowed_by_what_who_and_when(signed_in: As, database: Database) -> None:
    door = await signed_in(Role.ADMIN)
    person = await make_person(database, "ann")
    admin = (await door.data("{ me { id number } }"))["me"]
    await door.data('mutation { updateProfile(patch: { firstName: "Ada", smsNotifications: true }) { number } }')

    async def found(**narrowed: Any) -> list[Any]:
        page = (await door.data(HISTORY, **narrowed))["history"]
        assert page["totalCount"] == len(page["nodes"])
        return list(page["nodes"])

    everything = await found()
    assert [change["at"] for change in everything] == sorted((change["at"] for change in everything), reverse=True)
    [mine] = await found(actor=admin["id"])
    assert (mine["tableName"], mine["rowId"], mine["action"]) == ("users", admin["number"], "update")
    assert mine["after"] == {"first_name": "***", "sms_notifications": True}
    assert await found(actor=str(admin["number"])) == await found(request=mine["requestId"]) == [mine]
    assert {change["tableName"] for change in await found(table="user_roles")} == {"user_roles"}
    assert [change["action"] for change in await found(table="users", row=person.id)] == ["insert"]
    at = mine["at"]
    assert (await found(since=at))[-1] == mine
    assert mine not in await found(until=at)
    assert len(await found(since=at)) + len(await found(until=at)) == len(everything)


async def test_what_customers_and_staff_write_about_a_booking_is_not_kept(database: Database) -> None:
    person = await make_person(database, "ann")
    columns = "kind, customer_id, status, payment_status, starts_at, ends_at, total_amount, currency, uuid"
    values = "'event', $1, 'pending', 'pending', now(), now() + interval '1 hour', 0, 'USD', gen_random_uuid()"
    insert = f"INSERT INTO bookings ({columns}, special_requests, feedback, cancel_reason) VALUES ({values}, 'a', 'b', 'c')"  # noqa: S608
    await sql(database, insert, person.id)
    [change] = await sql(database, "SELECT after FROM history WHERE table_name = 'bookings'")
    assert {change["after"][name] for name in ("special_requests", "feedback", "cancel_reason")} == {"***"}
