"""The requests: each operation in GraphQL, through CoreSync's documents, and as the hand-written server takes it; variables differ."""

import base64
import itertools
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson

from bench.product import BenchFailed, Process
from bench.world import CATEGORIES, FIRST, PEOPLE, SERVICES, appointment

SERVICE_FIELDS = "id name slug price duration category { name } addons { id name price }"
BOOKED_FIELDS = "id reference status startsAt service { name category { name } } ... on Appointment { room { name } }"
CATALOGUE = f"""query Catalogue($category: String!) {{
  services(filter: {{line: SPA, category: $category}}, first: 50) {{ nodes {{ {SERVICE_FIELDS} }} }}
}}"""
MY_BOOKINGS = f"query MyBookings {{ myBookings(first: 20) {{ nodes {{ {BOOKED_FIELDS} payment {{ status amount }} }} }} }}"
ONE_SERVICE = f"query OneService($id: ID!) {{ service(id: $id) {{ {SERVICE_FIELDS} }} }}"
BOOK = f"""mutation Book($service: ID!, $room: ID!, $startsAt: DateTime!, $key: String!) {{
  bookAppointment(serviceId: $service, roomId: $room, startsAt: $startsAt, idempotencyKey: $key) {{ {BOOKED_FIELDS} }}
}}"""
STEP = 7919
"""Neighbouring requests ask for rows that lie far apart; a prime, so that all have their turn."""


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    token: str = ""
    body: bytes = b""

    def line(self) -> bytes:
        """As wrk.lua reads it."""
        return b"\t".join((self.method.encode(), self.path.encode(), self.token.encode(), self.body)) + b"\n"

    def raw(self) -> bytes:
        """As it goes over a connection."""
        head = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
        head += [f"Authorization: Bearer {self.token}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*head, "", ""]).encode() + self.body

    def send(self, server: Process) -> bytes:
        """The body of the answer."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        url = f"http://127.0.0.1:{server.port}{self.path}"
        request = urllib.request.Request(url, self.body or None, headers, method=self.method)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return bytes(answer.read())


def graphql(document: str, variables: dict[str, Any], token: str = "") -> Call:
    """A request to the product's GraphQL door."""
    return Call("POST", "/graphql", token, orjson.dumps({"query": document, "variables": variables}))


def floor(path: str, **variables: Any) -> Call:
    """A request to the hand-written server, which needs no document."""
    return Call("POST", path, "", orjson.dumps({"variables": variables}))


def booking(token: str, service: int, room: int, begins: datetime) -> Call:
    """A person books a service in a room."""
    ids = {"service": global_id("SpaService", service), "room": global_id("Room", room)}
    return graphql(BOOK, {**ids, "startsAt": _spell(begins), "key": str(uuid4())}, token)


READERS = 200
"""People who use the product at the same time. All 5,000 one after the other would be new to the process with nearly every request."""


class Calls:
    """The requests of every operation, without end."""

    def __init__(self, server: Process, tokens: list[str]) -> None:
        self._server = server
        self.tokens = tokens
        self._taken = itertools.count()
        self._twins = {name: _replacement(server, name) for name in ("ListServices", "ListMyBookings", "GetService")}

    def of(self, name: str) -> Iterator[Call]:
        """The requests of one target."""
        make: Callable[[int], Call] = getattr(self, f"_{name}")
        return map(make, self._taken if name.startswith("book") else itertools.count())

    def _catalogue(self, n: int) -> Call:
        return graphql(CATALOGUE, {"category": f"measured-{n % CATEGORIES}"}, self._token(n))

    def _catalogue_floor(self, n: int) -> Call:
        return floor("/catalogue", category=f"measured-{n % CATEGORIES}")

    def _catalogue_rest(self, n: int) -> Call:
        return Call("GET", f"/coresync/api/services/?category=measured-{n % CATEGORIES}&page_size=50", self._token(n))

    def _catalogue_twin(self, n: int) -> Call:
        variables = {"category": f"measured-{n % CATEGORIES}", "page_size": 50}
        return graphql(self._twins["ListServices"], variables, self._token(n))

    def _my_bookings(self, n: int) -> Call:
        return graphql(MY_BOOKINGS, {}, self._token(n))

    def _my_bookings_floor(self, n: int) -> Call:
        return floor("/my_bookings", person=FIRST + _person(n))

    def _my_bookings_rest(self, n: int) -> Call:
        return Call("GET", "/coresync/api/bookings/my-bookings/", self._token(n))

    def _my_bookings_twin(self, n: int) -> Call:
        return graphql(self._twins["ListMyBookings"], {}, self._token(n))

    def _one_service(self, n: int) -> Call:
        return graphql(ONE_SERVICE, {"id": global_id("SpaService", FIRST + n * STEP % SERVICES)}, self._token(n))

    def _one_service_floor(self, n: int) -> Call:
        return floor("/one_service", service=FIRST + n * STEP % SERVICES)

    def _one_service_rest(self, n: int) -> Call:
        return Call("GET", f"/coresync/api/services/measured-service-{n * STEP % SERVICES}/", self._token(n))

    def _one_service_twin(self, n: int) -> Call:
        return graphql(self._twins["GetService"], {"slug": f"measured-service-{n * STEP % SERVICES}"}, self._token(n))

    def _book(self, n: int) -> Call:
        person, service, room, begins = appointment(n)
        return booking(self.tokens[person - FIRST], service, room, begins)

    def _book_at_once(self, n: int) -> Call:
        person, service, room, begins = appointment(n)
        return floor("/book", person=person, service=service, room=room, startsAt=_spell(begins))

    def _book_by_list(self, n: int) -> Call:
        person, service, room, begins = appointment(n)
        return floor("/book_by_list", person=person, service=service, room=room, startsAt=_spell(begins), key=str(uuid4()))

    def _hello(self, _: int) -> Call:
        return floor("/bare/hello")

    def _catalogue_bare(self, _: int) -> Call:
        return floor("/bare/catalogue")

    def _one_service_bare(self, _: int) -> Call:
        return floor("/bare/one_service")

    def _token(self, n: int) -> str:
        return self.tokens[_person(n)]


def global_id(type_name: str, number: int) -> str:
    """The id under which GraphQL shows a row."""
    return base64.b64encode(f"{type_name}:{number}".encode()).decode()


def check_sameness(product: bytes, floor: bytes, name: str) -> None:
    """Both servers answer the same, or the comparison is worth nothing."""
    ours, theirs = _plain(orjson.loads(product)), _plain(orjson.loads(floor))
    if ours != theirs or "errors" in ours:
        raise BenchFailed(f"{name}: the product answers\n{product[:600]!r}\nand the floor\n{floor[:600]!r}")


def _plain(value: Any, key: str = "") -> Any:
    """An answer with numbers for global ids and with moments, however these are spelled."""
    if isinstance(value, dict):
        return {name: _plain(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if key == "id" and isinstance(value, str):
        return int(base64.b64decode(value).decode().partition(":")[2])
    return datetime.fromisoformat(value) if key == "startsAt" else value


def _person(n: int) -> int:
    return n * STEP % PEOPLE // (PEOPLE // READERS) * (PEOPLE // READERS)


def _spell(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _replacement(server: Process, name: str) -> str:
    """The document that stands behind an old endpoint; a GraphQL client may ask for 100 rows at most."""
    return Call("GET", f"/operations/coresync/{name}.graphql").send(server).decode().replace("first: 1000", "first: 100")
