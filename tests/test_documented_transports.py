"""The commands of docs/transports.md, as they stand there."""

import asyncio
import re
from pathlib import Path

import httpx2
import orjson
import pytest
from starlette.applications import Starlette

from engine.persisted import Persisted
from migrations import ROOT
from models.database import Database
from settings import Settings
from tests.following import book
from tests.people import join, nobody
from tests.worlds import make_spa


def command(section: str, number: int = 0) -> str:
    """One of the shell commands of a section."""
    text = (ROOT / "docs/transports.md").read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    found: str = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[number]
    return found


async def start(text: str, server: str) -> asyncio.subprocess.Process:
    text = text.replace("localhost:8000", server.removeprefix("http://"))
    return await asyncio.create_subprocess_exec("bash", "-c", text, stdout=asyncio.subprocess.PIPE)


async def shown(text: str, server: str) -> str:
    program = await start(text, server)
    async with asyncio.timeout(20):
        told, _ = await program.communicate()
    return told.decode()


@pytest.mark.parametrize(
    ("section", "number", "words"),
    [
        ("POST", 0, '{"data":{"services":{"totalCount":1}}}'),
        ("GET", 0, '{"data":{"services":{"totalCount":1}}}'),
        ("GET", 1, "304\n"),
        ("Answers in parts", 0, '"pending":[{"id":"0","path":["services"]}]'),
    ],
)
async def test_a_command_shows_what_it_is_for(server: str, database: Database, section: str, number: int, words: str) -> None:
    await make_spa(database)
    assert words in await shown(command(section, number), server)


async def test_the_followed_booking_is_shown(server: str, client: httpx2.AsyncClient, database: Database, settings: Settings) -> None:
    spa = await make_spa(database)
    john = await join(nobody(database, settings), email="user@example.com", password="password123")
    program = await start(command("Server-sent events"), server)
    assert program.stdout
    try:
        assert (await asyncio.wait_for(program.stdout.readline(), 10)).startswith(b"id: ")
        await book(client, john, spa)
        assert await program.stdout.readline() == b"\n"
        assert await asyncio.wait_for(program.stdout.readline(), 10) == b"event: next\n"
        assert (await program.stdout.readline()).startswith(b"id: ")
        assert b'"kind":"REQUESTED"' in await program.stdout.readline()
    finally:
        program.kill()
        await program.wait()


async def test_a_trusted_document_runs_by_its_id(server: str, app: Starlette, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(orjson.dumps({"plans-1": "{ plans { name } }"}))
    changed = settings.model_copy(update={"trusted_documents": str(tmp_path / "manifest.json")})
    app.state.runtime.persisted = Persisted(changed, app.state.runtime.engine.documents)
    assert await shown(command("Trusted documents"), server) == '{"data":{"plans":[]}}'


async def test_the_page_names_every_setting_and_code_of_the_transports() -> None:
    text = (ROOT / "docs/transports.md").read_text()
    settings = {name.upper() for name in ("persisted_queries", "trusted_documents", "introspection", "stream_pause")}
    codes = {"PERSISTED_QUERY_NOT_FOUND", "PERSISTED_QUERY_NOT_SUPPORTED", "DOCUMENT_NOT_TRUSTED", "INTROSPECTION_DISABLED", "RESYNC"}
    assert {each for each in settings | codes if f"`{each}" not in text} == set()
