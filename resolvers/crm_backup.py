"""The CRM's data in a file, and back: one JSON object a line, so that a file of any size is read and written bit by bit."""

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.bookings import Booking, BookingKind
from models.crm import CrmMove, CrmNotice, CrmSource
from models.identity import User
from resolvers.context import Context

FORMAT, VERSION = "atrium-crm", 1
READ_AT_ONCE, WRITTEN_AT_ONCE = 500, 50
KEPT_FILES = 14
NOTICE = tuple(each for each in CrmNotice.__table__.columns if each.name not in ("id", "booking_id", "created_at"))
MOVE = tuple(each for each in CrmMove.__table__.columns if each.name not in ("id", "notice_id", "moved_by_id"))
FORGOTTEN = {"person_email": None, "person_name": "", "person_phone": None, "notes": None}
"""What stays of somebody who was erased since the file was written."""


class BadBackup(Exception):
    """The file is no whole backup of the CRM; the message says why in one sentence."""


@dataclass
class Restored:
    """What a file has brought."""

    restored: int = 0
    newer_here: int = 0
    without_booking: int = 0


class Writer:
    """A backup that is being written; it appears under its name only when it is whole, and is nobody else's to read."""

    def __init__(self, file: Path, at: datetime) -> None:
        self.file, self.notices = file, 0
        self._part = file.with_name(f".{file.name}.part")
        self._digest = hashlib.sha256()
        self._out = open(self._part, "wb", opener=lambda path, flags: os.open(path, flags, 0o600))
        self._out.write(_line({"format": FORMAT, "version": VERSION, "exported_at": at}))

    def add(self, notice: CrmNotice, moves: Sequence[CrmMove]) -> None:
        """Write one notice."""
        line = _line(_spelled(notice, NOTICE) | {"moves": [_spelled(each, MOVE) for each in moves]})
        self._digest.update(line)
        self._out.write(line)
        self.notices += 1

    def finish(self) -> None:
        """Let the whole file appear."""
        self._out.write(_line({"notices": self.notices, "sha256": self._digest.hexdigest()}))
        self._out.flush()
        os.fsync(self._out.fileno())
        self._part.replace(self.file)

    def close(self) -> None:
        """Leave nothing half behind."""
        self._out.close()
        self._part.unlink(missing_ok=True)


async def back_up(ctx: Context, file: Path) -> int:
    """Write every notice into a file, with what the desk did about it; returns how many there are."""
    with contextlib.closing(Writer(file, ctx.now())) as writer:
        async for notice, moves in _read(ctx):
            writer.add(notice, moves)
        writer.finish()
    return writer.notices


async def back_up_crm(ctx: Context) -> None:
    """Every night: a file of its own in CRM_BACKUP_DIR, where the newest of them are kept."""
    if ctx.settings.crm_backup_dir is None:
        return
    folder = Path(ctx.settings.crm_backup_dir)
    await back_up(ctx, folder / f"crm-{datetime.now(UTC):%Y-%m-%dT%H%M%S}.jsonl")
    _forget_oldest(folder)


def _forget_oldest(folder: Path) -> None:
    for each in sorted(folder.glob("crm-*.jsonl"))[:-KEPT_FILES]:
        each.unlink()


async def restore(ctx: Context, file: Path) -> Restored:
    """Bring the notices of a file back; where the house knows something newer of one, that stays. Raises BadBackup before any change."""
    check(file)
    done, batch = Restored(), []
    for line in _notices(file):
        batch.append(line)
        if len(batch) == WRITTEN_AT_ONCE:
            await _bring(ctx, batch, done)
            batch = []
    await _bring(ctx, batch, done)
    return done


def check(file: Path) -> None:
    """Read the whole file, so that none is half restored."""
    digest, count, last = hashlib.sha256(), -1, b""
    with file.open("rb") as lines:
        for line in lines:
            if count == 0:
                _check_head(last)
            elif count > 0:
                digest.update(last)
            count, last = count + 1, line
    if count < 1 or _parsed(last) != {"notices": count - 1, "sha256": digest.hexdigest()}:
        raise BadBackup("The file is damaged, or was cut off.")


