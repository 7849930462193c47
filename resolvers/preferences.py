"""How people like their rooms."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert

from errors import BadUserInput
from models.identity import User
from models.preferences import Preferences
from resolvers.appointments import find_scene
from resolvers.context import Context
from resolvers.device_settings import WORD
from resolvers.idempotency import answers
from resolvers.inputs.preferences import PreferencesPatch
from resolvers.inputs.values import parse_text
from resolvers.operations import SIGNED_IN, allow
from resolvers.wishes import read_wishes
from subscriptions.facts import announce
from subscriptions.preferences import PreferencesChanged

HOUSE: dict[str, Any] = {
    "scene_config": {},
    "favorite_scents": [],
    "favorite_service_types": [],
    "scent_intensity": 3,
    "lighting_type": "warm",
    "lighting_intensity": 70,
    "preferred_temperature": 72.0,
    "music_genre": "ambient",
    "music_volume": 30,
}
"""How rooms are for whoever never said how they like them."""

RANGES = {"scent_intensity": (0, 10), "lighting_intensity": (0, 100), "preferred_temperature": (50, 110), "music_volume": (0, 100)}
MOST_FAVORITES = 20


@allow(SIGNED_IN)
def get_my_preferences(ctx: Context) -> Select[User]:
    """How the viewer likes a room; what they never said is as the house has it."""
    return select(User).where(User.id == ctx.viewer.id)


@allow(SIGNED_IN)
async def update_preferences(ctx: Context, *, patch: PreferencesPatch) -> User:
    """Say how one likes a room."""
    changes = _checked(patch)
    async with ctx.writing() as db:
        if patch.default_scene_name is not None:
            try:
                changes["default_scene_id"] = await find_scene(ctx, ctx.viewer.id, patch.default_scene_name.strip())
            except BadUserInput:
                raise BadUserInput(default_scene_name="There is no such scene.") from None
        user = await db.get_one(User, ctx.viewer.id)
        if changes:
            said = insert(Preferences).values(user_id=user.id, **changes)
            await db.execute(said.on_conflict_do_update(index_elements=["user_id"], set_=changes))
            await announce(db, PreferencesChanged(user.id, sorted(changes)))
        answers(db, user)
    return user


def _checked(patch: PreferencesPatch) -> dict[str, Any]:
    """What the patch changes, by the names of columns."""
    changes: dict[str, Any] = {}
    for name, (lowest, highest) in RANGES.items():
        value = getattr(patch, name)
        if value is not None:
            if not lowest <= value <= highest:
                raise BadUserInput(**{name: f"Give a number from {lowest} to {highest}."})
            changes[name] = value
    for name in ("lighting_type", "music_genre"):
        value = getattr(patch, name)
        if value is not None:
            [changes[name]] = _words(name, [value])
    for name in ("favorite_scents", "favorite_service_types"):
        value = getattr(patch, name)
        if value is not None:
            changes[name] = _words(name, value)
    if patch.scene_config is not None:
        if not isinstance(patch.scene_config, dict):
            raise BadUserInput(scene_config="Give settings by device type.")
        changes["scene_config"] = read_wishes(patch.scene_config, "scene_config")
    return changes


def _words(field: str, given: Sequence[str]) -> list[str]:
    """The words without repetitions, in their order."""
    if len(given) > MOST_FAVORITES:
        raise BadUserInput(**{field: f"At most {MOST_FAVORITES}."})
    words = list(dict.fromkeys(parse_text(each, field) for each in given))
    if not all(WORD.fullmatch(each) for each in words):
        raise BadUserInput(**{field: "Give names of at most 40 letters and digits."})
    return words
