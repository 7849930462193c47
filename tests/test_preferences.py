"""How people like their rooms, and rooms that are set so before an appointment."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.execute import Engine
from errors import ApiError, BadUserInput, Conflict, NotFound
from gateways.all import open_gateways
from gateways.devices import Devices
from gateways.simulators.devices import SimulatedDevices
from models.bookings import Booking, BookingStatus
from models.database import Database
from models.identity import User
from models.keys import Key
from models.preferences import Preferences, SyncStatus
from models.rooms import Device, DeviceType, Scene, SceneType
from resolvers import preferences
from resolvers.context import Context
from resolvers.equipment import EquipmentResult, prepare_rooms, sync_equipment
from resolvers.inputs.preferences import EquipmentInput, PreferencesPatch
from resolvers.inputs.scalars import Json
from resolvers.limits import forget_counters
from resolvers.wishes import Wishes, settings_for, standing
from settings import Settings
from tests.examples import examples
from tests.paying import by
from tests.people import call
from tests.sql import sql, value
from tests.visiting import make_visit
from tests.worlds import Spa, make_person, make_spa

ALPS = {"lighting": {"brightness": 60, "color": "#87ceeb"}, "temperature": 70, "music": {"playlist": "nature_sounds", "volume": 25}}
READ = """{ myPreferences { defaultSceneName sceneConfig favoriteScents favoriteServiceTypes scentIntensity lightingType lightingIntensity
  preferredTemperature musicGenre musicVolume } }"""


@dataclass
class World:
    """A spa whose first room has a lamp, a heater and a speaker; Ann, and her appointment."""

    ctx: Context
    line: SimulatedDevices
    spa: Spa
    ann: User
    devices: dict[DeviceType, int]
    scene: Scene

    @property
    def as_ann(self) -> Context:
        return by(self.ctx, self.ann)

    async def booking(self, minutes: int, *, person: User | None = None, status: BookingStatus = BookingStatus.CONFIRMED) -> Booking:
        """An appointment in the first room that begins in so many minutes."""
        starts = datetime.now(UTC) + timedelta(minutes=minutes)
        return await make_visit(self.ctx.database, self.spa, person or self.ann, self.spa.service, starts, status=status)

    async def sync(self, booking: Booking, **wishes: Any) -> EquipmentResult:
        wished = EquipmentInput(**wishes) if wishes else None
        found: EquipmentResult = await call(sync_equipment, self.as_ann, booking_id=Key(number=booking.id), preferences=wished)
        return found

    async def like(self, **patch: Any) -> None:
        await call(preferences.update_preferences, self.as_ann, patch=PreferencesPatch(**patch))

    async def state(self, kind: DeviceType = DeviceType.LIGHTING) -> dict[str, Any]:
        found: dict[str, Any] = await value(self.ctx.database, "SELECT state FROM devices WHERE id = $1", self.devices[kind])
        return found

    async def commands(self) -> int:
        number: int = await value(self.ctx.database, "SELECT count(*) FROM device_commands")
        return number


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[World]:
    await forget_counters(database)
    async with (
        SimulatedDevices(database, delay=0.01) as line,
        open_gateways(settings, database) as gateways,
        Devices(line.address) as gateway,
    ):
        ctx = Context(settings.model_copy(update={"device_timeout": 0.4}), database, replace(gateways, devices=gateway))
        spa, ann = await make_spa(database), await make_person(database)
        async with ctx.writing() as db:
            made = [
                Device(room_id=spa.rooms[0].id, name=f"Room {kind}", device_type=kind, zone="suite", min_value=low, max_value=high)
                for kind, low, high in (
                    (DeviceType.LIGHTING, 0, 100), (DeviceType.TEMPERATURE, 60, 85), (DeviceType.MUSIC, 0, 50),
                )
            ]  # fmt: skip
            for each in made:
                each.default_value = each.min_value
            scene = Scene(
                name="Swiss Alps", slug="swiss-alps", zone="suite", scene_type=SceneType.PRESET, is_public=True, device_settings=ALPS
            )
            db.add_all([*made, scene])
        yield World(ctx, line, spa, ann, {each.device_type: each.id for each in made}, scene)


async def test_who_never_said_anything_has_it_as_the_house_does(world: World, settings: Settings) -> None:
    answer = await Engine(settings).run(READ, world.as_ann)
    assert answer.errors == []
    assert answer.data == {
        "myPreferences": {
            "defaultSceneName": None, "sceneConfig": {}, "favoriteScents": [], "favoriteServiceTypes": [], "scentIntensity": 3,
            "lightingType": "warm", "lightingIntensity": 70, "preferredTemperature": 72.0, "musicGenre": "ambient", "musicVolume": 30,
        }
    }  # fmt: skip


async def test_what_is_absent_stays_and_an_empty_scene_means_none(world: World, settings: Settings) -> None:
    await world.like(default_scene_name="swiss_alps", music_volume=20, favorite_scents=["lavender", "cedar", "lavender"])
    await world.like(preferred_temperature=70.5)
    engine = Engine(settings)
    read = (await engine.run(READ, world.as_ann)).data
    assert read is not None
    said = read["myPreferences"]
    assert (said["defaultSceneName"], said["musicVolume"], said["preferredTemperature"]) == ("Swiss Alps", 20, 70.5)
    assert said["favoriteScents"] == ["lavender", "cedar"]
    await world.like(default_scene_name="")
    read = (await engine.run(READ, world.as_ann)).data
    assert read is not None
    assert read["myPreferences"]["defaultSceneName"] is None
    await world.like()
    assert await value(world.ctx.database, "SELECT count(*) FROM event_log WHERE kind = 'preferences.changed'") == 3


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"default_scene_name": "no such scene"}, "default_scene_name"),
        ({"scent_intensity": 11}, "scent_intensity"),
        ({"lighting_intensity": -1}, "lighting_intensity"),
        ({"preferred_temperature": float("nan")}, "preferred_temperature"),
        ({"preferred_temperature": 212.0}, "preferred_temperature"),
        ({"music_volume": 101}, "music_volume"),
        ({"music_genre": "x" * 41}, "music_genre"),
        ({"lighting_type": ""}, "lighting_type"),
        ({"favorite_scents": ["a"] * 21}, "favorite_scents"),
        ({"favorite_scents": ["<script>"]}, "favorite_scents"),
        ({"scene_config": [1]}, "scene_config"),
        ({"scene_config": {"oven": {"heat": 5}}}, "scene_config"),
        ({"scene_config": {"lighting": {"volume": 5}}}, "scene_config"),
        ({"scene_config": {"lighting": {"color": "orange"}}}, "scene_config"),
        ({"scene_config": {"lighting": {str(each): each for each in range(11)}}}, "scene_config"),
    ],
)
async def test_what_no_room_could_be_is_refused_by_name(world: World, patch: dict[str, Any], field: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await world.like(**patch)
    assert list(refused.value.fields) == [field]
    assert await value(world.ctx.database, "SELECT count(*) FROM preferences") == 0


async def test_a_scene_of_somebody_else_is_nobodys_default(world: World, database: Database) -> None:
    ben = await make_person(database, "ben")
    await sql(database, "UPDATE scenes SET owner_id = $1, scene_type = 'custom', is_public = false", ben.id)
    with pytest.raises(BadUserInput):
        await world.like(default_scene_name="Swiss Alps")


async def test_many_at_once_leave_one_row_with_everybodys_words(world: World) -> None:
    await asyncio.gather(world.like(music_volume=10), world.like(scent_intensity=5), world.like(lighting_intensity=40))
    [row] = await sql(world.ctx.database, "SELECT music_volume, scent_intensity, lighting_intensity FROM preferences")
    assert tuple(row) == (10, 5, 40)


def test_of_each_setting_the_last_wish_counts_within_the_range_of_the_device() -> None:
    lamp = Device(device_type=DeviceType.LIGHTING, min_value=0, max_value=80)
    liked = standing(Preferences(lighting_type="warm", lighting_intensity=100, music_volume=10))
    layers: list[Wishes] = [liked, ALPS, {"lighting": {"color": "#FF0000"}}]
    assert settings_for(lamp, layers[:1]) == {"mode": "warm", "brightness": 80}
    assert settings_for(lamp, layers) == {"mode": "warm", "brightness": 60, "color": "#ff0000"}
    assert settings_for(Device(device_type=DeviceType.SCENT, min_value=0, max_value=10), layers) == {}
    heater = Device(device_type=DeviceType.TEMPERATURE, min_value=72, max_value=85)
    assert settings_for(heater, [{"temperature": 70}]) == {"temperature": 72}


async def test_a_room_is_set_at_once_when_the_guest_is_there(world: World) -> None:
    await world.like(lighting_type="warm", music_volume=90, scene_config={"lighting": {"color": "#111111"}})
    found = await world.sync(await world.booking(-5), scene="Swiss Alps", lighting={"intensity": 30}, music={"genre": "ambient"})
    assert (found.success, found.message, found.failed_devices) == (True, "Your room is set as you like it", [])
    assert found.sync.status is SyncStatus.DONE
    assert await world.state() == {"mode": "warm", "brightness": 30, "color": "#87ceeb"}
    assert await world.state(DeviceType.TEMPERATURE) == {"temperature": 70}
    assert await world.state(DeviceType.MUSIC) == {"playlist": "ambient", "volume": 25}
    assert await value(world.ctx.database, "SELECT usage_count FROM scenes") == 1
    assert await value(world.ctx.database, "SELECT count(*) FROM event_log WHERE kind = 'equipment.synced'") == 1


async def test_a_room_waits_for_its_appointment_and_is_then_set_by_the_calendar(world: World) -> None:
    booking = await world.booking(60)
    found = await world.sync(booking, temperature=75)
    assert (found.success, found.sync.status, found.sync.applied_at) == (True, SyncStatus.WAITING, None)
    await prepare_rooms(world.ctx)
    assert await world.commands() == 0
    await sql(world.ctx.database, "UPDATE bookings SET starts_at = now() + interval '10 minutes'")
    await asyncio.gather(prepare_rooms(world.ctx), prepare_rooms(world.ctx))
    assert await world.state(DeviceType.TEMPERATURE) == {"temperature": 75}
    assert await world.commands() == 1
    [command] = await sql(world.ctx.database, "SELECT user_id FROM device_commands")
    assert command["user_id"] == world.ann.id
    await prepare_rooms(world.ctx)
    assert await world.commands() == 1


async def test_the_booked_scene_and_the_default_one_are_set_without_asking(world: World) -> None:
    await world.booking(-5)
    await prepare_rooms(world.ctx)
    assert await world.commands() == 0  # nobody wished for anything
    await world.like(default_scene_name="Swiss Alps", scene_config={"temperature": 68})
    await prepare_rooms(world.ctx)
    assert await world.state() == {"brightness": 60, "color": "#87ceeb"}
    assert await world.state(DeviceType.TEMPERATURE) == {"temperature": 68}


async def test_the_guest_before_is_left_in_peace(world: World, database: Database) -> None:
    ben = await make_person(database, "ben")
    await world.booking(-55, person=ben)
    await world.like(default_scene_name="Swiss Alps")
    booking = await world.booking(5)
    assert (await world.sync(booking, temperature=75)).sync.status is SyncStatus.WAITING
    await prepare_rooms(world.ctx)
    assert await world.commands() == 0
    await sql(database, "UPDATE bookings SET status = 'completed' WHERE customer_id = $1", ben.id)
    await prepare_rooms(world.ctx)
    assert await world.state(DeviceType.TEMPERATURE) == {"temperature": 75}


async def test_devices_that_kept_silent_are_named_and_only_they_are_asked_again(world: World) -> None:
    lamp = world.devices[DeviceType.LIGHTING]
    world.line.deaf.add(lamp)
    found = await world.sync(await world.booking(-5), scene="Swiss Alps")
    assert (found.success, found.message) == (False, "Your room is set, except for Room lighting")
    assert (found.sync.status, [each.id for each in found.failed_devices]) == (SyncStatus.PARTLY, [lamp])
    assert await world.commands() == 3
    await prepare_rooms(world.ctx)
    assert await world.commands() == 3  # not that soon
    world.line.deaf.clear()
    await sql(world.ctx.database, "UPDATE equipment_syncs SET tried_at = tried_at - interval '1 minute'")
    await prepare_rooms(world.ctx)
    assert await world.commands() == 4
    assert (await world.state())["brightness"] == 60
    assert await value(world.ctx.database, "SELECT status FROM equipment_syncs") == "done"
    assert await value(world.ctx.database, "SELECT usage_count FROM scenes") == 1


async def test_a_device_that_stays_silent_is_given_up(world: World) -> None:
    world.line.deaf.add(world.devices[DeviceType.LIGHTING])
    await world.sync(await world.booking(-5), lighting={"brightness": 10})
    for _ in range(4):
        await sql(world.ctx.database, "UPDATE equipment_syncs SET tried_at = tried_at - interval '1 minute'")
        await prepare_rooms(world.ctx)
    assert await world.commands() == 3
    assert await value(world.ctx.database, "SELECT status FROM equipment_syncs") == "partly"


async def test_a_device_out_of_service_is_named(world: World) -> None:
    await sql(world.ctx.database, "UPDATE devices SET in_maintenance = true WHERE device_type = 'music'")
    found = await world.sync(await world.booking(-5), scene="Swiss Alps")
    assert [each.device_type for each in found.failed_devices] == [DeviceType.MUSIC]
    assert await world.commands() == 2


async def test_two_wishes_at_once_take_turns_and_the_kept_one_is_what_the_room_is_set_to(world: World) -> None:
    booking = await world.booking(-5)
    await asyncio.gather(*(world.sync(booking, temperature=each) for each in range(65, 71)))
    [kept] = await sql(world.ctx.database, "SELECT wishes, status FROM equipment_syncs")
    assert kept["status"] == "done"
    assert await world.state(DeviceType.TEMPERATURE) == kept["wishes"]["temperature"]


@pytest.mark.parametrize(
    "wishes",
    [
        {"temperature": 200},
        {"lighting": {"brightness": "very"}},
        {"lighting": {"heat": 5}},
        {"lighting": 5},
        {"music": {"volume": 60}},  # this room's speaker goes up to 50
        {"scent": {"type": "<script>"}},
        {"scene": "no such scene"},
    ],
)
async def test_what_the_room_cannot_do_is_refused_and_nothing_is_sent(world: World, wishes: dict[str, Any]) -> None:
    with pytest.raises(BadUserInput) as refused:
        await world.sync(await world.booking(-5), **wishes)
    assert list(refused.value.fields) == ["preferences"]
    assert await world.commands() == 0


async def test_what_the_room_has_no_device_for_is_left_out(world: World) -> None:
    found = await world.sync(await world.booking(-5), scent={"type": "cedar", "intensity": 3})
    assert found.success
    assert await world.commands() == 0


@pytest.mark.parametrize(
    ("minutes", "status", "error"),
    [(-5, BookingStatus.CANCELLED, Conflict), (-90, BookingStatus.COMPLETED, Conflict), (-90, BookingStatus.CONFIRMED, Conflict)],
)
async def test_a_booking_that_is_over_needs_no_room(world: World, minutes: int, status: BookingStatus, error: type[ApiError]) -> None:
    with pytest.raises(error):
        await world.sync(await world.booking(minutes, status=status))


async def test_the_booking_of_another_is_unknown(world: World, database: Database) -> None:
    his = await world.booking(-5, person=await make_person(database, "ben"))
    with pytest.raises(NotFound):
        await world.sync(his)


async def test_a_booking_that_is_not_paid_yet_waits(world: World) -> None:
    found = await world.sync(await world.booking(-5, status=BookingStatus.PENDING), temperature=70)
    assert found.sync.status is SyncStatus.WAITING


async def test_a_repeat_under_the_same_key_sends_nothing_twice(world: World) -> None:
    booking = await world.booking(-5)
    wish = EquipmentInput(temperature=Json(70))
    arguments: dict[str, Any] = {"booking_id": Key(number=booking.id), "preferences": wish}
    first = await call(sync_equipment, world.as_ann, key="k1", **arguments)
    again = await call(sync_equipment, world.as_ann, key="k1", **arguments)
    assert (first.success, again.success, await world.commands()) == (True, True, 1)


async def test_the_examples_of_the_page_work(world: World, settings: Settings) -> None:
    like, tonight = examples("preferences.md")
    engine = Engine(settings)
    said = await engine.run(like, world.as_ann)
    assert said.errors == []
    assert said.data is not None
    assert said.data["updatePreferences"]["sceneConfig"] == {"lighting": {"brightness": 60}, "temperature": {"temperature": 70}}
    booking = await world.booking(-5)
    answer = await engine.run(tonight, world.as_ann, variables={"booking": str(booking.id)})
    assert answer.errors == []
    assert answer.data is not None
    done = answer.data["syncEquipment"]
    assert (done["success"], done["sync"]["status"], done["sync"]["scene"], done["failedDevices"]) == (
        True,
        "DONE",
        {"name": "Swiss Alps"},
        [],
    )
    assert await world.state(DeviceType.TEMPERATURE) == {"temperature": 72}
