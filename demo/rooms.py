"""Three spas with their hours, rooms, devices and scenes."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from demo.catalogue import CORESYNC_PRIVATE, MENSUITE
from demo.people import JOHN
from demo.world import World, put
from models.rooms import Device, DeviceType, Heartbeat, Room, Scene, SceneType
from models.scheduling import Location, Resource, ResourceKind, Schedule, ScheduleException, ScheduleHours

LIGHTING, SCENT, TEMPERATURE, MUSIC, SCREEN = (
    DeviceType.LIGHTING,
    DeviceType.SCENT,
    DeviceType.TEMPERATURE,
    DeviceType.MUSIC,
    DeviceType.SCREEN,
)


@dataclass(frozen=True)
class Spa:
    """A location with its hours on weekdays and at weekends."""

    name: str
    slug: str
    time_zone: str
    address: str
    city: str
    weekdays: tuple[time, time]
    weekends: tuple[time, time]


@dataclass(frozen=True)
class Space:
    """A room with its zone and devices; its number follows from its place in ROOMS."""

    name: str
    zone: str
    category: int | None
    devices: dict[str, DeviceType] = field(default_factory=dict)


MANHATTAN, SANTA_MONICA, CHICAGO = 1, 2, 3
SPAS = [
    Spa("CoreSync Manhattan", "manhattan", "America/New_York", "118 Greene Street, New York, NY 10012", "New York",
        (time(9), time(21)), (time(10), time(20))),
    Spa("CoreSync Santa Monica", "santa-monica", "America/Los_Angeles", "2216 Main Street, Santa Monica, CA 90405", "Santa Monica",
        (time(8), time(20)), (time(9), time(19))),
    Spa("CoreSync Chicago", "chicago", "America/Chicago", "845 West Randolph Street, Chicago, IL 60607", "Chicago",
        (time(10), time(20)), (time(10), time(18))),
]  # fmt: skip


def _three(place: str, third: DeviceType, what: str) -> dict[str, DeviceType]:
    return {f"{place} Lights": LIGHTING, f"{place} Speakers": MUSIC, f"{place} {what}": third}


ROOMS: dict[int, list[Space]] = {
    MANHATTAN: [
        Space("Mensuite Room A", "mensuite_main", MENSUITE, {
            "Main Lighting System": LIGHTING, "Climate Control": TEMPERATURE, "Surround Speakers": MUSIC, "Scent Diffuser": SCENT,
        }),
        Space("Mensuite Room B", "mensuite_b", MENSUITE, _three("Mensuite B", TEMPERATURE, "Climate")),
        Space("Coresync Suite", "coresync_suite", CORESYNC_PRIVATE, {
            "Suite Lighting": LIGHTING, "Suite Scent Diffuser": SCENT, "Suite Climate": TEMPERATURE, "Suite Sound": MUSIC,
            "Panorama Screen": SCREEN,
        }),
        Space("Garden Suite", "garden_suite", CORESYNC_PRIVATE, _three("Garden Suite", SCENT, "Diffuser")),
        Space("Recovery Lounge", "recovery_lounge", MENSUITE, _three("Recovery Lounge", TEMPERATURE, "Climate")),
        Space("Hydro Room", "hydro", None, _three("Hydro Room", TEMPERATURE, "Water Heater")),
        Space("Quiet Room", "quiet_room", None, _three("Quiet Room", SCREEN, "Screen")),
    ],
    SANTA_MONICA: [
        Space("Pacific Suite", "pacific_suite", CORESYNC_PRIVATE, _three("Pacific Suite", SCREEN, "Panorama Screen")),
        Space("Dune Room", "dune_room", MENSUITE, _three("Dune Room", TEMPERATURE, "Climate")),
        Space("Tide Room", "tide_room", MENSUITE, _three("Tide Room", SCENT, "Diffuser")),
        Space("Palisades Suite", "palisades_suite", CORESYNC_PRIVATE, _three("Palisades Suite", SCENT, "Diffuser")),
        Space("Salt Cabin", "salt_cabin", None, _three("Salt Cabin", TEMPERATURE, "Heater")),
    ],
    CHICAGO: [
        Space("Lakeshore Suite", "lakeshore_suite", CORESYNC_PRIVATE, _three("Lakeshore Suite", SCENT, "Diffuser")),
        Space("Loop Room", "loop_room", MENSUITE, _three("Loop Room", TEMPERATURE, "Climate")),
        Space("Steel Room", "steel_room", MENSUITE, _three("Steel Room", TEMPERATURE, "Climate")),
        Space("Winter Garden", "winter_garden", None, _three("Winter Garden", SCREEN, "Wall Screen")),
    ],
}  # fmt: skip

OUT_OF_SERVICE = "Wall Screen"
"""The device that is out of service has this in its name."""

# Smallest, largest and first value, and the state in which it is met.
MET: dict[DeviceType, tuple[int, int, int, dict[str, Any]]] = {
    LIGHTING: (0, 100, 50, {"brightness": 70, "color": "#ff9500", "mode": "warm"}),
    SCENT: (0, 10, 3, {"type": "lavender", "intensity": 3}),
    TEMPERATURE: (60, 85, 72, {"temperature": 72, "mode": "auto"}),
    MUSIC: (0, 100, 30, {"playlist": "ambient", "volume": 30}),
    SCREEN: (0, 100, 50, {"brightness": 50, "mode": "forest", "volume": 0}),
}


def _scene(name: str, zone: str, used: int, description: str, **settings: Any) -> dict[str, Any]:
    slug = name.lower().replace(" ", "-")
    return {"name": name, "slug": slug, "zone": zone, "usage_count": used, "description": description, "device_settings": settings}


SWISS_ALPS = "Swiss Alps"
PRESETS = [
    _scene(SWISS_ALPS, "coresync_suite", 245, "Mountain relaxation scene",
           lighting={"brightness": 60, "color": "#87CEEB"}, scent={"type": "alpine", "intensity": 3}, temperature=70,
           music={"playlist": "nature_sounds", "volume": 25}),
    _scene("Tokyo Night", "coresync_suite", 131, "Neon behind rain on the window, and a slow bass",
           lighting={"brightness": 30, "color": "#8a2be2"}, scent={"type": "sandalwood", "intensity": 2}, temperature=72,
           music={"playlist": "city_rain", "volume": 35}, screen={"mode": "tokyo", "brightness": 70}),
    _scene("Barber Shop 1954", "mensuite_main", 188, "Warm bulbs, cedar, and a record player in the corner",
           lighting={"brightness": 80, "color": "#ffb347", "mode": "warm"}, scent={"type": "cedar", "intensity": 2}, temperature=71,
           music={"playlist": "cool_jazz", "volume": 30}),
    _scene("After the Race", "mensuite_b", 97, "Cool light and cool air for tired legs",
           lighting={"brightness": 45, "color": "#b0e0e6", "mode": "cool"}, temperature=66, music={"playlist": "slow_tempo", "volume": 20}),
    _scene("Pacific Dusk", "pacific_suite", 162, "The last half hour of light over the water",
           lighting={"brightness": 35, "color": "#ff7f50"}, music={"playlist": "waves", "volume": 25},
           screen={"mode": "ocean", "brightness": 60}),
    _scene("First Snow", "winter_garden", 58, "White light, and nothing to be heard but steps in snow",
           lighting={"brightness": 55, "color": "#f8f8ff"}, music={"playlist": "snowfall", "volume": 15}),
    _scene("Rose Garden", "garden_suite", 74, "An early morning between the hedges",
           lighting={"brightness": 65, "color": "#ffe4e1"}, scent={"type": "rose", "intensity": 4},
           music={"playlist": "birdsong", "volume": 20}),
]  # fmt: skip
JOHNS_SCENE = _scene("Sunday Evening", "mensuite_main", 9, "How I like it after a long run",
                     lighting={"brightness": 25, "color": "#ff8c00"}, temperature=74,
                     music={"playlist": "vinyl_classics", "volume": 20})  # fmt: skip


async def fill(db: AsyncSession, world: World) -> None:
    """Spas, rooms, devices, presets."""
    schedules = await put(db, Schedule, [{"name": spa.name, "time_zone": spa.time_zone} for spa in SPAS])
    await put(db, ScheduleHours, [
        {"schedule_id": schedule, "weekday": weekday, "opens": opens, "closes": closes}
        for schedule, spa in zip(schedules, SPAS, strict=True)
        for weekday in range(7)
        for opens, closes in [spa.weekends if weekday > 4 else spa.weekdays]
    ])  # fmt: skip
    await put(db, ScheduleException, [
        {"schedule_id": schedule, "day": day, "reason": reason} for schedule in schedules for day, reason in closed_days(world.today)
    ])  # fmt: skip
    await put(db, Location, [
        {"id": number, "name": spa.name, "slug": spa.slug, "time_zone": spa.time_zone, "address": spa.address, "city": spa.city,
         "schedule_id": schedule}
        for number, (spa, schedule) in enumerate(zip(SPAS, schedules, strict=True), start=1)
    ])  # fmt: skip
    spaces = [(location, space) for location, inside in ROOMS.items() for space in inside]
    resources = await put(db, Resource, [
        {"kind": ResourceKind.ROOM, "schedule_id": schedules[location - 1]} for location, _ in spaces
    ])  # fmt: skip
    await put(db, Room, [
        {"id": number, "number": number, "name": space.name, "location_id": location, "category_id": space.category,
         "resource_id": resource}
        for number, ((location, space), resource) in enumerate(zip(spaces, resources, strict=True), start=1)
    ])  # fmt: skip
    devices = [
        _device(name, kind, room, space.zone) for room, (_, space) in enumerate(spaces, start=1) for name, kind in space.devices.items()
    ]
    seen = datetime.now(UTC)  # devices live by the real clock
    numbers = await put(db, Device, [{"id": number, **device} for number, device in enumerate(devices, start=1)])
    await put(db, Heartbeat, [
        {"device_id": number, "seen_at": seen, "good_until": seen + timedelta(minutes=2)}
        for number, device in zip(numbers, devices, strict=True) if not device["in_maintenance"]
    ])  # fmt: skip
    presets = [{"scene_type": SceneType.PRESET, "is_public": True, "owner_id": None, **scene} for scene in PRESETS]
    await put(db, Scene, [{"id": number, **scene} for number, scene in enumerate(presets, start=1)])


async def fill_scenes(db: AsyncSession, world: World) -> None:
    """The scene that John made himself."""
    await put(db, Scene, [{"owner_id": JOHN, "scene_type": SceneType.CUSTOM, **JOHNS_SCENE}])


def closed_days(today: date) -> list[tuple[date, str]]:
    """The holidays of the last and of the next year on which the spas are closed."""
    every = [(date(year, month, day), why) for year in range(today.year - 1, today.year + 3)
             for month, day, why in ((1, 1, "New Year's Day"), (7, 4, "Independence Day"), (12, 25, "Christmas Day"))]  # fmt: skip
    return [(day, why) for day, why in every if abs(day - today) < timedelta(days=400)]


def _device(name: str, kind: DeviceType, room: int, zone: str) -> dict[str, Any]:
    low, high, default, state = MET[kind]
    return {
        "name": name, "device_type": kind, "room_id": room, "zone": zone, "min_value": low, "max_value": high, "default_value": default,
        "state": state, "in_maintenance": OUT_OF_SERVICE in name,
    }  # fmt: skip
