"""Documents that clients name instead of sending them: those they sent once before, or only those of a manifest."""

import hashlib
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import orjson

from engine.asked import Asked
from engine.documents import Documents
from errors import ApiError, Forbidden, MalformedRequest
from settings import Settings

SHA256 = re.compile(r"[0-9a-fA-F]{64}")
BYTES_KEPT = 10_000_000


class PersistedQueryNotFound(ApiError):
    """No document is known by this hash; clients send hash and text then. The words are those that clients look for."""

    code, status, message = "PERSISTED_QUERY_NOT_FOUND", 404, "PersistedQueryNotFound"


class PersistedQueryNotSupported(ApiError):
    """This server keeps no documents, or not in this way; clients send texts then. The words are those that clients look for."""

    code, status, message = "PERSISTED_QUERY_NOT_SUPPORTED", 400, "PersistedQueryNotSupported"


class DocumentNotTrusted(Forbidden):
    """This server runs only the documents of its manifest."""

    code, message = "DOCUMENT_NOT_TRUSTED", "Only the documents of this server's manifest may be run."


class WrongManifest(Exception):
    """The manifest of trusted documents cannot be used; the text says why."""


class Persisted:
    """The documents that this process knows by name.

    Kept per process: a client whose hash is unknown here sends hash and text at once, and any process can answer that.
    """

    def __init__(self, settings: Settings, documents: Documents) -> None:
        self._documents = documents
        self._most = settings.persisted_queries
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0
        self._trusted = read_manifest(Path(settings.trusted_documents), documents) if settings.trusted_documents else None

    def text_of(self, asked: Asked) -> str:
        """The text that a request means."""
        hashed = _hash_of(asked)
        if self._trusted is not None:
            return _trusted(self._trusted, asked, hashed)
        if asked.document_id is not None or (hashed and not self._most):
            raise PersistedQueryNotSupported
        if asked.query is None:
            if hashed is None or hashed not in self._kept:
                raise PersistedQueryNotFound
            self._kept.move_to_end(hashed)
            return self._kept[hashed]
        if hashed:
            self._keep(hashed, asked.query)
        return asked.query

    def _keep(self, hashed: str, text: str) -> None:
        """Remember a valid document, and forget the least used ones beyond what may be kept."""
        if hashed in self._kept:
            return
        if sha256(text) != hashed:
            raise MalformedRequest("The hash is not that of the query.")
        if self._documents.get(text).errors:
            return
        self._kept[hashed] = text
        self._bytes += len(text)
        while len(self._kept) > self._most or self._bytes > BYTES_KEPT:
            self._bytes -= len(self._kept.popitem(last=False)[1])


def sha256(text: str) -> str:
    """The hash by which a text is known."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_manifest(path: Path, documents: Documents) -> dict[str, str]:
    """Texts by id and by hash, from a manifest as Apollo's or Relay's tools write it; all must be valid, WrongManifest otherwise."""
    try:
        found = orjson.loads(path.read_bytes())
        listed = found.get("operations") if isinstance(found.get("operations"), list) else None
        texts: dict[Any, Any] = found if listed is None else {each["id"]: each["body"] for each in listed}
    except OSError as error:
        raise WrongManifest(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise WrongManifest(f"{path} is no manifest of documents: {error!r}.") from error
    for id, text in texts.items():
        if not isinstance(id, str) or not isinstance(text, str):
            raise WrongManifest(f"{path}: {id!r} is not the id of a text.")
        if errors := documents.get(text).errors:
            raise WrongManifest(f"{path}: {id}: {errors[0].message}")
    return {**{sha256(text): text for text in texts.values()}, **texts}


def _trusted(texts: dict[str, str], asked: Asked, hashed: str | None) -> str:
    if asked.query is not None:
        text = texts.get(sha256(asked.query))
        if text is None:
            raise DocumentNotTrusted
        return text
    text = texts.get(asked.document_id or hashed or "")
    if text is None:
        raise PersistedQueryNotFound
    return text


def _hash_of(asked: Asked) -> str | None:
    """The hash that a request names in the form of Apollo's clients, which others speak too."""
    said = asked.extensions.get("persistedQuery")
    if said is None:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("sha256Hash"), str):
        raise MalformedRequest("extensions.persistedQuery must have a sha256Hash.")
    if said.get("version") != 1:
        raise PersistedQueryNotSupported
    if not SHA256.fullmatch(said["sha256Hash"]):
        raise MalformedRequest("sha256Hash must be 64 hexadecimal digits.")
    return str(said["sha256Hash"]).lower()
