"""What the engine asks of the database and of itself: one statement for each level, made once."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, get_nullable_type, is_composite_type, is_list_type

from engine import compiled, documents, outline, plan, showing
from engine.execute import Engine
from models.database import Database
from resolvers.context import Context
from settings import Settings
from tests.comparing import LARGE, VIEWERS

ARGUMENTS = {
    "service": '(id: "1")',
    "booking": '(id: "1")',
    "payment": '(id: "1")',
    "device": '(id: "1")',
    "category": '(id: "1")',
    "monthlyFigures": '(since: "2026-01-01", until: "2026-03-01")',
    "letterPreview": "(kind: BOOKING_CONFIRMED)",
    "formSubmission": '(id: "1")',
    "segmentSize": "(purpose: SPECIAL_OFFERS)",
    "campaign": '(id: "1")',
    "campaignRecipients": '(campaignId: "1")',
    "campaignPreview": '(id: "1")',
    "product": '(id: "1")',
    "purchase": '(id: "1")',
    "conciergeRequest": '(id: "1")',
    "opportunity": '(id: "1")',
    "investmentDocumentLink": '(id: "1")',
    "previewUpgrade": '(planId: "1")',
    "event": '(id: "1")',
    "eventBooking": '(id: "1")',
    "eventAttendances": '(eventId: "1")',
    "facilitator": '(id: "1")',
    "calendar": '(secret: "x")',
    "crmNotice": "(bookingNumber: 1)",
    "crmStatistics": "(facilitatorNumber: 1)",
    "crmDashboard": "(facilitatorNumber: 1)",
    "availability": '(serviceId: "1", date: "2026-01-15")',
}
SCHEMA = Engine(Settings(_env_file=None)).schema  # type: ignore[call-arg]
ROOTS = sorted(SCHEMA.query_type.fields)  # type: ignore[union-attr]
READS_ITSELF = {
    **{"availability": 5, "failedJobs": 1, "monthlyFigures": 1, "myVisitSummary": 1, "myRecommendations": 6},
    **{"unreadNotifications": 1, "myNotificationPreferences": 2, "letterPreview": 0, "segmentSize": 1, "campaignPreview": 1},
    **{"investmentDocumentLink": 2, "booksStanding": 3, "previewUpgrade": 2, "dashboard": 2, "crmDashboard": 4},
}
"""Operations that are no statement but ask the database themselves, and how often at most."""


class Watched(Database):
    """A database that notes what it is asked, apart from what counts the callers."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.asked: list[str] = []

    async def run(self, text: str, arguments: list[Any]) -> list[Any]:
        if "limit_counters" not in text:
            self.asked.append(text)
        return await super().run(text, arguments)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def watched(demo_url: str, settings: Settings, loop: asyncio.AbstractEventLoop) -> Iterator[Watched]:
    database = Watched(demo_url, settings)
    loop.run_until_complete(database.__aenter__())
    yield database
    loop.run_until_complete(database.__aexit__())


@pytest.fixture
def run(watched: Watched, settings: Settings, loop: asyncio.AbstractEventLoop) -> Callable[..., list[str]]:
    """Runs a document with one engine and tells the statements that it took."""
    engine = Engine(settings.model_copy(update=LARGE))

    def ask(text: str, viewer: str = "admin", **variables: Any) -> list[str]:
        watched.asked.clear()
        ctx = Context(settings, watched, None, VIEWERS[viewer])  # type: ignore[arg-type]
        answer = loop.run_until_complete(engine.run(text, ctx, variables=variables))
        codes = {each["extensions"]["code"] for each in answer.body(ctx).get("errors", ())}
        assert codes <= {"NOT_FOUND"}, codes
        return list(watched.asked)

    return ask


def rich(kind: Any, depth: int) -> tuple[str, int]:
    """A selection of everything, so many levels deep, and how many lists it holds at most."""
    named, parts, lists = get_named_type(kind), [], 0
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return "", 0
    for name, field in named.fields.items():
        if not is_composite_type(get_named_type(field.type)):
            parts.append(name)
        elif depth:
            inner, more = rich(field.type, depth - 1)
            parts.append(f"{name} {inner}")
            lists += more + is_list_type(get_nullable_type(field.type))
    if isinstance(named, GraphQLInterfaceType):
        for each in SCHEMA.get_possible_types(named):
            inner, more = rich(each, depth)
            parts.append(f"... on {each.name} {inner}")
            lists += more
    return f"{{ __typename {' '.join(parts)} }}", lists


