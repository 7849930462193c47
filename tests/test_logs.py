"""What is logged and counted of a request, and what never is."""

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import orjson
import pytest
import structlog
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.responses import Response

import logs
from models.database import Database
from models.identity import Role
from settings import LogFormat, LogLevel, Mode, Settings
from tests.people import PASSWORD, join, nobody
from tests.test_identity_graphql import SIGN_IN, Door

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written(settings: Settings) -> Iterator[Lines]:
    """What the process logs as JSON."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(settings.model_copy(update={"log_format": LogFormat.JSON}), stream)
    yield lambda: [orjson.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def distant(app: Starlette) -> httpx2.AsyncClient:
    """A client on another machine."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=("203.0.113.5", 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://atrium.test")


async def test_a_request_is_one_line_with_its_id_and_who_asked(written: Lines, client: httpx2.AsyncClient) -> None:
    door = Door(client)
    number = (await door.join())["user"]["number"]
    answer = await client.post(
        "/graphql",
        json={"query": "query Secret { me { email } }"},
        headers={"X-Request-ID": "r-1", "Authorization": f"Bearer {door.token}"},
    )
    assert answer.headers["x-request-id"] == "r-1"
    [line] = [line for line in written() if line.get("request_id") == "r-1"]
    assert (line["event"], line["level"], line["method"], line["path"], line["status"]) == ("request", "info", "POST", "/graphql", 200)
    assert (line["door"], line["operation"], line["actor"]) == ("graphql", "me", number)
    assert 0 < line["ms"] < 5000


async def test_an_expected_refusal_is_one_line_without_traceback(written: Lines, client: httpx2.AsyncClient) -> None:
    await client.post("/graphql", json={"query": "{ me { email } }"})
    await client.get("/coresync/api/bookings/my-bookings/")
    await client.get("/coresync/nowhere/")
    [graphql, rest, lost] = written()
    assert (graphql["codes"], graphql["status"]) == (["UNAUTHENTICATED"], 200)
    assert (rest["codes"], rest["status"], rest["door"]) == (["UNAUTHENTICATED"], 401, "coresync")
    assert (lost["codes"], lost["status"], lost["door"]) == (["NOT_FOUND"], 404, "coresync")
    assert "exception" not in str(written())


async def test_an_unexpected_failure_is_logged_once_and_answered_without_details(
    written: Lines, app: Starlette, client: httpx2.AsyncClient
) -> None:
    async def broken(_: Any) -> Response:
        raise ZeroDivisionError("ada@example.com")

    app.router.add_route("/broken", broken)
    app.router.routes.insert(0, app.router.routes.pop())
    answer = await client.get("/broken", headers={"X-Request-ID": "r-2"})
    assert answer.status_code == 500
    assert answer.json()["error"] == {"code": "UNKNOWN_ERROR", "message": "Unexpected server error.", "requestId": "r-2"}
    [failure, request] = written()
    assert "ZeroDivisionError" in failure["exception"]
    assert "ada@" not in str(failure)
    assert (failure["request_id"], request["request_id"], request["status"]) == ("r-2", "r-2", 500)


async def test_every_answer_has_a_request_id(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/livez", "/nowhere", "/coresync/nowhere", "/graphql"):
        assert (await client.get(path)).headers["x-request-id"]


async def test_what_machines_ask_all_the_time_is_not_logged(written: Lines, client: httpx2.AsyncClient) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        await client.get(path)
    assert written() == []


async def test_no_password_token_or_person_is_logged(written: Lines, client: httpx2.AsyncClient) -> None:
    door = Door(client)
    await door.join()
    await door.ask(SIGN_IN, email="ann@example.com", password="wrong one")
    await client.get("/nowhere/ann@example.com?token=abc")
    text = str(written())
    for secret in (PASSWORD, "wrong one", str(door.token), "ann@example.com", "5551234567", "Ann", "abc"):
        assert secret not in text


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("no account for ada@example.com", "ada"),
        ("(ada.lovelace+spa@mail.example.co.uk)", "lovelace"),
        ("call +1 (555) 123-4567 back", "123"),
        ("Authorization: Bearer abcdef", "abcdef"),
        ("token eyJhbGciOiJI.eyJzdWIi.c2lnbmF0", "c2lnbmF0"),
        ("Invalid key sk_test_4eC39HqLyjWD", "4eC39"),
        ("for pi_3abc_secret_xyz", "xyz"),
        ("postgresql://atrium:hunter2@db/x", "hunter2"),
        ("duplicate key\nDETAIL:  Key (first_name)=(Ada) already exists.", "Ada"),
    ],
)
def test_what_looks_like_a_secret_or_a_person_is_blotted_out(written: Lines, said: str, hidden: str) -> None:
    structlog.get_logger().warning(said, inner={"list": [said]})
    logging.getLogger("library").error("it failed: %s", said)
    assert len(written()) == 2
    assert hidden not in str(written())
    assert "***" in str(written())


