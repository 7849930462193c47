"""The CRM's data in a file and back: whole or not at all, newer news stay, and who was erased stays forgotten."""

import os
import stat
from pathlib import Path

import orjson
import pytest

import crm_files
from models.database import Database
from resolvers.context import Context
from resolvers.crm_backup import BadBackup, Restored, back_up, back_up_crm, restore
from settings import Settings
from startup import CannotStart
from tests.attending import attend, make_event, make_facilitator
from tests.people import nobody
from tests.sql import sql, value
from tests.worlds import make_person

NOTICES = (
    "SELECT uuid, source, booking_number, status, crm_status, person_email, notes, received_at, changed_at FROM crm_notices ORDER BY id"
)
MOVES = "SELECT old_status, new_status, note, moved_at FROM crm_moves ORDER BY id"
MOVED = """
INSERT INTO crm_moves (notice_id, old_status, new_status) SELECT id, 'new', 'completed' FROM crm_notices WHERE booking_number = 1002
"""
OUTSIDE = """
INSERT INTO crm_notices (uuid, source, booking_number, status, crm_status, person_number, person_email, person_name, event_number,
  event_title, event_type, facilitator_number, booked_at, received_at, changed_at)
SELECT gen_random_uuid(), 'outside', 1000 + n, 'received', 'new', n, 'p' || n || '@example.com', 'P',
  1, 'T', 'session', 1, now(), now(), now()
FROM generate_series(1, 120) n
"""


@pytest.fixture
async def ctx(database: Database, settings: Settings) -> Context:
    """A desk with 120 notices from outside, one of the house's own, and two steps of the desk."""
    event = await make_event(database, await make_facilitator(database))
    booking = await attend(database, event, await make_person(database, "ann"), special_requests="By the window")
    await sql(database, OUTSIDE)
    await sql(database, "UPDATE crm_notices SET crm_status = 'reviewed' WHERE booking_number = $1", booking.id)
    for step in (("new", "contacted", "Called"), ("contacted", "reviewed", None)):
        await sql(database, "INSERT INTO crm_moves (notice_id, old_status, new_status, note) VALUES (1, $1, $2, $3)", *step)
    return nobody(database, settings)


async def test_what_was_lost_comes_back_as_it_was(ctx: Context, database: Database, tmp_path: Path) -> None:
    before = await sql(database, NOTICES), await sql(database, MOVES)
    file = tmp_path / "crm.jsonl"
    assert await back_up(ctx, file) == 121
    await sql(database, "DELETE FROM crm_notices")
    assert await restore(ctx, file) == Restored(restored=121)
    assert (await sql(database, NOTICES), await sql(database, MOVES)) == before
    assert await restore(ctx, file) == Restored(restored=121), "once more changes nothing"
    assert (await sql(database, NOTICES), await sql(database, MOVES)) == before


async def test_a_file_is_one_json_object_a_line_and_only_its_owners_to_read(ctx: Context, tmp_path: Path) -> None:
    file = tmp_path / "crm.jsonl"
    await back_up(ctx, file)
    head, first, *_, end = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert (head["format"], head["version"]) == ("atrium-crm", 1)
    assert (first["source"], first["person_email"], [each["new_status"] for each in first["moves"]]) == (
        "own", "ann@example.com", ["contacted", "reviewed"],
    )  # fmt: skip
    assert end["notices"] == 121
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["crm.jsonl"]


async def test_what_the_house_knows_better_stays(ctx: Context, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "crm.jsonl"
    await back_up(ctx, file)
    await sql(database, "UPDATE crm_notices SET notes = 'newer', changed_at = now() WHERE booking_number = 1001")
    await sql(database, MOVED)
    await sql(database, "DELETE FROM crm_notices WHERE booking_number = 1003")
    assert await restore(ctx, file) == Restored(restored=119, newer_here=2)
    assert await value(database, "SELECT notes FROM crm_notices WHERE booking_number = 1001") == "newer"
    assert await value(database, "SELECT count(*) FROM crm_moves") == 3


async def test_neither_an_erased_person_nor_a_booking_that_is_gone_comes_back(ctx: Context, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "crm.jsonl"
    await back_up(ctx, file)
    await sql(database, "DELETE FROM crm_notices")
    await sql(database, "UPDATE users SET erased_at = now() WHERE email = 'ann@example.com'")
    await restore(ctx, file)
    [ann] = await sql(database, "SELECT person_email, person_name, notes FROM crm_notices WHERE source = 'own'")
    assert tuple(ann) == (None, "", None)
    assert await value(database, "SELECT count(note) FROM crm_moves") == 0
    await sql(database, "DELETE FROM event_bookings")
    await sql(database, "DELETE FROM bookings")
    assert await restore(ctx, file) == Restored(restored=120, without_booking=1)


@pytest.mark.parametrize("damage", ["cut off", "changed", "other", "later version", "no json", "empty"])
async def test_a_damaged_file_changes_nothing(ctx: Context, database: Database, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "crm.jsonl"
    await back_up(ctx, file)
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    damaged = {
        "cut off": b"".join(lines[:-1]),
        "changed": whole.replace(b"ann@example.com", b"eve@example.com"),
        "other": b'{"format": "other"}\n' + b"".join(lines[1:]),
        "later version": whole.replace(b'"version":1', b'"version":2'),
        "no json": b"hello\nworld\n",
        "empty": b"",
    }
    file.write_bytes(damaged[damage])
    await sql(database, "DELETE FROM crm_notices")
    with pytest.raises(BadBackup):
        await restore(ctx, file)
    assert await value(database, "SELECT count(*) FROM crm_notices") == 0


async def test_every_night_a_file_is_written_and_the_oldest_are_forgotten(ctx: Context, settings: Settings, tmp_path: Path) -> None:
    await back_up_crm(ctx)
    nightly = ctx.but(settings=settings.model_copy(update={"crm_backup_dir": str(tmp_path)}))
    for day in range(1, 21):
        (tmp_path / f"crm-2026-01-{day:02}T023300.jsonl").write_text("old")
    await back_up_crm(nightly)
    files = sorted(os.listdir(tmp_path))
    assert len(files) == 14
    assert files[0] == "crm-2026-01-08T023300.jsonl"


async def test_the_commands_say_in_a_sentence_what_prevents_them(settings: Settings, database_url: str, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be read"):
        await crm_files.restore(settings, database_url, tmp_path / "nothing")
    with pytest.raises(CannotStart, match="cannot be written"):
        await crm_files.back_up(settings, database_url, tmp_path / "nowhere" / "crm.jsonl")
    (tmp_path / "bad").write_text("bad")
    with pytest.raises(CannotStart, match="was not restored"):
        await crm_files.restore(settings, database_url, tmp_path / "bad")
    assert await crm_files.back_up(settings, database_url, tmp_path / "good") == 0
    assert (await crm_files.restore(settings, database_url, tmp_path / "good")).restored == 0
