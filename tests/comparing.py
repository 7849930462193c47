"""The demo world, and the engine and its reference side by side on it."""

import asyncio
import json
import re
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import orjson
from graphql import parse, validate
from sqlalchemy import select

import clock
from demo.load import PATIENCE, load
from engine.answers import written
from engine.execute import Engine
from models.base import Model
from models.bookings import Booking
from models.catalogue import Category, Service
from models.database import Database
from models.identity import Role, User
from models.keys import global_id
from models.payments import Payment, SavedCard
from models.rooms import Device, Room, Scene
from models.scheduling import Location
from resolvers.context import Context, Viewer
from settings import Settings
from tests.reference import Error, Reference, Told, plain
from tests.scenarios import Call, CursorAt, Scenario

JOHN, CASEY, JANE, ADMIN, GUEST = 1, 2, 5, 11, 101
VIEWERS = {
    "nobody": Viewer(),
    "john": Viewer(JOHN, frozenset({Role.CUSTOMER})),
    "casey": Viewer(CASEY, frozenset({Role.CUSTOMER})),
    "jane": Viewer(JANE, frozenset({Role.CUSTOMER, Role.FACILITATOR})),
    "guest": Viewer(GUEST, frozenset({Role.CUSTOMER})),
    "other guest": Viewer(GUEST + 1, frozenset({Role.CUSTOMER})),
    "admin": Viewer(ADMIN, frozenset({Role.SUPER_ADMIN})),
    "finance": Viewer(GUEST + 2, frozenset({Role.FINANCE})),
    "support": Viewer(GUEST, frozenset({Role.SUPPORT})),
}
LARGE: dict[str, int] = {"max_tokens": 20_000, "max_aliases": 2000, "max_fields": 20_000, "max_depth": 40, "operation_timeout": 120}
LARGE |= {"max_cost": 10**12, "cost_budget": 10**12, "cost_budget_strangers": 10**12}
REFUSED = Told(None, frozenset({((), "BAD_USER_INPUT")}), False)


class Differs(AssertionError):
    """The engine and the reference do not answer the same."""


