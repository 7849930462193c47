"""Routes of one system: endpoints that are documents, handlers for what cannot be one, sockets; and how a path finds its own."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.websockets import WebSocket

from resolvers.context import Context
from resolvers.operations import ANYONE, Operation
from rest_compat.endpoint import PARAMETER, Endpoint

Parameters = Mapping[str, str]


@dataclass(frozen=True)
class Described:
    """What a handler takes and answers, as JSON schemas, since no document says it."""

    body: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that it needs, with what each is."""
    media_type: str = "application/json"


@dataclass(frozen=True)
class Handler:
    """A stranger to the pattern, such as a signed webhook: it reads the request itself and performs the same operations."""

    system: str
    name: str
    method: str
    path: str
    operations: tuple[Operation, ...]
    run: Callable[[Request, Context, Parameters], Awaitable[Any]]
    status: int = 200
    says: str | None = None
    limit: str | None = None
    alternate: str | None = None
    described: Described = field(default_factory=Described, hash=False)

    @property
    def is_open(self) -> bool:
        """Whether nobody needs to be signed in; handlers that know their callers by other means are open."""
        return all(ANYONE in each.who for each in self.operations)


@dataclass(frozen=True)
class Socket:
    """A WebSocket address."""

    system: str
    name: str
    path: str
    run: Callable[[WebSocket, Context, Parameters], Awaitable[None]]
    method: str = "WS"


Route = Endpoint | Handler
AnyRoute = Endpoint | Handler | Socket


@dataclass
class _Pattern:
    regex: re.Pattern[str]
    routes: dict[str, AnyRoute] = field(default_factory=dict)


class Table:
    """The routes of one system, found by exact path first and by pattern then."""

    def __init__(self, routes: Sequence[AnyRoute]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, dict[str, AnyRoute]] = {}
        patterns: dict[str, _Pattern] = {}
        for each in routes:
            if "{" in each.path:
                shape = PARAMETER.sub("{}", each.path)
                patterns.setdefault(shape, _Pattern(_regex(each.path))).routes[each.method] = each
            else:
                self._exact.setdefault(each.path, {})[each.method] = each
        self._patterns = list(patterns.values())

    def exact(self, path: str) -> Mapping[str, AnyRoute]:
        """The routes of this very path, by method."""
        return self._exact.get(path, {})

    def matching(self, path: str) -> Iterator[tuple[Mapping[str, AnyRoute], Parameters]]:
        """The routes whose pattern fits, with what stands in place of the parameters."""
        for each in self._patterns:
            if found := each.regex.fullmatch(path):
                yield each.routes, found.groupdict()


def _regex(path: str) -> re.Pattern[str]:
    parts = PARAMETER.split(path)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)))
