"""Entrances with a kiosk, and a few guests whose synthetic faces are known there."""

import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import FIRST_GUEST, JOHN
from demo.rooms import CHICAGO, MANHATTAN, SANTA_MONICA
from demo.world import World, put
from gateways.simulators.faces import synthetic_face
from models.identity import User
from models.kiosks import Kiosk
from resolvers.authentication import hash_token
from resolvers.context import Context, Viewer
from resolvers.faces import register_face
from resolvers.operations import perform

ENTRANCES = {"mensuite_entrance": MANHATTAN, "garden_entrance": MANHATTAN, "pacific_entrance": SANTA_MONICA, "chicago_entrance": CHICAGO}
ENROLLED = (JOHN, *range(FIRST_GUEST, FIRST_GUEST + 8))


async def fill_kiosks(db: AsyncSession, world: World) -> None:
    """The entrances; nobody has the tokens of their kiosks, so whoever needs one mints another."""
    await put(
        db,
        Kiosk,
        [
            {"slug": slug, "location_id": location, "token_hash": hash_token(secrets.token_urlsafe(32))}
            for slug, location in ENTRANCES.items()
        ],
    )


async def play(ctx: Context, world: World) -> None:
    """The faces that /demo/face makes of their names."""
    for row in await ctx.fetch(select(User.id, User.first_name, User.last_name).where(User.id.in_(ENROLLED))):
        face = synthetic_face(f"{row['first_name']} {row['last_name']}")
        person = ctx.but(viewer=Viewer(row["id"]), door="demo")  # which asks for no password
        await perform(register_face, person, {"face_data": face, "consent": True}, key=f"demo face {row['id']}")
