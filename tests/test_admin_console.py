"""The staff's console: who gets in, what they see, and that whatever they do is an operation."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
import pytest
import websockets
from sqlalchemy import event, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette

from jobs.queue import enqueue
from main import create_app
from models.admin import EndpointUse
from models.base import Model
from models.database import Database
from models.identity import Role
from models.investments import Opportunity
from resolvers.sessions import SignedIn
from settings import Settings
from tests.browser import open_page
from tests.conftest import in_one_task
from tests.people import PASSWORD, join, nobody
from tests.sql import sql, value
from tests.visiting import make_service, make_visit
from tests.worlds import make_person, make_spa, soon
from web.admin.acts import ACTS
from web.admin.columns import is_secret
from web.admin.signing_in import COOKIE
from web.admin.tables import PERSONAL, shown_tables, view_of

TOKEN = re.compile(r'name="csrftoken" value="([^"]+)"')
TABLES = [table for tables in shown_tables().values() for table in tables]


@dataclass
class Desk:
    """A browser at the console, as far as a test needs one."""

    http: httpx2.AsyncClient

    async def token(self) -> str:
        page = (await self.http.get("/admin/login", follow_redirects=True)).text
        return (TOKEN.search(page) or [""])[1]

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        form = {"username": email, "password": password, "csrftoken": await self.token()}
        return await self.http.post("/admin/login", data=form)

    async def act(self, table: str, row: int, name: str, **form: Any) -> httpx2.Response:
        asked = {"pk": str(row), "name": name}
        return await self.http.post(f"/admin/_api/{table}/row-action", params=asked, data={**form, "csrftoken": await self.token()})


@pytest.fixture
def desk(client: httpx2.AsyncClient) -> Desk:
    return Desk(client)


@pytest.fixture
async def clerk(desk: Desk, database: Database, settings: Settings) -> SignedIn:
    """An administrator, at the desk."""
    joined = await join(nobody(database, settings), Role.ADMIN, email="clerk@example.com", first_name="Clara")
    assert (await desk.sign_in("clerk@example.com")).status_code == 303
    return joined


async def at_desk(desk: Desk, database: Database, settings: Settings, *roles: Role) -> None:
    joined = await join(nobody(database, settings), *roles)
    assert (await desk.sign_in(str(joined.user.email))).status_code == 303


async def test_strangers_are_asked_to_sign_in_wherever_they_go(client: httpx2.AsyncClient) -> None:
    for path in ("/admin/", "/admin/users/list", "/admin/users/detail?pk=1", "/admin/failed_jobs/list", "/admin/nothing"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "http://atrium.test/admin/login")
    for path in ("/admin", "/coresync/admin/"):
        assert (await client.get(path)).headers["location"] == "/admin/"
    assert "Atrium for staff" in (await client.get("/admin/login", headers={"Host": "api.coresync.life"})).text


async def test_the_console_has_no_sockets(server: str) -> None:
    with pytest.raises(websockets.InvalidStatus, match="403"):
        await websockets.connect(f"{server.replace('http', 'ws')}/admin/users/list")


async def test_a_customer_does_not_get_in_and_leaves_no_open_session(desk: Desk, database: Database, settings: Settings) -> None:
    await join(nobody(database, settings), email="ann@example.com")
    before = await value(database, "SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    answer = await desk.sign_in("ann@example.com")
    assert answer.status_code == 400
    assert "does not belong to the staff" in answer.text
    assert COOKIE not in desk.http.cookies
    assert await value(database, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == before
    assert (await desk.http.get("/admin/")).status_code == 303


async def test_guessing_is_stopped(desk: Desk, database: Database, settings: Settings) -> None:
    await join(nobody(database, settings), Role.ADMIN, email="clerk@example.com")
    answers = [await desk.sign_in("clerk@example.com", "wrong-password") for _ in range(6)]
    assert "Wrong e-mail or password" in answers[0].text
    assert "Too many tries" in answers[-1].text
    assert "Too many tries" in (await desk.sign_in("clerk@example.com")).text
    assert (await desk.sign_in("no address")).status_code == 400


async def test_the_cookie_is_for_the_console_alone(
    desk: Desk, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await join(nobody(database, settings), Role.ADMIN, email="clerk@example.com")
    said = next(each for each in (await desk.sign_in("clerk@example.com")).headers.get_list("set-cookie") if each.startswith(COOKIE))
    assert "HttpOnly" in said
    assert "Path=/admin" in said
    assert "SameSite=lax" in said
    assert "Secure" not in said
    desk.http.cookies.delete(COOKIE)
    monkeypatch.setattr(Settings, "is_demo", property(lambda _: False))
    strict = next(each for each in (await desk.sign_in("clerk@example.com")).headers.get_list("set-cookie") if each.startswith(COOKIE))
    assert "Secure" in strict


async def test_signing_out_ends_the_session_for_every_holder_of_the_cookie(desk: Desk, clerk: SignedIn, database: Database) -> None:
    kept = desk.http.cookies[COOKIE]
    assert "Bookings today" in (await desk.http.get("/admin/")).text
    assert (await desk.http.post("/admin/logout")).status_code == 403
    token = TOKEN.search((await desk.http.get("/admin/")).text)
    assert token is not None
    assert (await desk.http.post("/admin/logout", data={"csrftoken": token[1]})).status_code == 303
    reasons = [row["end_reason"] for row in await sql(database, "SELECT end_reason FROM sessions WHERE door = 'admin'")]
    assert reasons == ["signed_out"]
    assert (await desk.http.get("/admin/", headers={"Cookie": f"{COOKIE}={kept}"})).status_code == 303


async def test_who_is_blocked_or_no_staff_any_more_is_out_at_once(desk: Desk, clerk: SignedIn, database: Database) -> None:
    await sql(database, "UPDATE users SET is_active = false WHERE id = $1", clerk.user.id)
    assert (await desk.http.get("/admin/users/list")).status_code == 303
    await sql(database, "UPDATE users SET is_active = true WHERE id = $1", clerk.user.id)
    assert (await desk.http.get("/admin/users/list")).status_code == 200
    await sql(database, "DELETE FROM user_roles WHERE role = 'admin'")
    assert (await desk.http.get("/admin/users/list")).status_code == 303


async def test_a_forged_or_foreign_cookie_is_worth_nothing(desk: Desk, clerk: SignedIn) -> None:
    good = desk.http.cookies[COOKIE]
    for cookie in (f"{good}x", good.replace(good[10], "A" if good[10] != "A" else "B", 1), "x", clerk.access_token):
        assert (await desk.http.get("/admin/", headers={"Cookie": f"{COOKIE}={cookie}"})).status_code == 303


async def test_nothing_is_done_without_the_pages_token_nor_from_another_site(desk: Desk, clerk: SignedIn, database: Database) -> None:
    ann = await make_person(database)
    asked = {"pk": str(ann.id), "name": "block_account"}
    without = await desk.http.post("/admin/_api/users/row-action", params=asked, data={"reason": "Spam"})
    wrong = await desk.http.post("/admin/_api/users/row-action", params=asked, data={"reason": "Spam", "csrftoken": "x"})
    page = (await desk.http.get("/admin/users/list")).text
    token = (TOKEN.search(page) or [""])[1]
    foreign = await desk.http.post(
        "/admin/_api/users/row-action", params=asked, data={"reason": "Spam", "csrftoken": token}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert [without.status_code, wrong.status_code, foreign.status_code] == [403, 403, 403]
    assert await value(database, "SELECT is_active FROM users WHERE id = $1", ann.id)


SEES = {
    Role.SUPER_ADMIN: {"users", "payments", "bookings", "kiosks", "history", "failed_jobs"},
    Role.ADMIN: {"users", "payments", "bookings", "kiosks", "history", "failed_jobs"},
    Role.SUPPORT: {"users", "bookings"},
    Role.FINANCE: {"payments", "bookings"},
}


@pytest.mark.parametrize("role", SEES)
async def test_roles_see_what_is_theirs(desk: Desk, database: Database, settings: Settings, role: Role) -> None:
    await at_desk(desk, database, settings, role)
    every = sorted(set().union(*SEES.values()))
    statuses = {each: (await desk.http.get(f"/admin/{each}/list")).status_code for each in every}
    assert statuses == {each: 200 if each in SEES[role] else 403 for each in every}
    menu = (await desk.http.get("/admin/")).text
    assert {each for each in every if f"/admin/{each}/list" in menu} == SEES[role]


async def test_whoever_may_not_read_people_sees_their_numbers(desk: Desk, database: Database, settings: Settings) -> None:
    spa, ann = await make_spa(database), await make_person(database)
    await make_visit(database, spa, ann, spa.service, soon())
    await at_desk(desk, database, settings, Role.FINANCE)
    assert "ann@example.com" not in (await desk.http.get("/admin/bookings/list")).text
    await at_desk(Desk(desk.http), database, settings, Role.SUPPORT)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.__tablename__))
def test_no_page_has_a_column_that_opens_something_or_personal_data_that_nobody_named(table: type[Model]) -> None:
    shown = {each.name for each in view_of(table).fields}
    columns = {each.key: each for each in table.__mapper__.column_attrs}
    assert shown & columns.keys()
    assert not {each for each in shown & columns.keys() if is_secret(table, each)}
    sensitive = {each for each in shown & columns.keys() if columns[each].columns[0].info.get("sensitive")}
    assert sensitive <= PERSONAL.get(table, frozenset())


def test_secrets_are_known_by_their_owners_and_by_their_names() -> None:
    names = {f"{table.__name__}.{each.key}" for table in TABLES for each in table.__mapper__.column_attrs if is_secret(table, each.key)}
    assert names >= {"Kiosk.token_hash", "OutboxMessage.body", "OutboxMessage.code", "Passkey.public_key", "Payment.client_secret"}
    assert not {"users", "bookings"} & {each.__tablename__ for each in TABLES if each.__name__ in ("Credential", "Session", "Face")}


@pytest.fixture
async def demo(demo_url: str, settings: Settings) -> AsyncIterator[tuple[Desk, Starlette]]:
    """The console of a server that holds the demo world."""
    app = create_app(settings, demo_url)
    async with in_one_task(app.router.lifespan_context(app)):
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://atrium.test") as client:
            desk = Desk(client)
            assert (await desk.sign_in("admin@minuteserv.com", "password123")).status_code == 303
            yield desk, app


async def test_every_page_takes_two_statements_however_many_rows_it_has(demo: tuple[Desk, Starlette]) -> None:
    desk, app = demo
    statements: list[str] = []

    def note(connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if connection.get_execution_options().get("postgresql_readonly"):  # devices report meanwhile
            statements.append(text)

    event.listen(app.state.database.engine.sync_engine, "before_cursor_execute", note)
    for table in TABLES:
        name = table.__tablename__
        statements.clear()
        page = await desk.http.get(f"/admin/{name}/list", params={"page_size": 100})
        assert page.status_code == 200, page.text
        assert len(statements) == 2, (name, statements)
        rows = re.findall(rf"/admin/{name}/detail\?pk=(\d+)", page.text)
        if rows:
            statements.clear()
            detail = await desk.http.get(f"/admin/{name}/detail", params={"pk": rows[0]})
            assert detail.status_code == 200, detail.text
            assert len(statements) == 1, (name, statements)
        found = await desk.http.get(f"/admin/{name}/list", params={"q": "a'%b"})
        assert found.status_code == 200, found.text


async def test_searching_filtering_and_sorting_find_rows(demo: tuple[Desk, Starlette]) -> None:
    desk, _ = demo

    async def numbers(**asked: str) -> list[int]:
        page = (await desk.http.get("/admin/bookings/list", params=asked)).text
        return [int(each) for each in dict.fromkeys(re.findall(r"/admin/bookings/detail\?pk=(\d+)", page))]

    people = (await desk.http.get("/admin/users/list", params={"q": "User@Example"})).text
    assert "user@example.com" in people
    assert "attendee@example.com" not in people
    newest = await numbers()
    assert newest == sorted(newest, reverse=True)
    assert await numbers(sort="id__asc") == list(range(1, 26))
    cancelled = await numbers(filter="status__in=cancelled")
    assert cancelled
    assert not set(cancelled) & set(await numbers(filter="status__in=completed"))
    johns = await numbers(filter="customer_id__eq=1 AND status__in=completed", page_size="100")
    assert johns
    assert set(johns) < set(await numbers(filter="customer_id__eq=1", page_size="100", sort="id__asc")) | set(
        await numbers(filter="customer_id__eq=1", page_size="100")
    )
    assert "CS-" in (await desk.http.get("/admin/bookings/list", params={"q": str(newest[0])})).text


@pytest.mark.parametrize(
    "path",
    [
        "users/detail?pk=abc", "users/detail?pk=99999999999999999999", "users/detail?pk=-1", "users/detail?pk=", "users/detail",
        "nothing/list", "users/list?page=x", "users/list?page_size=-1", "users/list?filter=((((", "users/list?filter=id:eq:x",
        "users/list?sort=nothing__up", "users/list?page=999999999", "users/list?q=%00", "users/list?cols=secret",
    ],
)  # fmt: skip
async def test_junk_is_refused_or_ignored_and_no_failure(desk: Desk, clerk: SignedIn, path: str) -> None:
    assert (await desk.http.get(f"/admin/{path}")).status_code in (200, 400, 404, 422)


async def test_nothing_can_be_written_past_the_operations(desk: Desk, clerk: SignedIn, database: Database) -> None:
    token = await desk.token()
    for path in ("users/create", "users/edit?pk=1", "_api/users/import", "_api/users/inline-edit?pk=1&field=first_name"):
        assert (await desk.http.get(f"/admin/{path}")).status_code in (404, 405)
        answer = await desk.http.post(f"/admin/{path}", data={"csrftoken": token, "first_name": "Eve"})
        assert answer.status_code in (404, 405)
    for name in ("delete", "edit", "export"):
        answer = await desk.act("users", clerk.user.id, name)
        assert answer.status_code in (400, 403), (name, answer.text)
        batch = await desk.http.post("/admin/_api/users/action", params={"name": name, "all": "1"}, data={"csrftoken": token})
        assert batch.status_code == 400
    read_only = database.engine.execution_options(postgresql_readonly=True)
    async with AsyncSession(read_only) as session:
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(insert(EndpointUse).values(day=soon().date(), system="x", route="x", client="x"))


async def test_blocking_an_account_is_the_operation_with_its_history(desk: Desk, clerk: SignedIn, database: Database) -> None:
    ann = await make_person(database)
    page = (await desk.http.get(f"/admin/users/detail?pk={ann.id}")).text
    assert "block_account" in page
    assert "unblock_account" not in page
    missing = await desk.act("users", ann.id, "block_account")
    assert (missing.status_code, missing.json()["msg"]) == (400, "Invalid input data Reason: this is needed.")
    done = await desk.act("users", ann.id, "block_account", reason="Spam", idempotency_key="one")
    again = await desk.act("users", ann.id, "block_account", reason="Spam", idempotency_key="one")
    assert [done.status_code, again.status_code] == [200, 400]  # once blocked, the page does not offer it any more
    [change] = await sql(database, "SELECT * FROM history WHERE table_name = 'users' AND row_id = $1 AND action = 'update'", ann.id)
    assert change["actor_id"] == clerk.user.id
    assert change["request_id"] == done.headers["x-request-id"]
    assert change["after"] == {"is_active": False}
    own = await desk.act("users", clerk.user.id, "block_account", reason="Try")
    assert own.json()["msg"] == "Nobody blocks themselves."
    assert (await desk.act("users", ann.id, "unblock_account", reason="A mistake")).status_code == 200
    assert await value(database, "SELECT is_active FROM users WHERE id = $1", ann.id)


async def test_a_booking_is_cancelled_from_its_page(desk: Desk, clerk: SignedIn, database: Database) -> None:
    spa, ann = await make_spa(database), await make_person(database)
    visit = await make_visit(database, spa, ann, await make_service(database, spa, "Calm Facial", "facial"), soon(), status="confirmed")  # type: ignore[arg-type]
    assert (await desk.act("bookings", visit.id, "cancel_booking", reason="The room is closed")).status_code == 200
    [row] = await sql(database, "SELECT status, cancel_reason FROM bookings WHERE id = $1", visit.id)
    assert dict(row) == {"status": "cancelled", "cancel_reason": "The room is closed"}
    assert (await desk.act("bookings", visit.id, "cancel_booking")).status_code == 400
    assert (await desk.act("bookings", 999, "cancel_booking")).json()["msg"] == "Not found."


async def test_an_amount_that_cannot_be_read_gives_nothing_back(desk: Desk, clerk: SignedIn, database: Database) -> None:
    spa, ann = await make_spa(database), await make_person(database)
    visit = await make_visit(database, spa, ann, spa.service, soon(), paid="120.00")
    number = await value(database, "SELECT id FROM payments WHERE booking_id = $1", visit.id)
    for amount in ("much", "NaN", "Infinity", "1e400", "-5", "1000", "0.001", "\x00"):
        assert (await desk.act("payments", number, "refund_payment", amount=amount)).status_code == 400, amount
    assert await value(database, "SELECT count(*) FROM refunds") == 0
    assert (await desk.act("users", ann.id, "block_account", reason="a\x00b")).status_code == 400


async def test_a_failed_job_runs_again_or_is_dropped(desk: Desk, clerk: SignedIn, database: Database) -> None:
    async with database.sessions.begin() as db:
        for number in range(2):
            await enqueue(db, "note", {"number": number})
    first, second = [row["id"] for row in await sql(database, "UPDATE pgqueuer SET status = 'failed' RETURNING id")]
    assert "note" in (await desk.http.get("/admin/failed_jobs/list")).text
    assert (await desk.http.get(f"/admin/failed_jobs/detail?pk={first}")).status_code == 200
    assert (await desk.act("failed_jobs", first, "requeue_jobs")).status_code == 200
    assert (await desk.act("failed_jobs", second, "drop_jobs")).status_code == 200
    assert [tuple(row) for row in await sql(database, "SELECT id, status::text FROM pgqueuer")] == [(first, "queued")]
    actors = {row["actor_id"] for row in await sql(database, "SELECT actor_id FROM history WHERE table_name = 'pgqueuer'")}
    assert actors == {clerk.user.id}


async def test_a_persons_investment_access_is_granted_and_taken_back(desk: Desk, clerk: SignedIn, database: Database) -> None:
    ann = await make_person(database)
    holds = "SELECT count(*) FROM user_roles WHERE user_id = $1 AND role = 'investor'"
    assert (await desk.act("users", ann.id, "grant_investment_access")).status_code == 200
    assert await value(database, holds, ann.id) == 1
    assert (await desk.act("users", ann.id, "revoke_investment_access")).status_code == 200
    assert await value(database, holds, ann.id) == 0


async def test_an_opportunity_is_opened_by_choosing_among_its_statuses(desk: Desk, clerk: SignedIn, database: Database) -> None:
    terms = {"title": "Second house", "description": "A house.", "expected_roi": "15-20%", "timeline": "18 months"}
    async with database.sessions.begin() as db:
        db.add(Opportunity(**terms, minimum_investment=Decimal(50_000)))
    page = (await desk.http.get("/admin/opportunities/detail?pk=1")).text
    assert re.findall(r"value=&#34;(\w+)&#34;&gt;\w+&lt;/option", page) == ["open"]  # a draft can only be opened
    assert (await desk.act("opportunities", 1, "move_opportunity", status="somewhere")).status_code == 400
    assert (await desk.act("opportunities", 1, "move_opportunity", status="open")).status_code == 200
    assert await value(database, "SELECT status FROM opportunities") == "open"


@pytest.mark.parametrize(
    ("role", "table", "name"),
    [(Role.FINANCE, "users", "block_account"), (Role.SUPPORT, "payments", "refund_payment"), (Role.SUPPORT, "kiosks", "revoke_kiosk")],
)
async def test_an_action_of_another_role_is_refused(
    desk: Desk, database: Database, settings: Settings, role: Role, table: str, name: str
) -> None:
    await at_desk(desk, database, settings, role)
    assert (await desk.act(table, 1, name, reason="x")).status_code in (400, 403)


def test_every_action_asks_for_what_its_operation_takes() -> None:
    assert set(ACTS) <= set(TABLES)
    for acts in ACTS.values():
        for each in acts:
            names = {each.argument, *(wanted.name for wanted in each.wanted)}
            assert names <= set(each.operation.parameters), each.name
            needed = {name for name, parameter in each.operation.parameters.items() if parameter.default is parameter.empty}
            assert needed <= {each.argument, *(wanted.name for wanted in each.wanted if wanted.is_required)}, each.name


async def test_no_page_may_be_framed_kept_or_run_foreign_scripts(desk: Desk, clerk: SignedIn) -> None:
    for path in ("/admin/", "/admin/users/list", "/admin/login"):
        answer = await desk.http.get(path, follow_redirects=True)
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self' 'nonce-" in policy
        assert "unsafe" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        assert answer.headers["cache-control"] == "no-store"
        [nonce] = set(re.findall(r"'nonce-([^']+)'", policy))
        for tag in re.findall(r"<(?:script|style)[^>]*>", answer.text):
            assert f'nonce="{nonce}"' in tag or 'src="/static/' in tag
        assert not re.search(r"\son\w+=\"", answer.text)
        assert "rsms.me" not in answer.text


async def test_the_console_works_in_a_browser(client: httpx2.AsyncClient, server: str, database: Database, settings: Settings) -> None:
    spa, ann = await make_spa(database), await make_person(database)
    await join(nobody(database, settings), email="customer@example.com")
    await join(nobody(database, settings), Role.ADMIN, email="clerk@example.com")
    visit = await make_visit(database, spa, ann, spa.service, soon(), status="confirmed")  # type: ignore[arg-type]
    async with open_page(f"{server}/admin/") as page:

        async def sign_in(email: str) -> None:
            await page.until("document.querySelector('#username')")
            await page.value(
                f"document.querySelector('#username').value = '{email}'; document.querySelector('#password').value = '{PASSWORD}';"
                "document.querySelector('form').requestSubmit()"
            )

        await sign_in("customer@example.com")
        await page.until("document.body?.innerText.includes('does not belong to the staff')")
        page.complaints.clear()  # Chromium notes that the refusal is a 400
        await sign_in("clerk@example.com")
        await page.until("document.body?.innerText.includes('Bookings today')")
        await page.open(f"{server}/admin/bookings/list")
        await page.until(f"document.body?.innerText.includes('{visit.reference}')")
        await page.open(f"{server}/admin/bookings/detail?pk={visit.id}")
        await page.until("document.querySelector('[data-sa-name=cancel_booking]')")
        await page.value("document.querySelector('[data-sa-name=cancel_booking]').click()")
        await page.until("document.querySelector('#modal-action.show input[name=reason]')")
        await page.value("document.querySelector('#modal-action input[name=reason]').value = 'The room is closed'")
        await page.value("document.querySelector('#actionSubmit').click()")
        await page.until("document.body?.innerText.includes('CANCELLED')")
        assert await value(database, "SELECT cancel_reason FROM bookings WHERE id = $1", visit.id) == "The room is closed"
        assert {address.split("/")[2] for address in page.requested} == {server.removeprefix("http://")}
        assert page.complaints == []
