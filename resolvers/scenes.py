"""Scenes: whose they are, and how a whole zone is set at once."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound
from models.identity import User
from models.keys import Key
from models.rooms import CommandStatus, Device, DeviceAction, Scene, SceneType
from resolvers.claims import claimed
from resolvers.context import Context
from resolvers.device_commands import deliver, order_all, reachable, record
from resolvers.device_settings import check_scene, of_scene
from resolvers.idempotency import answers
from resolvers.inputs.rooms import DeviceFilter, SceneInput, ScenePatch
from resolvers.limits import limit
from resolvers.operations import SIGNED_IN, allow, persistently
from resolvers.rooms import COMMANDS, list_devices

SceneId = Key[Scene]
T = TypeVar("T")
MOST_SCENES = 100
LONGEST_NAME, LONGEST_DESCRIPTION = 80, 500
PATIENCE_SECONDS = 6
"""How long a scene waits for another one that sets the same zone."""
WRITING_SECONDS = 5
"""What setting a zone takes besides waiting for its devices."""


@dataclass
class SceneActivation:
    """What became of a scene."""

    success: bool
    message: str
    scene: Scene
    failed_devices: list[Device]


@dataclass
class SceneDeletion:
    """A scene that is gone."""

    deleted: bool


@allow(SIGNED_IN)
def list_scenes(ctx: Context, *, zone: str | None = None) -> Select[Scene]:
    """Presets of the house, scenes that others share, and the viewer's own."""
    found = select(Scene).where(_may_use(ctx)).order_by(Scene.id)
    return found.where(Scene.zone == zone) if zone is not None else found


@allow(SIGNED_IN)
async def create_scene(ctx: Context, *, input: SceneInput) -> Scene:
    """Keep a scene of one's own, for oneself or, if it is made public, for everybody."""
    name, description = _name(input.name), _description(input.description)
    async with ctx.writing() as db:
        scene = Scene(
            owner_id=ctx.viewer.id,
            name=name,
            slug=await _free_slug(db, ctx.viewer.id, name),
            description=description,
            zone=input.zone,
            device_settings=check_scene(input.device_settings, await _devices_of(db, input.zone)),
            is_public=input.is_public,
        )
        db.add(scene)
        await db.flush()
        answers(db, scene)
    return scene


@allow(SIGNED_IN)
async def update_scene(ctx: Context, *, id: SceneId, input: ScenePatch) -> Scene:
    """Change a scene of one's own; staff may change any, presets too."""
    async with ctx.writing() as db:
        scene = await _access_scene(db, ctx, id)
        if input.name is not None:
            scene.name = _name(input.name)
        if input.description is not None:
            scene.description = _description(input.description)
        if input.device_settings is not None:
            scene.device_settings = check_scene(input.device_settings, await _devices_of(db, scene.zone))
        if input.is_public is not None:
            scene.is_public = input.is_public
        await db.flush()
        answers(db, scene)
    return scene


@allow(SIGNED_IN)
async def delete_scene(ctx: Context, *, id: SceneId) -> SceneDeletion:
    """Delete a scene of one's own; staff may delete any."""
    async with ctx.writing() as db:
        await db.delete(await _access_scene(db, ctx, id))
        await db.flush()
        answers(db, result := SceneDeletion(deleted=True))
    return result


@allow(SIGNED_IN)
async def activate_scene(ctx: Context, *, id: SceneId) -> SceneActivation:
    """Set all devices of a scene's zone that the viewer may set, one scene at a time, and tell which did not follow."""
    await limit(ctx, "control_device", COMMANDS)
    rows = await ctx.fetch(select(Scene).where(_may_use(ctx), id.names(Scene)))
    if not rows:
        raise NotFound
    number, zone, device_settings = rows[0]["id"], rows[0]["zone"], rows[0]["device_settings"]

    async def finish(db: AsyncSession, failed: list[Device]) -> SceneActivation:
        used = update(Scene).where(Scene.id == number).values(usage_count=Scene.usage_count + 1).returning(Scene)
        scene = await db.scalar(used)
        if scene is None:
            raise NotFound  # its owner deleted it meanwhile
        result = SceneActivation(not failed, _followed(scene, failed), scene, failed)
        answers(db, result)
        return result

    return await set_zone(ctx, zone, device_settings, finish)