def called(name: str, *more: str) -> str:
    """A root field with the arguments that it needs, and more."""
    given = ", ".join(filter(None, [ARGUMENTS.get(name, "").strip("()"), *more]))
    return f"{name}({given})" if given else name


def asked_for(name: str, depth: int) -> tuple[str, int]:
    root = SCHEMA.query_type
    assert isinstance(root, GraphQLObjectType)
    selection, lists = rich(root.fields[name].type, depth)
    is_page = get_named_type(root.fields[name].type).name.endswith("Connection")
    return f"{{ {called(name)} {selection} }}", lists - 2 * is_page  # edges and nodes come with the page


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_field_with_plain_fields_takes_one_statement(run: Callable[..., list[str]], name: str) -> None:
    text, _ = asked_for(name, 0) if not _is_page(name) else (f"{{ {called(name)} {{ nodes {{ __typename }} }} }}", 0)
    assert len(run(text)) <= READS_ITSELF.get(name, 1)


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_field_with_everything_takes_one_statement_more_for_each_list(run: Callable[..., list[str]], name: str) -> None:
    text, lists = asked_for(name, 4)
    counting = 1 if _is_page(name) else 0
    assert len(run(text)) <= READS_ITSELF.get(name, 1) + counting + lists


@pytest.mark.parametrize("name", [each for each in ROOTS if each not in READS_ITSELF])
def test_a_document_that_is_known_makes_nothing_anew(run: Callable[..., list[str]], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, _ = asked_for(name, 4)
    before = run(text)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("made anew")

    for module, function in (
        (compiled, "compile_statement"), (outline, "compile_statement"), (showing, "compile_statement"),
        (documents, "parse"), (documents, "validate"), (Engine, "run_reference"), (plan.Plan, "select"),
    ):  # fmt: skip
        monkeypatch.setattr(module, function, never)
    assert run(text) == before


def _is_page(name: str) -> bool:
    assert SCHEMA.query_type is not None
    return str(get_named_type(SCHEMA.query_type.fields[name].type)).endswith("Connection")


@pytest.mark.parametrize("name", [each for each in ROOTS if _is_page(each)])
@pytest.mark.parametrize("selection", ["totalCount", "pageInfo { total }", "pageInfo { pages }"])
def test_rows_are_counted_only_when_asked(run: Callable[..., list[str]], name: str, selection: str) -> None:
    page = run(f"{{ {called(name, 'first: 1')} {{ nodes {{ __typename }} pageInfo {{ hasNextPage }} }} }}")
    assert not any("count(*)" in each for each in page)
    assert sum("count(*)" in each for each in run(f"{{ {called(name, 'first: 1')} {{ nodes {{ __typename }} {selection} }} }}")) == 1


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("{ services { nodes { name %s } } }", "spa_services: ... on SpaService { memberPrice }"),
        ("{ services { nodes { name %s } } }", "categories: category { name }"),
        ("{ bookings { nodes { reference %s } } }", "appointments: ... on Appointment { staffNotes }"),
        ("{ bookings { nodes { reference %s } } }", "rooms: ... on Appointment { room { name } }"),
        ("{ devices { nodes { name %s } } }", "device_heartbeats: seenAt"),
    ],
)
def test_a_side_table_is_joined_only_when_it_is_selected(run: Callable[..., list[str]], text: str, table: str) -> None:
    name, _, selection = table.partition(": ")
    assert f"JOIN {name} " not in run(text % "")[0]
    assert f"JOIN {name} " in run(text % selection)[0]


BY_VALUE = [
    ("query($f: ServiceFilter) { services(filter: $f) { edges { cursor node { addons { name } } } } }", {"f": {"search": "a"}}),
    ("query($f: DeviceFilter) { devices(filter: $f) { edges { cursor node { name } } } }", {"f": {"roomId": "1"}}),
]


@pytest.mark.parametrize(("text", "variables"), BY_VALUE)
def test_a_read_that_looks_at_values_does_not_grow(run: Callable[..., list[str]], text: str, variables: dict[str, Any]) -> None:
    first = run(text, **variables)
    for _ in range(5):
        again = run(text, **variables)
    assert again == first