@dataclass
class World:
    """What the comparisons run on; all of its work is done in a loop of its own."""

    settings: Settings
    database: Database
    loop: asyncio.AbstractEventLoop
    values: dict[str, list[Any]] = field(default_factory=dict)
    moment: datetime = field(default_factory=clock.now)

    def __post_init__(self) -> None:
        self.references = {raw: Reference(self.database, raw=raw) for raw in (False, True)}
        self.renew()

    def renew(self) -> None:
        """Begin with engines that have planned nothing."""
        self.engines = {raw: Engine(self.settings, raw=raw) for raw in (False, True)}

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something to its end."""
        return self.loop.run_until_complete(work)

    def context(self, viewer: str) -> Context:
        """The context of one request."""
        return Context(self.settings, self.database, gateways=None, viewer=VIEWERS[viewer], request_id="req_test")  # type: ignore[arg-type]

    def check(self, scenario: Scenario, *, raw: bool = False, at_once: bool = False) -> None:
        """Compare all calls of a scenario, at a moment that stands still; Differs says where they do not agree."""
        errors = validate(self.engines[raw].schema, parse(scenario.text))
        assert not errors, (scenario.text, errors)
        if scenario.text.startswith("mutation"):
            for each in self.references.values():
                each.kept.clear()
        with patch.object(clock, "now", lambda: self.moment):
            calls = [self._check(scenario, number, call, raw) for number, call in enumerate(scenario.calls)]
            self.wait(_together(calls) if at_once else _in_turn(calls))

    async def _check(self, scenario: Scenario, number: int, call: Call, raw: bool) -> None:
        ctx, engine = self.context(call.viewer), self.engines[raw]
        variables = {name: await self._found(each, scenario, call) for name, each in call.variables.items()}
        try:
            answer = await engine.run(scenario.text, ctx, variables=variables)
        except Exception as error:
            raise Differs(f"{error!r} for {scenario.text}") from error
        body = answer.body(ctx)
        errors = frozenset((tuple(each.get("path") or ()), each["extensions"]["code"]) for each in body.get("errors", ()))
        expected = REFUSED
        if is_storable(variables):
            expected = await self.references[raw].run(scenario.text, self.context(call.viewer), variables)
            errors = self.references[raw].with_permission(errors, scenario.text, ctx)
            expected = replace(expected, errors=self.references[raw].with_permission(expected.errors, scenario.text, ctx))
        if isinstance(expected.data, dict):
            expected = replace(expected, data=orderly(expected.data, raw))
        told = Told(answer.data if raw else orjson.loads(written({"data": answer.data}))["data"], errors, answer.was_run)
        told, expected = (replace(each, errors=frozenset(map(anywhere, each.errors))) for each in (told, expected))
        if expected.data is None and told.errors and told.errors < expected.errors:
            expected = replace(expected, errors=told.errors)  # one error is enough where nothing is left of the answer
        shown = (repr(orderly(told.data, raw)), told.errors, told.was_run)
        if shown != (repr(expected.data), expected.errors, expected.was_run):
            raise Differs(
                f"call {number} as {call.viewer} with {json.dumps(variables, default=str)}\n{scenario.text}\n"
                f"engine    {shown}\nreference {(repr(expected.data), expected.errors, expected.was_run)}"
            )

    async def _found(self, value: Any, scenario: Scenario, call: Call) -> Any:
        """A cursor as the reference gives it out."""
        if not isinstance(value, CursorAt):
            return value
        names = set(re.findall(r"\$(\w+)", value.probe))
        declared = ", ".join(scenario.declared[name] for name in sorted(names))
        text = f"query{f'({declared})' if declared else ''} {{ found: {value.probe} }}"
        variables = {name: each for name, each in call.variables.items() if name in names}
        told = await self.references[False].run(text, self.context(call.viewer), variables)
        edges = told.data["found"]["edges"] if told.data else []
        return edges[value.position % len(edges)]["cursor"] if edges else "none"


async def _together(calls: list[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*calls)


async def _in_turn(calls: list[Coroutine[Any, Any, None]]) -> None:
    for number, each in enumerate(calls):
        try:
            await each
        except Differs:
            for other in calls[number + 1 :]:
                other.close()
            raise


def anywhere(error: Error) -> Error:
    """An error at its root field: which of several objects below fails first is left to chance."""
    path, code = error
    return path[:1], code


def is_storable(value: Any) -> bool:
    """Whether variables hold only what columns can hold."""
    if isinstance(value, dict | list):
        return all(map(is_storable, [*value, *value.values()] if isinstance(value, dict) else value))
    if isinstance(value, str):
        return not re.search("[\0\ud800-\udfff]", value)
    return not isinstance(value, int) or abs(value) < 2**63


def orderly(value: Any, raw: bool) -> Any:
    """Values as they are compared: without enums, and identifiers of one class."""
    if isinstance(value, dict):
        return {name: orderly(each, raw) for name, each in value.items()}
    if isinstance(value, list):
        return [orderly(each, raw) for each in value]
    return UUID(str(value)) if isinstance(value, UUID) else plain(value)


async def open_world(url: str, settings: Settings) -> Database:
    """Load the demo world and open its database."""
    await load(settings, url)
    database = Database(url, settings.model_copy(update=PATIENCE))
    await database.__aenter__()
    return database


async def values_of(database: Database) -> dict[str, list[Any]]:
    """What arguments of each name may be: rows that are there in every spelling, others, and nonsense."""

    async def spelled(table: type[Model], *names: str, where: Any = None, most: int = 6) -> list[Any]:
        async with database.sessions() as db:
            found = select(table).order_by(table.id).limit(most)
            rows = list(await db.scalars(found if where is None else found.where(where)))
        made: list[Any] = []
        for number, row in enumerate(rows):
            spellings: list[Any] = [str(row.id), global_id(names[number % len(names)], row.id), str(getattr(row, "uuid", row.id)), row.id]
            made.append(spellings[number % 4])
        return made * 3

    nonsense = ["999999", str(uuid4()), global_id("Nothing", 1), "abc", "0", "-1", "9" * 19, "9" * 30, ""]
    async with database.sessions() as db:
        references = list(await db.scalars(select(Booking.reference).where(Booking.customer_id == JOHN).order_by(Booking.id).limit(3)))
        slugs = list(await db.scalars(select(Service.slug).order_by(Service.id).limit(4)))
        categories = list(await db.scalars(select(Category.slug).order_by(Category.id).limit(4)))
    bookings = [
        *await spelled(Booking, "Booking", "Appointment", where=Booking.customer_id == JOHN),
        *await spelled(Booking, "Booking", "Appointment", where=Booking.customer_id == GUEST),
    ]
    services = await spelled(Service, "Service", "SpaService")
    rooms = await spelled(Room, "Room")
    moment = clock.now()
    moments = [moment.isoformat(), moment.replace(month=1, day=1).isoformat(), "2020-01-01T00:00:00+05:30"]
    return {
        "service.id": [*services, *nonsense],
        "service.slug": [*slugs, "none", "é"],
        "services.filter.category": [*categories, "none"],
        "services.filter.search": ["a", "Massage", "%", "", "é", "_"],
        "booking.id": [*bookings, *nonsense],
        "booking.reference": [*references, "CS-0-0"],
        "bookingId": [*bookings, *nonsense],
        "payment.id": [*await spelled(Payment, "Payment", where=Payment.user_id == JOHN), *await spelled(Payment, "Payment"), *nonsense],
        "paymentId": [*await spelled(Payment, "Payment"), *nonsense],
        "device.id": [*await spelled(Device, "Device"), *nonsense],
        "roomId": [*rooms, *nonsense],
        "locationId": [*await spelled(Location, "Location"), *nonsense],
        "serviceId": [*services, *nonsense],
        "ownerId": [*await spelled(User, "User", "Person"), *nonsense],
        "actorId": [*await spelled(User, "User", "Person"), *nonsense],
        "zone": ["mensuite_main", "none"],
        "startsAfter": moments,
        "startsBefore": moments,
        "since": moments,
        "until": moments,
        "endpointUses.since": ["2026-01-01"],
        "category.id": [*await spelled(Category, "Category"), *nonsense],
        "category.slug": [*categories, "none"],
        "services.filter.serviceType": ["massage", "none"],
        "monthlyFigures.since": ["2025-12-01", "2026-02-28", "1999-12-31"],
        "monthlyFigures.until": ["2026-06-15", "2026-03-01", "1999-12-31"],
        "availability.date": [moment.date().isoformat(), moment.replace(year=moment.year + 1).date().isoformat(), "1999-12-31"],
        "history.table": ["plans", "rooms", "none"],
        "history.row": [1, 2, 999999],
        "history.requestId": ["demo", "none"],
        "setDefaultCard.id": [*await spelled(SavedCard, "SavedCard"), *nonsense],
        "cancelBooking.id": nonsense,
        "releaseHold.id": nonsense,
        "activateScene.id": [*await spelled(Scene, "Scene"), *nonsense],
        "accounts.ownerId": [*await spelled(User, "User"), *nonsense],
    }
