"""Who a token speaks for: asked of the database at every call, so that logout, blocking and roles count at once."""

import dataclasses
import hashlib
from collections.abc import Sequence

from sqlalchemy import select

from errors import Unauthenticated
from models.database import Database
from models.identity import Role
from models.kiosks import Kiosk
from resolvers import tokens
from resolvers.context import NOBODY, Viewer
from settings import Settings

KIOSK_PREFIX = "kiosk_"

# Written as text, since it runs once for every request of every door.
VIEWER = """
SELECT array(SELECT role FROM user_roles WHERE user_roles.user_id = users.id AND is_approved) AS roles
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.family = $1 AND sessions.user_id = $2 AND sessions.ended_at IS NULL AND sessions.expires_at > $3 AND users.is_active
"""

VIEWERS = """
SELECT sessions.family, sessions.user_id,
  array(SELECT role FROM user_roles WHERE user_roles.user_id = users.id AND is_approved) AS roles
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.family = ANY($1::uuid[]) AND sessions.ended_at IS NULL AND sessions.expires_at > $2 AND users.is_active
"""


async def authenticate(database: Database, settings: Settings, token: str | None) -> Viewer:
    """Who an access token speaks for, with the roles they hold now; nobody without one, Unauthenticated with a bad one."""
    if token is None:
        return NOBODY
    if token.startswith(KIOSK_PREFIX):
        return await _look_up_kiosk(database, token)
    said = tokens.read(settings, tokens.Use.ACCESS, token)
    return await _look_up(database, Viewer(said.user_id, frozenset(), said.family, said.ends_at))


async def authenticate_again(database: Database, viewer: Viewer) -> Viewer:
    """The same viewer with the roles they hold by now; Unauthenticated once token or session is over. For long connections."""
    if viewer.user_id is None:
        return viewer
    if viewer.token_ends_at and viewer.token_ends_at <= tokens.moment():
        raise Unauthenticated
    return await _look_up(database, viewer)


def hash_token(token: str) -> str:
    """What is stored of a token that is long and random, so that no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


async def _look_up_kiosk(database: Database, token: str) -> Viewer:
    found = await database.fetch(select(Kiosk.id).where(Kiosk.token_hash == hash_token(token), Kiosk.revoked_at.is_(None)))
    if not found:
        raise Unauthenticated
    return Viewer(kiosk_id=found[0]["id"])


async def authenticate_all_again(database: Database, viewers: Sequence[Viewer]) -> dict[Viewer, Viewer]:
    """Many viewers with the roles they hold by now, in one statement; whose token or session is over is left out."""
    moment = tokens.moment()
    good = {each for each in viewers if each.token_ends_at is None or each.token_ends_at > moment}
    async with database.reading() as connection:
        rows = await connection.fetch(VIEWERS, list({each.session for each in good}), moment)
    roles = {(row["family"], row["user_id"]): frozenset(map(Role, row["roles"])) for row in rows}
    known = {each: roles.get((each.session, each.user_id)) for each in good}
    return {each: dataclasses.replace(each, roles=found) for each, found in known.items() if found is not None}


async def _look_up(database: Database, viewer: Viewer) -> Viewer:
    found = await database.run(VIEWER, [viewer.session, viewer.user_id, tokens.moment()])
    if not found:
        raise Unauthenticated
    return dataclasses.replace(viewer, roles=frozenset(map(Role, found[0]["roles"])))
