"""Files: the same on a folder and on S3, streamed, under links that nobody can forge and that end."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from pydantic import ValidationError
from sqlalchemy import select, update
from starlette.applications import Starlette

import clock
from demo.prospectus import pdf
from errors import BadUserInput, Forbidden, NotFound, PayloadTooLarge, Unavailable
from gateways.all import open_gateways
from gateways.files import Files, UploadAddress
from gateways.links import read_link
from models.database import Database
from models.files import FilePurpose, StoredFile
from models.identity import Role, User
from models.keys import Key
from resolvers import files as operations
from resolvers.context import Context
from resolvers.inputs.files import UploadInput
from settings import Settings
from tests.buckets import bucket
from tests.paying import by
from tests.people import call
from tests.worlds import make_person

KEY = "uploads/one"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def whole(files: Files, key: str) -> bytes:
    return b"".join([part async for part in files.read(key)])


async def write(files: Files, key: str, *parts: bytes, largest: int = 10**9) -> int:
    return await files.write(key, chunks(*parts), content_type="application/pdf", largest=largest)


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, Any]]:
    with bucket() as found:
        yield found


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Files:
    """A store of each kind."""
    if request.param == "folder":
        return Files(settings.model_copy(update={"data_dir": str(tmp_path)}))
    return Files(Settings(_env_file=None, **request.getfixturevalue("s3")))  # type: ignore[call-arg]


@pytest.fixture
def _later() -> Iterator[None]:
    yield
    clock.set_ahead(0)


async def test_a_file_is_written_read_moved_and_deleted(files: Files) -> None:
    assert await write(files, KEY, b"one ", b"two") == 7
    held = await files.find(KEY)
    assert held
    assert held.size == 7
    await files.move(KEY, "kept/two")
    assert await files.find(KEY) is None
    assert await whole(files, "kept/two") == b"one two"
    for _ in range(2):
        await files.delete("kept/two")
    with pytest.raises(NotFound):
        await whole(files, "kept/two")


async def test_what_is_too_large_leaves_nothing_behind(files: Files) -> None:
    with pytest.raises(PayloadTooLarge):
        await write(files, "uploads/large", *[b"x" * 1_000_000] * 12, largest=11_000_000)
    assert await files.find("uploads/large") is None


async def test_a_large_file_comes_and_goes_in_parts(files: Files) -> None:
    assert await write(files, "uploads/parts", *[bytes([number]) * 1_000_000 for number in range(12)]) == 12_000_000
    sizes = [len(part) async for part in files.read("uploads/parts")]
    assert sum(sizes) == 12_000_000
    assert await files.beginning("uploads/parts", 3) == b"\0\0\0"


ODD = ["../secret", "uploads/../secret", "/etc/passwd", "uploads//x", "uploads/.hidden", "uploads", "", "uploads/a b"]


@pytest.mark.parametrize("key", ODD)
async def test_only_names_of_our_own_making_are_files(files: Files, key: str) -> None:
    assert await files.find(key) is None
    with pytest.raises(NotFound):
        await whole(files, key)
    with pytest.raises(NotFound):
        await write(files, key, b"x")


@pytest.mark.parametrize("given", [{"files_url": "https://bucket"}, {"files_url": "s3://b", "files_endpoint": "minio:9000"}])
def test_wrong_places_for_files_are_refused_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **given)  # type: ignore[arg-type, call-arg]


async def test_a_store_that_is_away_is_said_to_be(s3: dict[str, Any]) -> None:
    gone = Files(Settings(_env_file=None, **{**s3, "files_url": "s3://no-such-bucket"}))  # type: ignore[call-arg]
    with pytest.raises((Unavailable, NotFound)):
        await write(gone, KEY, b"x")


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.usefixtures("_later")
async def test_a_link_opens_one_file_for_a_while(app: Starlette, client: httpx2.AsyncClient, settings: Settings) -> None:
    files: Files = app.state.runtime.gateways.files
    await write(files, "kept/one", b"hello")
    await write(files, "kept/other", b"secret")
    url = read_link(settings, "kept/one", name="Prospekt für Ann.pdf", content_type="application/pdf")
    answer = await client.get(url)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Prospekt%20f%C3%BCr%20Ann.pdf"
    assert answer.headers["cache-control"] == "private, no-store"
    given = query(url)
    changes = [("expires", "9999999999"), ("type", "text/html"), ("name", "x"), ("signature", "x"), ("signature", "\ufffd"), ("more", "1")]
    forged = [url.replace("kept/one", "kept/other"), url.split("?")[0]]
    forged += [f"{url.split('?')[0]}?{urlencode({**given, name: value})}" for name, value in changes]
    for each in forged:
        refused = await client.get(each)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN"), each
    assert (await client.put(url, content=b"x")).status_code == 403
    clock.set_ahead(361)
    assert (await client.get(url)).status_code == 403


async def test_a_link_to_what_is_gone_finds_nothing(client: httpx2.AsyncClient, settings: Settings) -> None:
    assert (await client.get(read_link(settings, "kept/none", name="x", content_type="text/plain"))).status_code == 404


async def test_an_upload_address_takes_so_much_and_no_more(app: Starlette, client: httpx2.AsyncClient) -> None:
    files: Files = app.state.runtime.gateways.files
    address = await files.upload_address("uploads/three", largest=10, content_type="application/pdf")
    assert (address.method, address.headers) == ("PUT", {"Content-Type": "application/pdf"})
    assert (await client.put(address.url, content=b"x" * 11)).status_code == 413
    assert (await client.put(address.url, content=chunks(b"x" * 6, b"x" * 6))).status_code == 413
    assert await files.find("uploads/three") is None
    assert (await client.put(address.url, content=b"x" * 10)).json() == {"size": 10}
    assert (await client.put(address.url.replace("largest=10", "largest=99"), content=b"x")).status_code == 403


async def test_at_s3_the_bucket_itself_is_written_to_and_read(s3: dict[str, Any]) -> None:
    files = Files(Settings(_env_file=None, **s3))  # type: ignore[call-arg]
    address: UploadAddress = await files.upload_address("uploads/four", largest=10, content_type="application/pdf")
    assert address.url.startswith(s3["files_endpoint"])
    async with httpx2.AsyncClient() as http:
        assert (await http.put(address.url, content=b"hello", headers=address.headers)).status_code == 200
        there = await files.elsewhere("uploads/four")
        assert there
        answer = await http.get(there)
    assert (answer.content, answer.headers["content-type"]) == (b"hello", "application/pdf")
    assert answer.headers.get("content-length") == "5"
    assert "X-Amz-Expires=60" in there


async def test_a_link_of_ours_leads_to_the_bucket(database_url: str, settings: Settings, s3: dict[str, Any]) -> None:
    from main import create_app
    from tests.conftest import in_one_task

    app = create_app(settings.model_copy(update=dict(Settings(_env_file=None, **s3)) | {"run_jobs": False}), database_url)  # type: ignore[call-arg]
    async with in_one_task(app.router.lifespan_context(app)):
        files: Files = app.state.runtime.gateways.files
        await write(files, "kept/five", b"hello")
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://atrium.test") as client:
            answer = await client.get(read_link(settings, "kept/five", name="x.pdf", content_type="application/pdf"))
        assert answer.status_code == 302
        async with httpx2.AsyncClient() as http:
            assert (await http.get(answer.headers["location"])).content == b"hello"


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def clerk(database: Database, world: Context) -> Context:
    return by(world, await make_person(database, "clerk", Role.FINANCE), Role.FINANCE)


async def begun(ctx: Context, **more: Any) -> operations.UploadBegun:
    wanted = {"name": "prospectus.pdf", "content_type": "application/pdf", "purpose": FilePurpose.INVESTMENT_DOCUMENT, **more}
    made: operations.UploadBegun = await call(operations.begin_upload, ctx, input=UploadInput(**wanted))
    return made


def named(file: StoredFile) -> Key[StoredFile]:
    return Key(number=file.id)


async def test_an_upload_counts_once_its_bytes_were_looked_at(database: Database, clerk: Context) -> None:
    upload = await begun(clerk)
    await write(clerk.gateways.files, upload.file.key, pdf("Title", "Text"))
    number = await operations.keep_upload(clerk, named(upload.file), FilePurpose.INVESTMENT_DOCUMENT)
    async with database.sessions() as db:
        kept = await db.get_one(StoredFile, number)
    assert kept.key != upload.file.key
    assert kept.size_bytes == len(await whole(clerk.gateways.files, kept.key))
    await write(clerk.gateways.files, upload.file.key, b"%PDF- something else")  # the address is still good, and leads nowhere now
    assert await operations.keep_upload(clerk, named(upload.file), FilePurpose.INVESTMENT_DOCUMENT) == number
    assert (await whole(clerk.gateways.files, kept.key)).endswith(b"%%EOF\n")


@pytest.mark.parametrize("content", [None, b"", b"<html>no pdf</html>", b"PK\x03\x04 neither"])
async def test_what_is_not_what_it_was_said_to_be_is_not_kept(database: Database, clerk: Context, content: bytes | None) -> None:
    upload = await begun(clerk)
    if content is not None:
        await write(clerk.gateways.files, upload.file.key, content)
    with pytest.raises(BadUserInput) as refused:
        await operations.keep_upload(clerk, named(upload.file), FilePurpose.INVESTMENT_DOCUMENT)
    assert list(refused.value.fields) == ["file_id"]
    async with database.sessions() as db:
        assert (await db.scalars(select(StoredFile.kept_at))).all() == [None]


async def test_a_foreign_upload_is_as_unknown_as_none(database: Database, world: Context, clerk: Context) -> None:
    upload = await begun(clerk)
    other: User = await make_person(database, "other", Role.ADMIN)
    with pytest.raises(NotFound):
        await operations.keep_upload(by(world, other, Role.ADMIN), named(upload.file), FilePurpose.INVESTMENT_DOCUMENT)


async def test_uploads_are_refused_to_whom_and_for_what_they_are_not_meant(database: Database, world: Context, clerk: Context) -> None:
    with pytest.raises(Forbidden):
        await begun(by(world, await make_person(database)))
    for wrong, field in (({"content_type": "text/html"}, "content_type"), ({"name": " "}, "name")):
        with pytest.raises(BadUserInput) as refused:
            await begun(clerk, **wrong)
        assert list(refused.value.fields) == [field]


async def test_beginning_again_under_the_same_key_answers_the_same_address(clerk: Context) -> None:
    wanted = UploadInput(name="prospectus.pdf", content_type="application/pdf", purpose=FilePurpose.INVESTMENT_DOCUMENT)
    first, again = [await call(operations.begin_upload, clerk, input=wanted, key="once") for _ in range(2)]
    assert (again.url, again.file.id, again.headers[0].value) == (first.url, first.file.id, "application/pdf")


async def test_what_is_abandoned_is_forgotten_and_what_is_kept_stays(database: Database, clerk: Context) -> None:
    old, kept, fresh = [await begun(clerk) for _ in range(3)]
    for each in (old, kept):
        await write(clerk.gateways.files, each.file.key, pdf("Title", "Text"))
    await operations.keep_upload(clerk, named(kept.file), FilePurpose.INVESTMENT_DOCUMENT)
    async with database.sessions.begin() as db:
        earlier = StoredFile.created_at - timedelta(days=2)
        await db.execute(update(StoredFile).where(StoredFile.id != fresh.file.id).values(created_at=earlier))
    await operations.forget_abandoned_uploads(clerk)
    async with database.sessions() as db:
        assert set(await db.scalars(select(StoredFile.id))) == {kept.file.id, fresh.file.id}
    assert await clerk.gateways.files.find(old.file.key) is None
