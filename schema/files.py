"""What clients see of files that they upload."""

from datetime import datetime

import strawberry

from models import files as tables
from models.files import FilePurpose
from resolvers import files
from schema.fields import Record, operation, shows


@shows(tables.StoredFile)
class StoredFile(Record):
    """A file that somebody uploads, or has; it counts only once its bytes were looked at."""

    name: str
    purpose: FilePurpose
    content_type: str
    size_bytes: int | None
    kept_at: datetime | None


@strawberry.type(description="A header that goes along with the bytes.")
class UploadHeader:
    """A header."""

    name: str = strawberry.field(description="Its name.")
    value: str = strawberry.field(description="Its value.")


@strawberry.type(description="Where the bytes of a file are put, and how.")
class UploadBegun:
    """What beginning an upload answers."""

    file: StoredFile = strawberry.field(description="The file that is awaited.")
    url: str = strawberry.field(description="Where the bytes are put; relative to this server unless it begins with a host.")
    method: str = strawberry.field(description="The method: PUT.")
    headers: list[UploadHeader] = strawberry.field(description="Headers to send along.")
    largest: int = strawberry.field(description="How many bytes it may have.")
    expires_at: datetime = strawberry.field(description="Until when the upload must have begun.")


@strawberry.type
class FileMutations:
    """Uploading."""

    begin_upload: UploadBegun = operation(files.begin_upload)
