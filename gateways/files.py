"""Files: in a folder of this machine, or in a bucket of any S3-compatible server; streamed both ways, under links that expire."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

import clock
from errors import NotFound, PayloadTooLarge, Unavailable
from gateways.links import checked, is_signed, write_link
from settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

HOP_SECONDS = 60
"""For how long the bucket's own address is good, to which a link of ours leads."""
TIMEOUT = timedelta(seconds=30)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """What the store knows of a file by itself."""

    key: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class UploadAddress:
    """Where a client puts the bytes of a file, and what it sends along."""

    url: str
    expires_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "PUT"


class Files:
    """One store; what is public about a file (name, type, owner) is in the database, only the bytes are here."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = None if settings.files_url else settings.data_folder / "files"
        self._store: LocalStore | S3Store | None = _bucket(settings) if settings.files_url else None

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str, largest: int) -> int:
        """Keep what comes, all or nothing, and tell how many bytes it was; PayloadTooLarge as soon as there are too many."""
        count = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal count
            async for chunk in chunks:
                count += len(chunk)
                if count > largest:
                    raise PayloadTooLarge
                yield chunk

        with _translated():
            if self._folder:
                await obstore.put_async(self._open(), checked(key), counted())
            else:
                await obstore.put_async(self._open(), checked(key), counted(), attributes={"Content-Type": content_type})
        return count

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of a file, chunk by chunk; NotFound when there is none."""
        with _translated():
            found = await obstore.get_async(self._open(), checked(key))
            async for chunk in found.stream():
                yield bytes(chunk)

    async def beginning(self, key: str, length: int = 4096) -> bytes:
        """The first bytes of a file, by which its true type is known."""
        async for chunk in self.read(key):
            return chunk[:length]
        return b""

    async def find(self, key: str) -> Held | None:
        """What is known of a file, if there is one."""
        try:
            with _translated():
                found = await obstore.head_async(self._open(), checked(key))
        except NotFound:
            return None
        return Held(key, found["size"], found["last_modified"])

    async def move(self, key: str, to: str) -> None:
        """Give a file another name, under which no earlier address writes."""
        with _translated():
            await obstore.rename_async(self._open(), checked(key), checked(to))

    async def delete(self, key: str) -> None:
        """Forget a file; nothing happens when there is none."""
        try:
            with _translated():
                await obstore.delete_async(self._open(), checked(key))
        except NotFound:
            pass

    async def upload_address(self, key: str, *, largest: int, content_type: str) -> UploadAddress:
        """Where a file can be written for a while: at the bucket itself, or else here."""
        seconds = self._settings.upload_link_seconds
        expires_at = clock.now() + timedelta(seconds=seconds)
        url = await self._presigned("PUT", key, seconds)
        if url is None:
            url = write_link(self._settings, key, largest=largest, content_type=content_type, expires_at=expires_at)
        return UploadAddress(url, expires_at, {"Content-Type": content_type})

    async def elsewhere(self, key: str) -> str | None:
        """The bucket's own address of a file, good for a minute; none where files are in a folder of this machine."""
        return await self._presigned("GET", key, HOP_SECONDS)

    def is_signed(self, method: str, key: str, given: Mapping[str, str]) -> bool:
        """Whether a link to this server is of our making, for this method and file, and still good."""
        return is_signed(self._settings, method, key, given)

    async def _presigned(self, method: str, key: str, seconds: int) -> str | None:
        store = self._open()
        if isinstance(store, LocalStore):
            return None
        with _translated():
            return await obstore.sign_async(store, "PUT" if method == "PUT" else "GET", checked(key), timedelta(seconds=seconds))

    def _open(self) -> LocalStore | S3Store:
        """The store; a folder is made when it is first needed."""
        if self._store is None:
            assert self._folder  # noqa: S101 - one or the other
            Path(self._folder).mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._folder, automatic_cleanup=True)
        return self._store


def _bucket(settings: Settings) -> S3Store:
    place = urlsplit(settings.files_url or "")
    key, secret, endpoint = settings.files_access_key, settings.files_secret_key, settings.files_endpoint
    config: S3Config = {"region": settings.files_region, "virtual_hosted_style_request": endpoint is None}
    if endpoint:
        config["endpoint"] = endpoint
    if key and secret:
        config["access_key_id"], config["secret_access_key"] = key, secret.get_secret_value()
    over_http = (endpoint or "").startswith("http://")
    return S3Store(
        place.netloc,
        prefix=place.path.strip("/") or None,
        config=config,
        client_options={"timeout": TIMEOUT, "allow_http": over_http},
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our own errors instead of the store's."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound from error
    except (BaseError, OSError) as error:
        log.error("files.unavailable", kind=type(error).__name__, cause=str(error).splitlines()[:1])
        raise Unavailable("The file store does not answer. Try again shortly.") from error
