"""Screens at the entrances: staff set them up and take them out of service."""

import re
import secrets
from dataclasses import dataclass

from sqlalchemy import Select, exists, select

from errors import AlreadyExists, BadUserInput, NotFound
from models.identity import STAFF, Role
from models.keys import Key
from models.kiosks import Kiosk
from models.scheduling import Location
from resolvers.authentication import KIOSK_PREFIX, hash_token
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.operations import allow

KioskId = Key[Kiosk]
SLUG = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
LONGEST_SLUG = 60


@dataclass
class KioskMinted:
    """A kiosk with its token, which is shown only now."""

    token: str
    kiosk: Kiosk


@allow(*STAFF)
def list_kiosks(ctx: Context, *, location_id: Key[Location] | None = None) -> Select[Kiosk]:
    """Every kiosk, newest first; those that were revoked stay in the list."""
    found = select(Kiosk).order_by(Kiosk.id.desc())
    return found if location_id is None else found.where(Kiosk.location_id == location_id.of(Location))


@allow(Role.SUPER_ADMIN, Role.ADMIN, sensitive=True)
async def mint_kiosk(ctx: Context, *, location_id: Key[Location], slug: str) -> KioskMinted:
    """Set up a kiosk at an entrance; its token can check guests in there, and do nothing else."""
    if len(slug) > LONGEST_SLUG or not SLUG.fullmatch(slug):
        raise BadUserInput(slug="Small letters and digits, with - or _ between them, such as mensuite_entrance.")
    token = f"{KIOSK_PREFIX}{secrets.token_urlsafe(32)}"
    async with ctx.writing() as db:
        location = await db.scalar(select(Location).where(location_id.names(Location)))
        if location is None:
            raise BadUserInput(location_id="There is no such location.")
        if await db.scalar(select(exists().where(Kiosk.slug == slug, Kiosk.revoked_at.is_(None)))):
            raise AlreadyExists(slug="There is a kiosk of this name.")
        kiosk = Kiosk(location_id=location.id, slug=slug, token_hash=hash_token(token))
        db.add(kiosk)
        await db.flush()
        minted = KioskMinted(token, kiosk)
        answers(db, minted)
    return minted


@allow(Role.SUPER_ADMIN, Role.ADMIN)
async def revoke_kiosk(ctx: Context, *, id: KioskId) -> Kiosk:
    """Take a kiosk out of service; its token is refused from now on."""
    async with ctx.writing() as db:
        kiosk = await db.scalar(select(Kiosk).where(id.names(Kiosk)).with_for_update())
        if kiosk is None:
            raise NotFound
        kiosk.revoked_at = kiosk.revoked_at or ctx.now()
        answers(db, kiosk)
    return kiosk
