"""Scenes under races and between owners: one whole scene is left, every use is counted, and nobody changes another's."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from errors import BadUserInput, Conflict, NotFound, Unavailable
from gateways.devices import Devices
from models.database import Database
from models.identity import Role
from models.rooms import Device, DeviceCommand, DeviceType, Scene, SceneType
from resolvers import scenes
from resolvers.context import Context
from resolvers.inputs.rooms import SceneInput, ScenePatch
from resolvers.inputs.scalars import Json
from resolvers.operations import perform
from settings import Settings
from tests.suite import EVENING, Suite, key, opened_suite

MORNING: dict[str, Any] = {
    "lighting": {"brightness": 90, "color": "#ffffff"},
    "scent": {"type": "citrus", "intensity": 1},
    "temperature": 75,
    "music": {"playlist": "birds", "volume": 10},
}


@pytest.fixture
async def spa(database: Database, settings: Settings) -> AsyncIterator[Suite]:
    async with opened_suite(database, settings) as suite:
        yield suite


@asynccontextmanager
async def another_process(spa: Suite, url: str) -> AsyncIterator[Context]:
    """The member's context in a process that shares nothing with the first but database and broker."""
    async with Database(url, spa.ctx.settings) as database, Devices(spa.line.address) as devices:
        yield spa.by(spa.member).but(database=database, gateways=replace(spa.ctx.gateways, devices=devices))


async def kept(spa: Suite, name: str, settings: dict[str, Any], **more: Any) -> Scene:
    wanted = SceneInput(name=name, zone="suite", device_settings=Json(settings), **more)
    scene: Scene = await perform(scenes.create_scene, spa.by(spa.member), {"input": wanted})
    return scene


async def activate(ctx: Context, scene: Scene) -> scenes.SceneActivation:
    result: scenes.SceneActivation = await perform(scenes.activate_scene, ctx, {"id": key(scene.id)})
    return result


async def states(spa: Suite) -> dict[str, Any]:
    rows = await spa.ctx.fetch(select(Device.device_type, Device.state).where(Device.device_type != DeviceType.SCREEN))
    return {row["device_type"]: row["state"] for row in rows}


def as_states(settings: dict[str, Any]) -> dict[str, Any]:
    return {**settings, "temperature": {"temperature": settings["temperature"]}}


@pytest.mark.parametrize("attempt", range(5))
async def test_scenes_that_race_in_two_processes_leave_one_whole_scene(spa: Suite, database_url: str, attempt: int) -> None:
    evening, morning = await kept(spa, "Evening", EVENING), await kept(spa, "Morning", MORNING)
    one = spa.by(spa.member)
    async with another_process(spa, database_url) as other:
        results = await asyncio.gather(*(activate(ctx, scene) for ctx in (one, other) for scene in (evening, morning)))
    assert all(each.success for each in results)
    assert await states(spa) in (as_states(EVENING), as_states(MORNING))
    # every scene has set all its devices before the next one began
    commands = await spa.ctx.fetch(
        select(DeviceCommand.value, DeviceCommand.created_at, DeviceCommand.answered_at).order_by(DeviceCommand.id)
    )
    batches = [commands[at : at + 4] for at in range(0, len(commands), 4)]
    assert len(batches) == 4
    for before, after in itertools.pairwise(batches):
        assert max(each["answered_at"] for each in before) <= min(each["created_at"] for each in after)


async def test_every_use_of_a_scene_is_counted(spa: Suite, database_url: str) -> None:
    scene = await kept(spa, "Evening", {"lighting": {"brightness": 5}})
    async with another_process(spa, database_url) as other:
        await asyncio.gather(*(activate(ctx, scene) for ctx in [spa.by(spa.member), other] * 4))
    [row] = await spa.ctx.fetch(select(Scene.usage_count))
    assert row["usage_count"] == 8


async def test_a_scene_waits_for_another_only_so_long(spa: Suite, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setattr(scenes, "PATIENCE_SECONDS", 0.1)
    spa.line.deaf.add(spa.devices[DeviceType.LIGHTING])
    scene = await kept(spa, "Evening", EVENING)
    async with another_process(spa, database_url) as other:
        first = asyncio.create_task(activate(spa.by(spa.member), scene))
        await asyncio.sleep(0.1)
        with pytest.raises(Conflict, match="being set"):
            await activate(other, scene)
        assert [each.id for each in (await first).failed_devices] == [spa.devices[DeviceType.LIGHTING]]


async def test_a_device_out_of_service_is_among_those_that_did_not_follow(spa: Suite) -> None:
    scene = await kept(spa, "Evening", EVENING)
    async with spa.ctx.writing() as db:
        (await db.get_one(Device, spa.devices[DeviceType.SCENT])).in_maintenance = True
    result = await activate(spa.by(spa.member), scene)
    assert (result.success, [each.device_type for each in result.failed_devices]) == (False, [DeviceType.SCENT])
    assert result.message == "Evening activated, except for Suite scent"


async def test_a_house_without_a_broker_says_so_and_stores_nothing(spa: Suite) -> None:
    scene = await kept(spa, "Evening", EVENING)
    alone = spa.by(spa.member).but(gateways=replace(spa.ctx.gateways, devices=None))
    with pytest.raises(Unavailable, match="broker"):
        await activate(alone, scene)
    assert await spa.ctx.fetch(select(DeviceCommand.id)) == []


async def test_a_scene_is_shared_changed_and_deleted_by_its_owner(spa: Suite) -> None:
    scene, stranger, owner = await kept(spa, "Evening", EVENING), spa.by(spa.stranger), spa.by(spa.member)
    patch = ScenePatch(name="Dusk", device_settings=Json({"lighting": {"brightness": 3}}), is_public=True)
    for operation, arguments in ((scenes.update_scene, {"input": patch}), (scenes.delete_scene, {})):
        with pytest.raises(NotFound):
            await perform(operation, stranger, {"id": key(scene.id), **arguments})
    changed = await perform(scenes.update_scene, owner, {"id": key(scene.id), "input": patch})
    assert (changed.name, changed.is_public, changed.device_settings) == ("Dusk", True, {"lighting": {"brightness": 3}})
    assert [row["id"] for row in await spa.ctx.fetch(scenes.list_scenes(stranger))] == [scene.id]
    with pytest.raises(NotFound):  # seen, and still not theirs to change
        await perform(scenes.update_scene, stranger, {"id": key(scene.id), "input": patch})
    with pytest.raises(BadUserInput):
        await perform(scenes.update_scene, owner, {"id": key(scene.id), "input": ScenePatch(name=" ")})
    assert (await perform(scenes.delete_scene, owner, {"id": key(scene.id)})).deleted
    with pytest.raises(NotFound):
        await activate(owner, scene)


async def test_presets_are_the_houses(spa: Suite) -> None:
    async with spa.ctx.writing() as db:
        db.add(preset := Scene(name="Alps", slug="alps", zone="suite", scene_type=SceneType.PRESET, device_settings=EVENING))
    assert len(await spa.ctx.fetch(scenes.list_scenes(spa.by(spa.stranger), zone="suite"))) == 1
    assert await spa.ctx.fetch(scenes.list_scenes(spa.by(spa.stranger), zone="hall")) == []
    with pytest.raises(NotFound):
        await perform(scenes.delete_scene, spa.by(spa.member), {"id": key(preset.id)})
    changed = await perform(
        scenes.update_scene, spa.by(spa.stranger, Role.ADMIN), {"id": key(preset.id), "input": ScenePatch(description="Snow")}
    )
    assert changed.description == "Snow"
