"""What people say about the rooms that they like."""

import strawberry

from resolvers.inputs.scalars import Json


@strawberry.input(description="Changes of preferences; what is absent or null stays as it is.")
class PreferencesPatch:
    """How somebody likes a room."""

    default_scene_name: str | None = strawberry.field(default=None, description="A scene by its name or slug; an empty text means none.")
    scene_config: Json | None = strawberry.field(
        default=None, description='Changes of the default scene, by device type: {"lighting": {"brightness": 60}, "temperature": 70}.'
    )
    favorite_scents: list[str] | None = strawberry.field(default=None, description="Scents that are liked, the best first; 20 at most.")
    favorite_service_types: list[str] | None = strawberry.field(
        default=None, description="Kinds of treatment that are liked, such as massage; 20 at most."
    )
    scent_intensity: int | None = strawberry.field(default=None, description="How strong a scent should be, 0 to 10.")
    lighting_type: str | None = strawberry.field(default=None, description="The kind of light, such as warm.")
    lighting_intensity: int | None = strawberry.field(default=None, description="How bright the light should be, 0 to 100.")
    preferred_temperature: float | None = strawberry.field(default=None, description="Degrees Fahrenheit, 50 to 110.")
    music_genre: str | None = strawberry.field(default=None, description="What music to play, such as ambient.")
    music_volume: int | None = strawberry.field(default=None, description="How loud the music should be, 0 to 100.")


@strawberry.input(description="How a room should be for one appointment; what is left out follows its scene and the guest's preferences.")
class EquipmentInput:
    """Settings by device type, as in scenes."""

    scene: str | None = strawberry.field(default=None, description="A scene by its name or slug.")
    lighting: Json | None = strawberry.field(default=None, description='Such as {"brightness": 60, "color": "#87CEEB", "mode": "warm"}.')
    scent: Json | None = strawberry.field(default=None, description='Such as {"type": "alpine", "intensity": 3}.')
    temperature: Json | None = strawberry.field(default=None, description="Degrees Fahrenheit.")
    music: Json | None = strawberry.field(default=None, description='Such as {"playlist": "nature_sounds", "volume": 25}.')
    screen: Json | None = strawberry.field(default=None, description='Such as {"mode": "forest", "brightness": 50}.')