def _check_head(line: bytes) -> None:
    head = _parsed(line)
    if head.get("format") != FORMAT:
        raise BadBackup("This is no backup of the CRM.")
    if head.get("version") != VERSION:
        raise BadBackup(f"This backup has version {head.get('version')}; version {VERSION} is understood.")


async def _read(ctx: Context) -> AsyncIterator[tuple[CrmNotice, Sequence[CrmMove]]]:
    """All notices in the order of their numbers, in short transactions."""
    after = 0
    while True:
        async with ctx.database.sessions() as db:
            notices = (await db.scalars(select(CrmNotice).where(CrmNotice.id > after).order_by(CrmNotice.id).limit(READ_AT_ONCE))).all()
            of_these = CrmMove.notice_id.in_([each.id for each in notices])
            moves = (await db.scalars(select(CrmMove).where(of_these).order_by(CrmMove.id))).all()
        for each in notices:
            yield each, [move for move in moves if move.notice_id == each.id]
        if len(notices) < READ_AT_ONCE:
            return
        after = notices[-1].id


async def _bring(ctx: Context, batch: Sequence[Mapping[str, Any]], done: Restored) -> None:
    async with ctx.writing() as db:
        for each in batch:
            await _bring_one(db, each, done)


async def _bring_one(db: AsyncSession, told: Mapping[str, Any], done: Restored) -> None:
    values, moves = _understood(told, NOTICE), [_understood(each, MOVE) for each in told["moves"]]
    if values["source"] is CrmSource.OWN:
        is_event = Booking.id == values["booking_number"], Booking.kind == BookingKind.EVENT
        found = (await db.execute(select(Booking.id, User.erased_at).join(User, User.id == Booking.customer_id).where(*is_event))).first()
        if found is None:
            done.without_booking += 1
            return
        values["booking_id"] = found.id
        if found.erased_at is not None:
            values |= FORGOTTEN
            moves = [each | {"note": None} for each in moves]
    if await _is_newer_here(db, values, moves):
        done.newer_here += 1
        return
    fresh = insert(CrmNotice).values(**values)
    changes = {name: fresh.excluded[name] for name in values if name not in ("uuid", "source", "booking_number", "booking_id")}
    kept = fresh.on_conflict_do_update(index_elements=["source", "booking_number"], set_=changes)
    notice_id = await db.scalar(kept.returning(CrmNotice.id))
    await db.execute(delete(CrmMove).where(CrmMove.notice_id == notice_id), execution_options={"synchronize_session": False})
    db.add_all(CrmMove(notice_id=notice_id, **each) for each in moves)
    done.restored += 1


async def _is_newer_here(db: AsyncSession, values: Mapping[str, Any], moves: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the house was told something, or the desk did something, after what the file says."""
    same = CrmNotice.source == values["source"], CrmNotice.booking_number == values["booking_number"]
    last_move = select(func.max(CrmMove.moved_at)).where(CrmMove.notice_id == CrmNotice.id).scalar_subquery()
    here = await db.scalar(select(func.greatest(CrmNotice.changed_at, last_move)).where(*same).with_for_update(of=CrmNotice))
    return here is not None and here > max([values["changed_at"], *(each["moved_at"] for each in moves)])


def _notices(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        next(lines)
        for line in lines:
            found = _parsed(line)
            if "moves" in found:
                yield found


def _line(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise BadBackup("The file is damaged, or was cut off.")
    return found


def _spelled(row: Any, columns: Sequence[Any]) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in columns}


def _understood(told: Mapping[str, Any], columns: Sequence[Any]) -> dict[str, Any]:
    """The columns of a line, in the types of the table."""
    return {each.name: _value(told.get(each.name), each.type.python_type) for each in columns}


def _value(value: Any, kind: Any) -> Any:
    if value is None or isinstance(value, kind):
        return value
    return datetime.fromisoformat(value) if kind is datetime else kind(value)
