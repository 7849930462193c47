"""Uploading: an address is given out, the client puts the bytes there, and they are looked at before anything counts on them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import filetype
from sqlalchemy import delete, select, update

from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.files import FilePurpose, StoredFile
from models.identity import Role
from models.keys import Key
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.files import UploadInput
from resolvers.inputs.values import parse_text
from resolvers.limits import limit
from resolvers.operations import SIGNED_IN, allow

UPLOADS = "100/hour"
LONGEST_NAME = 200
ABANDONED = timedelta(days=1)
BATCH = 100
OFFICE = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True)
class Rule:
    """Who may upload what for a purpose; the ending that a type has in the documents of older systems."""

    roles: frozenset[Role]
    types: dict[str, str]


RULES = {
    FilePurpose.INVESTMENT_DOCUMENT: Rule(
        frozenset({Role.SUPER_ADMIN, Role.ADMIN, Role.FINANCE}),
        {
            "application/pdf": "pdf",
            f"{OFFICE}.wordprocessingml.document": "docx",
            f"{OFFICE}.spreadsheetml.sheet": "xlsx",
            f"{OFFICE}.presentationml.presentation": "pptx",
        },
    ),
}


@dataclass
class UploadHeader:
    """A header that goes along with the bytes."""

    name: str
    value: str


@dataclass
class UploadBegun:
    """Where the bytes of a file are put, and how."""

    file: StoredFile
    url: str
    method: str
    headers: list[UploadHeader]
    largest: int
    expires_at: datetime


@allow(SIGNED_IN)
async def begin_upload(ctx: Context, *, input: UploadInput) -> UploadBegun:
    """Get an address under which a file's bytes can be put for a while; the operation that the file is for then looks at them."""
    rule = RULES[input.purpose]
    if not ctx.viewer.roles & rule.roles:
        raise Forbidden
    name = parse_text(input.name, "name", longest=LONGEST_NAME)
    if not name:
        raise BadUserInput(name="Give it a name.")
    if input.content_type not in rule.types:
        raise BadUserInput(content_type=f"This must be one of: {', '.join(rule.types)}.")
    await limit(ctx, "begin_upload", UPLOADS)
    key, largest = f"uploads/{uuid4().hex}", ctx.settings.max_upload
    address = await ctx.gateways.files.upload_address(key, largest=largest, content_type=input.content_type)
    async with ctx.writing() as db:
        file = StoredFile(owner_id=ctx.viewer.id, purpose=input.purpose, name=name, content_type=input.content_type, key=key)
        db.add(file)
        await db.flush()
        headers = [UploadHeader(*each) for each in address.headers.items()]
        begun = UploadBegun(file, address.url, address.method, headers, largest, address.expires_at)
        answers(db, begun)
    return begun


async def keep_upload(ctx: Context, id: Key[StoredFile], purpose: FilePurpose, field: str = "file_id") -> int:
    """Look at an uploaded file of the viewer's and keep it where no upload address writes; the number of its row."""
    mine = select(StoredFile).where(id.names(StoredFile), StoredFile.owner_id == ctx.viewer.id, StoredFile.purpose == purpose)
    async with ctx.database.sessions() as db:
        file = await db.scalar(mine)
    if file is None:
        raise NotFound
    if file.kept_at is not None:
        return file.id
    files, final = ctx.gateways.files, f"kept/{purpose}/{uuid4().hex}"
    if await files.find(file.key) is None:
        raise BadUserInput(**{field: "Nothing was uploaded yet."})
    await files.move(file.key, final)
    # Only now, under a name that nobody can write to, is it looked at.
    try:
        size = await _checked_size(ctx, file, final, field)
        async with ctx.writing() as db:
            awaited = update(StoredFile).where(StoredFile.id == file.id, StoredFile.kept_at.is_(None))
            kept = awaited.values(key=final, size_bytes=size, kept_at=ctx.now()).returning(StoredFile.id)
            if await db.scalar(kept, execution_options={"synchronize_session": False}) is None:
                raise Conflict("This file was taken in already.")
    except BaseException:
        await files.delete(final)
        raise
    return file.id


async def _checked_size(ctx: Context, file: StoredFile, key: str, field: str) -> int:
    held = await ctx.gateways.files.find(key)
    if held is None or not held.size:
        raise BadUserInput(**{field: "The file is empty."})
    if held.size > ctx.settings.max_upload:
        raise BadUserInput(**{field: f"A file has {ctx.settings.max_upload} bytes at most."})
    found = filetype.guess(await ctx.gateways.files.beginning(key))
    if found is None or found.mime != file.content_type:
        raise BadUserInput(**{field: f"What was uploaded is not {file.content_type}."})
    return held.size


async def forget_abandoned_uploads(ctx: Context) -> None:
    """Delete what was uploaded, or announced, and never used."""
    before = datetime.now(UTC) - ABANDONED
    is_full = True
    while is_full:
        found = await ctx.fetch(
            select(StoredFile.id, StoredFile.key).where(StoredFile.kept_at.is_(None), StoredFile.created_at < before).limit(BATCH)
        )
        for row in found:
            await ctx.gateways.files.delete(row["key"])
        async with ctx.writing() as db:
            awaited = delete(StoredFile).where(StoredFile.id.in_([row["id"] for row in found]), StoredFile.kept_at.is_(None))
            await db.execute(awaited, execution_options={"synchronize_session": False})
        is_full = len(found) == BATCH
