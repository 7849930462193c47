"""How John and some of the guests like their rooms."""

import random
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import FIRST_GUEST, GUESTS, JOHN
from demo.rooms import PRESETS, SWISS_ALPS
from demo.spa_menu import TYPES
from demo.world import World, put
from models.preferences import Preferences

SCENTS = ["lavender", "eucalyptus", "alpine", "cedar", "rose", "peppermint"]
JOHNS: dict[str, Any] = {
    "default_scene": SWISS_ALPS, "scene_config": {"lighting": {"brightness": 70}}, "favorite_scents": ["lavender", "eucalyptus"],
    "favorite_service_types": ["massage"], "scent_intensity": 3, "lighting_type": "warm", "lighting_intensity": 70,
    "preferred_temperature": 72.0, "music_genre": "ambient", "music_volume": 30,
}  # fmt: skip


async def fill(db: AsyncSession, world: World) -> None:
    """John's, as the documents show them, and those of every fourth guest."""
    scenes = {each["name"]: number for number, each in enumerate(PRESETS, start=1)}
    dice = random.Random("preferences")  # noqa: S311 - the same in every demo
    said = [{"user_id": JOHN, **JOHNS}, *({"user_id": guest, **_some(dice)} for guest in range(FIRST_GUEST, FIRST_GUEST + GUESTS, 4))]
    await put(db, Preferences, [{**each, "default_scene_id": scenes[each.pop("default_scene")]} for each in said])


def _some(dice: random.Random) -> dict[str, Any]:
    return {
        "default_scene": dice.choice(PRESETS)["name"], "scene_config": {}, "favorite_scents": dice.sample(SCENTS, 2),
        "favorite_service_types": dice.sample(sorted(TYPES), 2), "scent_intensity": dice.randint(1, 6),
        "lighting_type": dice.choice(["warm", "cool"]), "lighting_intensity": 10 * dice.randint(2, 9),
        "preferred_temperature": float(dice.randint(66, 76)), "music_genre": dice.choice(["ambient", "cool_jazz", "waves"]),
        "music_volume": 5 * dice.randint(2, 8),
    }  # fmt: skip
