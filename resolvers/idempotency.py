"""Writes that are done once however often a client sends them: the key's row stands in the write's own transaction."""

import base64
import dataclasses
import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

import models  # noqa: F401 - so that every table is known by name
from errors import BadUserInput, IdempotencyKeyReused
from models.base import Model
from models.idempotency import IdempotencyKey
from models.refusals import refusal
from models.together import new, write_at_end
from resolvers.context import Context

LONGEST_KEY = 255
KEY = "SELECT id FROM idempotency_keys WHERE scope = $1 AND key = $2"
TABLES = {mapper.class_.__name__: mapper.class_ for mapper in Model.registry.mappers}


@dataclass(frozen=True)
class Replayed:
    """What a write returned, now or when it was done before."""

    value: Any
    was_done: bool = True


@dataclass
class Call:
    """One run of an operation that may carry a key."""

    operation: str
    key: str | None
    scope: str
    body_hash: str
    encryption_key: bytes
    has_written: bool = False
    has_answered: bool = False

    @classmethod
    def of(cls, operation: str, arguments: dict[str, Any], ctx: Context, key: str | None) -> "Call":
        """Prepare a run; BadUserInput when the key is longer than 255 characters."""
        if key is None:
            return cls(operation, None, "", "", b"")
        if not 0 < len(key) <= LONGEST_KEY:
            raise BadUserInput(idempotency_key=f"An idempotency key has 1 to {LONGEST_KEY} characters.")
        body = repr((operation, sorted(arguments.items()))).encode()
        secret = ctx.settings.encryption_key.get_secret_value().encode()
        who = f"user:{ctx.viewer.user_id}" if ctx.viewer.user_id else hashlib.blake2b(ctx.address.encode(), key=secret[:64]).hexdigest()
        if ctx.viewer.program:
            who = f"program:{ctx.viewer.program}"
        # Keyed, since the body may hold a password, and a plain hash of it could be guessed.
        body_hash = hmac.new(secret, body, hashlib.sha256).hexdigest()
        return cls(operation, key, who, body_hash, hashlib.sha256(secret).digest())

    def enter(self, ctx: Context) -> Context:
        """The context in which the operation runs."""
        return ctx.but(call=self)

    def check(self) -> None:
        """Hold an operation to its duty: who writes says with answers() what a repeat would return."""
        if self.has_written and not self.has_answered:
            raise RuntimeError(f"{self.operation} wrote, but did not call answers(db, ...)")

    async def find(self, ctx: Context) -> Replayed | None:
        """What the same call answered before, if it was made before."""
        # Nearly always there is nothing to find, which a reader's connection tells in one exchange.
        if self.key is None or not await ctx.database.run(KEY, [self.scope, self.key]):
            return None
        try:
            async with ctx.database.sessions() as db:
                return await self._stored(db)
        except (DBAPIError, TimeoutError) as error:
            raise refusal(error) from error

    def begin(self) -> None:
        """Remember that the operation writes, and owes an answer."""
        self.has_written = True

    async def record(self, db: AsyncSession) -> None:
        """Keep what the operation answers, once it said so in this transaction."""
        if "answer" not in db.info:
            return
        self.has_answered = True
        if self.key is None:
            return
        if db.new:
            await db.flush()  # so that rows made in this transaction have their numbers
        sealed = _seal(self.encryption_key, orjson.dumps(_pack(db.info["answer"])))
        row = {"scope": self.scope, "key": self.key, "operation": self.operation, "body_hash": self.body_hash, "answer": sealed}
        # A twin in another process makes this wait for its commit: then it was done, and this transaction ends as DoneByTwin.
        await write_at_end(db, new(IdempotencyKey, **row))

    async def _stored(self, db: AsyncSession) -> Replayed | None:
        row = await db.scalar(select(IdempotencyKey).where(IdempotencyKey.scope == self.scope, IdempotencyKey.key == self.key))
        if row is None:
            return None
        if row.body_hash != self.body_hash:
            raise IdempotencyKeyReused
        value = await _unpack(db, orjson.loads(_open(self.encryption_key, row.answer)))
        db.expunge_all()  # so that the rows outlive the end of this transaction
        return Replayed(value)


def answers(db: AsyncSession, value: Any) -> None:
    """Say, inside the transaction, what the operation returns, so that a repeat under the same key returns it too."""
    db.info["answer"] = value


def _pack(value: Any) -> Any:
    """Rows become their key, payloads their fields."""
    if isinstance(value, Model):
        return {"row": type(value).__name__, "id": value.id}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"fields": {each.name: _pack(getattr(value, each.name)) for each in dataclasses.fields(value)}}
    if isinstance(value, list | tuple):
        return [_pack(each) for each in value]
    if isinstance(value, dict):
        return {"plain": value}
    for kind in (Decimal, datetime, date, UUID):
        if isinstance(value, kind):
            return {"kind": kind.__name__, "text": str(value)}
    return value


async def _unpack(db: AsyncSession, packed: Any) -> Any:
    if isinstance(packed, list):
        return [await _unpack(db, each) for each in packed]
    if not isinstance(packed, dict):
        return packed
    if "plain" in packed:
        return packed["plain"]
    if "row" in packed:
        return await db.get(TABLES[packed["row"]], packed["id"])
    if "fields" in packed:
        return SimpleNamespace(**{name: await _unpack(db, each) for name, each in packed["fields"].items()})
    return KINDS[packed["kind"]](packed["text"])


KINDS: dict[str, Any] = {"Decimal": Decimal, "datetime": datetime.fromisoformat, "date": date.fromisoformat, "UUID": UUID}


def _seal(key: bytes, plain: bytes) -> str:
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, None)).decode()


def _open(key: bytes, sealed: str) -> bytes:
    raw = base64.b64decode(sealed)
    return AESGCM(key).decrypt(raw[:12], raw[12:], None)
