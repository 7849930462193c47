"""Which system a request means: by prefix, by host, by port, or at the root, where all of them stand merged."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from engine.request import begin_context
from engine.runtime import runtime_of
from engine.seats import TooManyConnections
from errors import NotFound
from rest_compat.endpoint import Endpoint
from rest_compat.routes import AnyRoute, Parameters, Socket
from rest_compat.system import Answering, System


@dataclass(frozen=True)
class Found:
    """The route that a request means, with what stands in its path."""

    system: System
    route: AnyRoute
    parameters: Parameters


@dataclass(frozen=True)
class Listed:
    """One line of the list of all routes; `shadowed_by` is who answers it at the root instead."""

    system: str
    method: str
    path: str
    name: str
    shadowed_by: str | None


class Doors:
    """The ASGI app in front of the older systems, in the order that decides where their paths collide at the root."""

    def __init__(self, systems: Sequence[System], *, hosts: Mapping[str, str], ports: Mapping[int, str]) -> None:
        self.systems = {each.name: each for each in systems}
        self._hosts = {host: self.systems[name] for host, name in hosts.items() if name in self.systems}
        self._ports = {port: self.systems[name] for port, name in ports.items() if name in self.systems}
        self._texts = {each.alternate: each.text for system in systems for each in system.table.routes if isinstance(each, Endpoint)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        owner, path = self.owner(scope, path)
        if scope["type"] == "websocket":
            await self._connect(WebSocket(scope, receive, send), owner, path)
            return
        request = Request(scope, receive)
        answer = self._text(request, path) or await self._answer(request, owner, path)
        await answer(scope, receive, send)

    def routes(self) -> list[Listed]:
        """Every route with who answers it at the root, in the order of the systems."""
        return [
            Listed(system.name, route.method, route.path, route.name, self._shadow(system, route))
            for system in self.systems.values()
            for route in system.table.routes
        ]

    def name_of(self, scope: Scope, method: str) -> str:
        """The system that a request means, or "graphql" where none does."""
        owner, path = self.owner(scope, scope["path"])
        if owner is not None:
            return owner.name
        found = self.find(list(self.systems.values()), method, path)
        return found.system.name if found else "graphql"

    def find(self, systems: Sequence[System], method: str, path: str) -> Found | None:
        """The route for a path: its exact spelling first, then with or without the last slash; the systems' order after that."""
        for spelled in _spellings(path):
            for system in systems:
                if route := system.table.exact(spelled).get(method):
                    return Found(system, route, {})
            for system in systems:
                for routes, parameters in system.table.matching(spelled):
                    if method in routes:
                        return Found(system, routes[method], parameters)
        return None

    def owner(self, scope: Scope, path: str) -> tuple[System | None, str]:
        """The system that a prefix, host or port names, and the path behind the prefix; none at the root."""
        first, _, rest = path[1:].partition("/")
        if first in self.systems:
            return self.systems[first], f"/{rest}"
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "").lower()
        if owner := self._hosts.get(host.partition(":")[0]):
            return owner, path
        server = scope.get("server")
        return (self._ports.get(server[1]) if server else None), path

    async def _answer(self, request: Request, owner: System | None, path: str) -> Answering:
        systems = [owner] if owner else list(self.systems.values())
        method = "GET" if request.method == "HEAD" else request.method
        found = self.find(systems, method, path)
        if found and not isinstance(found.route, Socket):
            return await found.system.answer(request, found.route, found.parameters)
        for system in systems:
            if allowed := _methods(system, path):
                return system.lost(request, allowed)
        return owner.lost(request, set()) if owner else _nobody(request)

    async def _connect(self, websocket: WebSocket, owner: System | None, path: str) -> None:
        found = self.find([owner] if owner else list(self.systems.values()), "WS", path)
        if found is None or not isinstance(found.route, Socket):
            await websocket.close(4404)
            return
        runtime, ctx = runtime_of(websocket.scope), begin_context(websocket.scope, found.system.name)
        with ExitStack() as seats:
            try:
                seats.enter_context(runtime.seats.at_address(ctx.address, runtime.settings))
            except TooManyConnections as refusal:
                body = {"error": {"code": refusal.code, "message": refusal.message, "request_id": ctx.request_id}}
                await websocket.send_denial_response(JSONResponse(body, refusal.status))
                return
            await found.route.run(websocket, ctx, found.parameters)

    def _text(self, request: Request, path: str) -> Response | None:
        """The text of the operation that replaces an endpoint."""
        if path not in self._texts or request.method not in ("GET", "HEAD"):
            return None
        headers = {"Cache-Control": "public, max-age=3600"}
        return PlainTextResponse(self._texts[path], headers=headers, media_type="application/graphql")

    def _shadow(self, system: System, route: AnyRoute) -> str | None:
        example = route.path.replace("{", "").replace("}", "")
        found = self.find(list(self.systems.values()), route.method, example)
        return found.system.name if found and found.system is not system else None


def _spellings(path: str) -> Iterator[str]:
    yield path
    if path != "/":
        yield path[:-1] if path.endswith("/") else f"{path}/"


def _methods(system: System, path: str) -> set[str]:
    found: set[str] = set()
    for spelled in _spellings(path):
        found |= set(system.table.exact(spelled))
        for routes, _ in system.table.matching(spelled):
            found |= set(routes)
    found.discard("WS")
    return found | {"HEAD"} if "GET" in found else found


def _nobody(request: Request) -> Response:
    """The answer at the root where no system knows the path."""
    ctx = begin_context(request.scope)
    body = {"error": {"code": NotFound.code, "message": NotFound.message, "request_id": ctx.request_id}}
    return Response(orjson.dumps(body), NotFound.status, media_type="application/json")


async def older_systems(scope: Scope, receive: Receive, send: Send) -> None:
    """The doors of the app that a connection came to."""
    doors: Doors = scope["app"].state.doors
    await doors(scope, receive, send)
