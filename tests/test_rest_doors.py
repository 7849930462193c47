"""Which system a request means: prefix, host, port, or the merged root."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from resolvers.context import NOBODY, Context, Viewer
from rest_compat.dialect import Dialect, Refusal, Spelling, utc_z
from rest_compat.doors import Doors
from rest_compat.routes import Parameters, Route, Socket
from settings import Settings
from tests.rest_world import app_with, client_of, system


class Plain(Dialect):
    """A dialect that says which system answered."""

    spelling = Spelling(money=float, moment=utc_z)

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]

    async def viewer(self, connection: HTTPConnection, ctx: Context) -> Viewer:
        return NOBODY

    def success(self, body: Any, route: Route) -> Any:
        return {"system": self.name, "route": route.name}

    def error(self, refusal: Refusal) -> Any:
        return {"system": self.name, "code": refusal.error.code}


FIRST = """
query Both @rest(get: "/api/both/") { categories { name } }
query Literal @rest(get: "/api/things/mine/") { categories { name } }
query OnlyFirst($slug: String!) @rest(post: "/api/first/{slug}") { service(slug: $slug) { name } }
"""
SECOND = """
query Both @rest(get: "/api/both") { categories { name } }
query Thing($id: Int!) @rest(get: "/api/things/{id}/") { services(page: $id) { nodes { name } } }
query Change @rest(put: "/api/both/") { categories { name } }
"""


async def greet(websocket: WebSocket, ctx: Context, parameters: Parameters) -> None:
    await websocket.accept()
    await websocket.send_json({"door": ctx.door, **parameters})
    await websocket.close()


@pytest.fixture
async def app(settings: Settings, database_url: str, tmp_path: Path) -> AsyncIterator[Starlette]:
    """Two systems whose paths collide."""

    def doors(engine: Any) -> Doors:
        return Doors(
            [
                system(Plain("first"), engine, tmp_path, FIRST),
                system(Plain("second"), engine, tmp_path, SECOND, [Socket("second", "Greet", "/ws/room-{number}/", greet)]),
            ],
            hosts={"api.second.example": "second"},
            ports={8003: "second"},
        )

    async with app_with(settings, database_url, doors) as made:
        yield made


async def answer(app: Starlette, method: str, path: str, host: str = "atrium.test") -> Any:
    async with client_of(app, {"Host": host}) as client:
        return (await client.request(method, path)).json()


@pytest.mark.parametrize(
    ("method", "path", "system", "route"),
    [
        ("GET", "/api/both/", "first", "Both"),
        ("GET", "/api/both", "second", "Both"),
        ("GET", "/first/api/both", "first", "Both"),
        ("GET", "/second/api/both/", "second", "Both"),
        ("PUT", "/api/both", "second", "Change"),
        ("GET", "/api/things/mine/", "first", "Literal"),
        ("GET", "/second/api/things/7", "second", "Thing"),
        ("GET", "/api/things/7", "second", "Thing"),
    ],
)
async def test_exact_spelling_decides_first_and_then_the_order(app: Starlette, method: str, path: str, system: str, route: str) -> None:
    assert await answer(app, method, path) == {"system": system, "route": route}


async def test_a_host_name_means_its_system(app: Starlette) -> None:
    assert (await answer(app, "GET", "/api/both/", "api.second.example"))["system"] == "second"
    assert (await answer(app, "GET", "/api/both/", "API.second.example:8000"))["system"] == "second"
    assert (await answer(app, "GET", "/first/api/both/", "api.second.example"))["system"] == "first", "a prefix is more exact"
    assert await answer(app, "GET", "/api/first/x", "api.second.example") == {"system": "second", "code": "NOT_FOUND"}


async def test_a_port_means_its_system(app: Starlette) -> None:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://atrium.test:8003") as client:
        assert (await client.get("/api/both/")).json()["system"] == "second"


async def test_what_no_system_knows_is_404_at_the_root_too(app: Starlette) -> None:
    async with client_of(app) as client:
        lost = await client.get("/nothing")
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert lost.json()["error"]["request_id"] == lost.headers["x-request-id"]


async def test_a_method_that_no_system_has_is_405_in_the_words_of_the_first_that_knows_the_path(app: Starlette) -> None:
    assert await answer(app, "DELETE", "/api/both/") == {"system": "first", "code": "METHOD_NOT_ALLOWED"}


async def test_the_list_of_routes_tells_who_answers_at_the_root(app: Starlette) -> None:
    shadows = {(each.system, each.method, each.path): each.shadowed_by for each in app.state.doors.routes()}
    assert shadows["first", "GET", "/api/both/"] is None
    assert shadows["second", "GET", "/api/both"] is None
    assert shadows["second", "WS", "/ws/room-{number}/"] is None
    assert len(shadows) == 7


def test_sockets_stand_behind_the_same_doors(app: Starlette) -> None:
    client = TestClient(app)
    for path in ("/second/ws/room-5/", "/ws/room-5/", "/ws/room-5"):
        with client.websocket_connect(path) as socket:
            assert socket.receive_json() == {"door": "second", "number": "5"}
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/ws/unknown/"):
        pass
    assert refused.value.code == 4404
