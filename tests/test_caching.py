"""Validators and what caches may keep: public reads at GraphQL's door and at those of older systems."""

import httpx2
import pytest

from models.database import Database
from settings import Settings
from tests.people import join, nobody
from tests.worlds import make_spa

QUERY = "{ services { nodes { name } } }"
OLD = "/coresync/api/services/"


async def ask(client: httpx2.AsyncClient, path: str, **headers: str) -> httpx2.Response:
    return await client.get(path, params={"query": QUERY} if path == "/graphql" else {}, headers=headers)


@pytest.mark.parametrize("path", ["/graphql", OLD])
async def test_a_public_read_is_not_sent_twice(client: httpx2.AsyncClient, database: Database, path: str) -> None:
    await make_spa(database)
    first = await ask(client, path)
    etag = first.headers["etag"]
    assert first.status_code == 200
    assert not etag.startswith("W/")
    assert first.headers["cache-control"] == "public, no-cache"
    assert {"Accept", "Authorization", "Cookie"} <= {each.strip() for each in first.headers["vary"].split(",")}
    for said in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await ask(client, path, **{"If-None-Match": said})
        assert (again.status_code, again.content) == (304, b"")
        assert {name: again.headers[name] for name in ("etag", "cache-control", "vary")} == {
            name: first.headers[name] for name in ("etag", "cache-control", "vary")
        }
    assert (await ask(client, path, **{"If-None-Match": '"other"'})).content == first.content


@pytest.mark.parametrize("path", ["/graphql", OLD])
async def test_a_change_of_the_data_changes_the_validator(client: httpx2.AsyncClient, database: Database, path: str) -> None:
    before = (await ask(client, path)).headers["etag"]
    await make_spa(database)
    after = await ask(client, path, **{"If-None-Match": before})
    assert after.status_code == 200
    assert after.headers["etag"] != before


async def test_each_media_type_has_a_validator_of_its_own(client: httpx2.AsyncClient) -> None:
    plain, modern = [await ask(client, "/graphql", Accept=kind) for kind in ("application/json", "application/graphql-response+json")]
    assert plain.content == modern.content
    assert plain.headers["etag"] != modern.headers["etag"]


@pytest.mark.parametrize("path", ["/graphql", OLD])
async def test_what_somebody_gets_is_kept_by_nobody(client: httpx2.AsyncClient, database: Database, settings: Settings, path: str) -> None:
    token = (await join(nobody(database, settings))).access_token
    etag = (await ask(client, path)).headers["etag"]
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": "session=1"}):
        answer = await ask(client, path, **headers, **{"If-None-Match": etag})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert "etag" not in answer.headers


async def test_refusals_and_posts_are_kept_by_nobody(client: httpx2.AsyncClient) -> None:
    posted = await client.post("/graphql", json={"query": QUERY})
    refused = await client.get("/graphql", params={"query": "{ me { email } }"})
    wrong = await client.get("/graphql", params={"query": "{ no }"})
    lost = await client.get("/coresync/api/services/999/")
    for answer in (posted, refused, wrong, lost):
        assert answer.headers["cache-control"] == "no-store", answer.request
        assert "etag" not in answer.headers