@asynccontextmanager
async def zones_claimed(ctx: Context, zones: Iterable[str]) -> AsyncIterator[None]:
    """Be the only one who sets these zones as a whole; Conflict when others take too long."""
    refusal = "Other scenes are being set here. Try again in a moment."
    seconds = ctx.settings.device_timeout + WRITING_SECONDS
    async with AsyncExitStack() as stack:
        for zone in sorted(set(zones)):  # in one order, so that nobody waits for somebody who waits
            claim = claimed(ctx.database, f"zone:{zone}", seconds=seconds, patience=PATIENCE_SECONDS, refusal=refusal)
            await stack.enter_async_context(claim)
        yield


async def set_zone(
    ctx: Context, zone: str, device_settings: Mapping[str, Any], finish: Callable[[AsyncSession, list[Device]], Awaitable[T]]
) -> T:
    """Set what the viewer may set in a zone, with settings by device type, while nobody else sets the whole of it.

    `finish` gets the devices that did not follow, in the transaction that writes down what became of the others.
    """
    reachable(ctx)
    async with zones_claimed(ctx, [zone]):
        async with ctx.writing() as db:
            devices = await db.scalars(list_devices(ctx, filter=DeviceFilter(zone=zone)))
            wanted = [(device, settings) for device in devices if (settings := of_scene(device_settings, device))]
            if not wanted:
                raise Conflict("There is no device that you may set in this zone.")
            absent = [device for device, _ in wanted if device.in_maintenance]
            able = [(device, settings) for device, settings in wanted if not device.in_maintenance]
            commands = await order_all(db, ctx, able, DeviceAction.SET_SCENE)
        told = await deliver(ctx, commands)

        async def write_down() -> T:
            async with ctx.writing() as db:
                known = await record(db, ctx, commands, told)
                failed = [*absent, *(device for command, device in known if command.status is not CommandStatus.DONE)]
                return await finish(db, failed)

        return cast(T, await persistently(write_down))


def _may_use(ctx: Context) -> ColumnElement[bool]:
    return or_(Scene.is_public, Scene.scene_type == SceneType.PRESET, Scene.owner_id == ctx.viewer.id)


async def _access_scene(db: AsyncSession, ctx: Context, id: SceneId) -> Scene:
    """A scene that the viewer may change, locked; NotFound for every other."""
    found = select(Scene).where(id.names(Scene)).with_for_update()
    scene = await db.scalar(found if ctx.viewer.is_staff else found.where(Scene.owner_id == ctx.viewer.id))
    if scene is None:
        raise NotFound
    return scene


async def _devices_of(db: AsyncSession, zone: str) -> list[Device]:
    devices = list(await db.scalars(select(Device).where(Device.zone == zone)))
    if not devices:
        raise BadUserInput(zone="There is no such zone.")
    return devices


def _name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadUserInput(name=f"Give a name of at most {LONGEST_NAME} characters.")
    return name


def _description(text: str) -> str:
    if len(text) > LONGEST_DESCRIPTION:
        raise BadUserInput(description=f"Give at most {LONGEST_DESCRIPTION} characters.")
    return text


async def _free_slug(db: AsyncSession, owner_id: int, name: str) -> str:
    """A slug that none of the owner's scenes bears; Conflict when they have too many scenes."""
    await db.execute(select(User.id).where(User.id == owner_id).with_for_update(key_share=True))  # one new scene at a time
    taken = set(await db.scalars(select(Scene.slug).where(Scene.owner_id == owner_id)))
    if len(taken) >= MOST_SCENES:
        raise Conflict(f"You have {MOST_SCENES} scenes already.")
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "scene"
    return next(each for number in range(1, MOST_SCENES + 2) if (each := slug if number == 1 else f"{slug}-{number}") not in taken)


def _followed(scene: Scene, failed: list[Device]) -> str:
    if not failed:
        return f"{scene.name} activated successfully"
    return f"{scene.name} activated, except for {', '.join(device.name for device in failed)}"