def test_values_under_telling_names_are_blotted_out_and_others_stay(written: Lines) -> None:
    structlog.get_logger().info(
        "event", password="x1", refreshToken="x2", inner={"client_secret": "x3", "booking": "CS-2026-5"}, at="2026-01-15T14:00:00Z"
    )
    [line] = written()
    assert not {"x1", "x2", "x3"} & set(str(line).replace("'", " ").split())
    assert (line["inner"]["booking"], line["at"]) == ("CS-2026-5", "2026-01-15T14:00:00Z")


def test_lines_below_the_level_are_left_out(settings: Settings) -> None:
    stream = io.StringIO()
    handlers = logging.getLogger().handlers[:]
    logs.configure(settings.model_copy(update={"log_level": LogLevel.WARNING}), stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud", number=5)
    structlog.reset_defaults()
    logging.captureWarnings(False)
    logging.getLogger().handlers[:] = handlers
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_production_writes_json_and_a_demo_text() -> None:
    assert Settings(_env_file=None).log_lines is LogFormat.TEXT  # type: ignore[call-arg]
    assert Settings(_env_file=None).model_copy(update={"mode": Mode.PRODUCTION}).log_lines is LogFormat.JSON  # type: ignore[call-arg]


async def test_requests_are_counted_by_names_of_ours(client: httpx2.AsyncClient) -> None:
    def counted(door: str, operation: str, outcome: str) -> float:
        return REGISTRY.get_sample_value("atrium_requests_total", {"door": door, "operation": operation, "outcome": outcome}) or 0

    before = counted("graphql", "services", "answered"), counted("graphql", "me", "refused"), counted("graphql", "other", "refused")
    for query in ("query Chosen { x: services { totalCount } }", "{ me { email } }", "query Nonsense { nonsense }"):
        await client.post("/graphql", json={"query": query})
    await client.get("/coresync/api/services/")
    after = counted("graphql", "services", "answered"), counted("graphql", "me", "refused"), counted("graphql", "other", "refused")
    assert after == tuple(each + 1 for each in before)
    metrics = (await client.get("/metrics")).text
    assert 'atrium_request_seconds_count{door="coresync"' in metrics
    assert "Chosen" not in metrics
    assert "nonsense" not in metrics


async def test_metrics_are_for_staff_this_machine_and_who_knows_the_token(
    app: Starlette, client: httpx2.AsyncClient, distant: httpx2.AsyncClient, database: Database, settings: Settings
) -> None:
    text = (await client.get("/metrics")).text
    for name in ("atrium_event_log_waiting_events", "atrium_jobs_waiting", "atrium_jobs_failed"):
        assert f"\n{name} " in text
    assert (await client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})).status_code == 401
    assert (await distant.get("/metrics")).status_code == 401
    guest = (await join(nobody(database, settings))).access_token
    staff = (await join(nobody(database, settings), Role.SUPPORT)).access_token
    assert (await distant.get("/metrics", headers={"Authorization": f"Bearer {guest}"})).status_code == 403
    assert (await distant.get("/metrics", headers={"Authorization": f"Bearer {staff}"})).status_code == 200
    app.state.settings = settings.model_copy(update={"metrics_token": type(settings.internal_token)("for prometheus")})
    assert (await distant.get("/metrics", headers={"Authorization": "Bearer for prometheus"})).status_code == 200
    assert (await distant.get("/metrics", headers={"Authorization": "Bearer for prometheu"})).status_code == 401
