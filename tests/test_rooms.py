"""Rooms, devices and scenes: who may set them, and what happens when devices obey, refuse or keep silent."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.execute import Engine
from errors import BadUserInput, Conflict, NotFound
from gateways.device_messages import Beat, State
from gateways.simulators.devices import is_silent
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.catalogue import Category, Service, ServiceLine
from models.database import Database
from models.identity import Role
from models.memberships import Membership, MembershipStatus
from models.rooms import CommandStatus, Device, DeviceAction, DeviceCommand, DeviceType, Heartbeat, Scene, SceneType
from resolvers import rooms, scenes
from resolvers.device_commands import revert_device
from resolvers.device_reports import Heard, keep_reports, miss_devices
from resolvers.inputs.rooms import DeviceFilter, SceneInput
from resolvers.inputs.scalars import Json
from resolvers.operations import perform
from settings import Settings
from tests.suite import EVENING, Suite, events, key, opened_suite, state


@pytest.fixture
async def spa(database: Database, settings: Settings) -> AsyncIterator[Suite]:
    async with opened_suite(database, settings) as suite:
        yield suite


async def test_a_device_follows_and_its_new_state_is_announced(spa: Suite) -> None:
    result = await spa.control(DeviceAction.SET_BRIGHTNESS, 80)
    assert (result.success, result.message) == (True, "Lighting adjusted successfully")
    assert result.device.state == {"brightness": 80}
    assert result.command.status is CommandStatus.DONE
    assert result.command.answered_at is not None
    assert await state(spa) == {"brightness": 80}
    assert await events(spa) == [("device.changed", result.device.id), ("command.answered", result.command.id)]


async def test_a_deaf_device_is_reported_after_the_time_out(spa: Suite) -> None:
    spa.line.deaf.add(spa.devices[DeviceType.LIGHTING])
    result = await spa.control(DeviceAction.SET_BRIGHTNESS, 80)
    assert (result.success, result.message) == (False, "Suite lighting did not answer in time")
    assert result.command.status is CommandStatus.TIMED_OUT
    assert await state(spa) == {}
    assert [kind for kind, _ in await events(spa)] == ["command.answered"]


async def test_what_the_device_itself_refuses_is_told(spa: Suite) -> None:
    async with spa.ctx.writing() as db:
        db.add(
            scene := Scene(
                name="Swamp", slug="swamp", zone="suite", scene_type=SceneType.PRESET, device_settings={"scent": {"type": "swamp"}}
            )
        )
        await db.flush()
    result = await perform(scenes.activate_scene, spa.by(spa.member), {"id": key(scene.id)})
    assert not result.success
    assert [each.device_type for each in result.failed_devices] == [DeviceType.SCENT]
    [command] = await spa.ctx.fetch(select(DeviceCommand.status))
    assert command["status"] == CommandStatus.REFUSED


@pytest.mark.parametrize(
    ("device", "action", "value", "field"),
    [
        (DeviceType.LIGHTING, DeviceAction.SET_BRIGHTNESS, "very", "value"),
        (DeviceType.LIGHTING, DeviceAction.SET_BRIGHTNESS, 101, "value"),
        (DeviceType.LIGHTING, DeviceAction.SET_BRIGHTNESS, True, "value"),
        (DeviceType.LIGHTING, DeviceAction.SET_BRIGHTNESS, float("nan"), "value"),
        (DeviceType.LIGHTING, DeviceAction.SET_BRIGHTNESS, None, "value"),
        (DeviceType.LIGHTING, DeviceAction.SET_COLOR, "orange", "value"),
        (DeviceType.LIGHTING, DeviceAction.SET_VOLUME, 10, "action"),
        (DeviceType.LIGHTING, DeviceAction.REVERT, None, "action"),
        (DeviceType.TEMPERATURE, DeviceAction.SET_TEMPERATURE, 20, "value"),
        (DeviceType.MUSIC, DeviceAction.SET_PLAYLIST, "x" * 41, "value"),
    ],
)
async def test_a_bad_value_names_its_field_and_sends_nothing(
    spa: Suite, device: DeviceType, action: DeviceAction, value: Any, field: str
) -> None:
    with pytest.raises(BadUserInput) as refused:
        await spa.control(action, value, device)
    assert list(refused.value.fields) == [field]
    assert await spa.ctx.fetch(select(DeviceCommand.id)) == []


@pytest.mark.parametrize(
    ("device", "action", "value", "became"),
    [
        (DeviceType.LIGHTING, DeviceAction.SET_COLOR, "#FF9500", {"color": "#ff9500"}),
        (DeviceType.LIGHTING, DeviceAction.SET_MODE, "warm", {"mode": "warm"}),
        (DeviceType.TEMPERATURE, DeviceAction.SET_TEMPERATURE, 71.5, {"temperature": 71.5}),
        (DeviceType.SCENT, DeviceAction.SET_INTENSITY, 3.0, {"intensity": 3}),
        (DeviceType.MUSIC, DeviceAction.SET_PLAYLIST, "nature_sounds", {"playlist": "nature_sounds"}),
        (DeviceType.SCREEN, DeviceAction.TURN_OFF, None, {"power": False}),
    ],
)
async def test_each_kind_of_device_has_its_settings(
    spa: Suite, device: DeviceType, action: DeviceAction, value: Any, became: dict[str, Any]
) -> None:
    assert (await spa.control(action, value, device)).device.state == became


async def test_a_change_with_a_duration_is_taken_back(spa: Suite) -> None:
    await spa.control(DeviceAction.SET_BRIGHTNESS, 40)
    result = await spa.control(DeviceAction.SET_BRIGHTNESS, 80, duration_seconds=300)
    assert await state(spa) == {"brightness": 80}
    await revert_device(spa.ctx, result.command.id)
    assert await state(spa) == {"brightness": 40}
    [command] = await spa.ctx.database.fetch(select(DeviceCommand.action, DeviceCommand.status).order_by(DeviceCommand.id.desc()).limit(1))
    assert (command["action"], command["status"]) == (DeviceAction.REVERT, CommandStatus.DONE)


async def test_what_somebody_set_for_good_meanwhile_is_not_taken_back(spa: Suite) -> None:
    await spa.control(DeviceAction.SET_BRIGHTNESS, 40)
    result = await spa.control(DeviceAction.SET_BRIGHTNESS, 80, duration_seconds=300)
    await spa.control(DeviceAction.SET_BRIGHTNESS, 80)
    await revert_device(spa.ctx, result.command.id)
    assert await state(spa) == {"brightness": 80}


@pytest.mark.parametrize("seconds", [0, -1, 86401])
async def test_a_duration_is_positive_and_at_most_a_day(spa: Suite, seconds: int) -> None:
    with pytest.raises(BadUserInput) as refused:
        await spa.control(DeviceAction.SET_BRIGHTNESS, 80, duration_seconds=seconds)
    assert list(refused.value.fields) == ["duration_seconds"]


async def test_a_stranger_cannot_tell_a_foreign_device_from_an_unknown_one(spa: Suite) -> None:
    for number, user in ((spa.devices[DeviceType.LIGHTING], spa.stranger), (999_999, spa.stranger), (999_999, spa.member)):
        with pytest.raises(NotFound):
            await perform(rooms.control_device, spa.by(user), {"id": key(number), "action": DeviceAction.TURN_ON})
    assert await spa.ctx.fetch(rooms.list_devices(spa.by(spa.stranger))) == []


@pytest.mark.parametrize(
    "change", [{"status": MembershipStatus.CANCELLED}, {"ends_on": date.today() - timedelta(2)}, {"starts_on": date.today() + timedelta(2)}]
)
async def test_a_membership_that_does_not_count_sets_nothing(spa: Suite, change: dict[str, Any]) -> None:
    async with spa.ctx.writing() as db:
        await db.execute(update(Membership).values(**change))
    assert await spa.ctx.fetch(rooms.list_devices(spa.by(spa.member))) == []


async def test_staff_see_every_device_and_filters_hold_together(spa: Suite) -> None:
    assert len(await spa.ctx.fetch(rooms.list_devices(spa.by(spa.stranger, Role.SUPPORT)))) == len(DeviceType)
    narrow = DeviceFilter(zone="suite", device_type=DeviceType.MUSIC, room_id=str(spa.room_id))  # type: ignore[arg-type]
    [row] = await spa.ctx.fetch(rooms.list_devices(spa.by(spa.member), filter=narrow))
    assert row["id"] == spa.devices[DeviceType.MUSIC]
    assert await spa.ctx.fetch(rooms.list_devices(spa.by(spa.member), filter=DeviceFilter(zone="elsewhere"))) == []


@pytest.mark.parametrize(
    ("begins", "status", "seen"),
    [
        (-10, BookingStatus.CONFIRMED, 5),
        (10, BookingStatus.CONFIRMED, 5),
        (60, BookingStatus.CONFIRMED, 0),
        (-10, BookingStatus.CANCELLED, 0),
    ],
)
async def test_a_guest_sets_the_room_of_the_appointment_they_are_at(spa: Suite, begins: int, status: BookingStatus, seen: int) -> None:
    async with spa.ctx.writing() as db:
        db.add(category := Category(line=ServiceLine.SPA, name="Spa", slug="spa"))
        await db.flush()
        db.add(service := Service(line=ServiceLine.SPA, category_id=category.id, name="Bath", slug="bath", price=Decimal(10)))
        await db.flush()
        starts = datetime.now(UTC) + timedelta(minutes=begins)
        booking = Booking(
            kind=BookingKind.APPOINTMENT, customer_id=spa.stranger, service_id=service.id, status=status, starts_at=starts,
            ends_at=starts + timedelta(minutes=30), total_amount=Decimal(10),
        )  # fmt: skip
        db.add(booking)
        await db.flush()
        db.add(Appointment(booking_id=booking.id, room_id=spa.room_id))
    assert len(await spa.ctx.fetch(rooms.list_devices(spa.by(spa.stranger)))) == seen


async def test_a_device_out_of_service_takes_no_commands(spa: Suite) -> None:
    async with spa.ctx.writing() as db:
        await db.execute(update(Device).values(in_maintenance=True))
    with pytest.raises(Conflict):
        await spa.control(DeviceAction.TURN_ON, None)


async def test_a_scene_sets_its_whole_zone_and_counts(spa: Suite) -> None:
    mine = SceneInput(name="My Custom Scene", zone="suite", device_settings=Json(EVENING))
    scene = await perform(scenes.create_scene, spa.by(spa.member), {"input": mine})
    result = await perform(scenes.activate_scene, spa.by(spa.member), {"id": key(scene.id)})
    assert (result.success, result.failed_devices, result.scene.usage_count) == (True, [], 1)
    assert await state(spa, DeviceType.LIGHTING) == EVENING["lighting"]
    assert await state(spa, DeviceType.TEMPERATURE) == {"temperature": 70}
    assert await state(spa, DeviceType.SCREEN) == {}


async def test_a_scene_tells_which_device_did_not_follow(spa: Suite) -> None:
    spa.line.deaf.add(spa.devices[DeviceType.MUSIC])
    mine = SceneInput(name="Evening", zone="suite", device_settings=Json(EVENING))
    scene = await perform(scenes.create_scene, spa.by(spa.member), {"input": mine})
    result = await perform(scenes.activate_scene, spa.by(spa.member), {"id": key(scene.id)})
    assert not result.success
    assert result.message == "Evening activated, except for Suite music"
    assert [each.id for each in result.failed_devices] == [spa.devices[DeviceType.MUSIC]]
    assert await state(spa, DeviceType.LIGHTING) == EVENING["lighting"]


async def test_a_scene_of_ones_own_is_nobody_elses(spa: Suite) -> None:
    mine = SceneInput(name="Evening", zone="suite", device_settings=Json(EVENING))
    first = await perform(scenes.create_scene, spa.by(spa.member), {"input": mine})
    second = await perform(scenes.create_scene, spa.by(spa.member), {"input": mine})
    assert (first.slug, second.slug) == ("evening", "evening-2")
    assert await spa.ctx.fetch(scenes.list_scenes(spa.by(spa.stranger))) == []
    with pytest.raises(NotFound):
        await perform(scenes.activate_scene, spa.by(spa.stranger), {"id": key(first.id)})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"zone": "nowhere"}, "zone"),
        ({"device_settings": []}, "device_settings"),
        ({"device_settings": {"oven": {"heat": 5}}}, "device_settings"),
        ({"device_settings": {"lighting": {"brightness": 101}}}, "device_settings"),
        ({"device_settings": {"lighting": {"volume": 1}}}, "device_settings"),
        ({"device_settings": {"lighting": 1}}, "device_settings"),
        ({"zone": "hall", "device_settings": {"music": {"volume": 1}}}, "zone"),
    ],
)
async def test_a_scene_that_no_device_could_follow_is_refused(spa: Suite, change: dict[str, Any], field: str) -> None:
    wrong = replace(SceneInput(name="Evening", zone="suite", device_settings=Json(EVENING)), **change)
    with pytest.raises(BadUserInput) as refused:
        await perform(scenes.create_scene, spa.by(spa.member), {"input": wrong})
    assert list(refused.value.fields) == [field]


async def test_a_repeat_under_the_same_key_sends_nothing_twice(spa: Suite) -> None:
    arguments = {"id": key(spa.devices[DeviceType.LIGHTING]), "action": DeviceAction.SET_BRIGHTNESS, "value": 80}
    first = await perform(rooms.control_device, spa.by(spa.member), arguments, key="k1")
    again = await perform(rooms.control_device, spa.by(spa.member), arguments, key="k1")
    assert again.success
    assert again.command.id == first.command.id
    assert len(await spa.ctx.fetch(select(DeviceCommand.id))) == 1


DEVICES = """query { devices(filter: {zone: "suite"}) { totalCount nodes { deviceType isOnline seenAt state room { name timeZone } } } }"""
CONTROL = """mutation ($id: ID!) {
  controlDevice(id: $id, action: SET_BRIGHTNESS, value: 80, durationSeconds: 300) {
    success device { state isOnline } command { status value }
  }
}"""
ACTIVATE = """mutation ($id: ID!) { activateScene(id: $id) { success scene { name usageCount } failedDevices { name } } }"""
CREATE = (
    """mutation ($zone: String!) { createScene(input: {name: "Dusk", zone: $zone, deviceSettings: {lighting: {brightness: 10}}}) { id } }"""
)


async def test_rooms_speak_graphql(spa: Suite, settings: Settings) -> None:
    engine, member = Engine(settings), spa.by(spa.member)

    async def ask(text: str, **variables: str) -> dict[str, Any]:
        answer = await engine.run(text, member, variables=variables)
        assert answer.errors == []
        return answer.data or {}

    await keep_reports(spa.ctx, Heard.of([Beat(spa.devices[DeviceType.LIGHTING])]))
    read = (await ask(DEVICES))["devices"]
    assert read["totalCount"] == len(DeviceType)
    assert [each["deviceType"] for each in read["nodes"] if each["isOnline"]] == ["LIGHTING"]
    assert read["nodes"][0]["room"] == {"name": "Suite", "timeZone": "America/New_York"}
    told = (await ask(CONTROL, id=str(spa.devices[DeviceType.LIGHTING])))["controlDevice"]
    assert told["success"]
    assert told["device"] == {"state": {"brightness": 80}, "isOnline": True}
    assert told["command"] == {"status": "DONE", "value": {"brightness": 80}}
    scene = (await ask(CREATE, zone="suite"))["createScene"]
    spa.line.deaf.add(spa.devices[DeviceType.LIGHTING])
    done = (await ask(ACTIVATE, id=scene["id"]))["activateScene"]
    assert done == {"success": False, "scene": {"name": "Dusk", "usageCount": 1}, "failedDevices": [{"name": "Suite lighting"}]}


async def test_heartbeats_decide_who_is_online_and_silence_is_announced_once(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    await keep_reports(spa.ctx, Heard.of([Beat(light), Beat(999_999)]))
    async with spa.ctx.writing() as db:
        await db.execute(update(Heartbeat).values(good_until=datetime.now(UTC) - timedelta(seconds=1)))
    await miss_devices(spa.ctx)
    await miss_devices(spa.ctx)
    await keep_reports(spa.ctx, Heard.of([Beat(light)]))
    assert await events(spa) == [("device.online", light), ("device.offline", light), ("device.online", light)]


async def test_what_a_device_reports_by_itself_is_kept_and_announced(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    await keep_reports(spa.ctx, Heard.of([State(light, {"brightness": 12})]))
    await keep_reports(spa.ctx, Heard.of([State(light, {"brightness": 12})]))
    assert await state(spa) == {"brightness": 12}
    assert await events(spa) == [("device.changed", light), ("device.online", light)]


@pytest.fixture
def silent_share() -> Callable[[int], float]:
    return lambda device: sum(is_silent(device, at) for at in range(0, 12_000, 10)) / 1200


def test_only_some_simulated_devices_fall_silent_and_they_come_back(silent_share: Callable[[int], float]) -> None:
    assert silent_share(1) == 0
    assert silent_share(23) == pytest.approx(0.25)
