"""Commands that pass: what is taken back, when, by whom, and what a newer command leaves of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from errors import Unavailable
from gateways.devices import Devices
from jobs.registry import JOBS
from jobs.worker import Worker, working
from models.database import Database
from models.rooms import Device, DeviceAction
from resolvers import rooms
from resolvers.device_commands import order, revert_device
from resolvers.operations import perform
from settings import Settings
from tests.sql import sql, value
from tests.suite import Suite, key, opened_suite, state

BRIGHTNESS = DeviceAction.SET_BRIGHTNESS
PATIENCE = 10.0


@pytest.fixture
async def spa(database: Database, settings: Settings) -> AsyncIterator[Suite]:
    async with opened_suite(database, settings) as suite:
        await suite.control(BRIGHTNESS, 40)
        yield suite


async def passing(spa: Suite, brightness: int, **more: Any) -> int:
    return (await spa.control(BRIGHTNESS, brightness, duration_seconds=300, **more)).command.id


async def test_the_revert_is_a_job_that_a_restart_survives(spa: Suite) -> None:
    number = await passing(spa, 80)
    [job] = await sql(
        spa.ctx.database, "SELECT convert_from(payload, 'utf8')::json ->> 'command_id' AS id, execute_after - now() AS left FROM pgqueuer"
    )
    assert int(job["id"]) == number
    assert timedelta(seconds=290) < job["left"] < timedelta(seconds=301)
    await sql(spa.ctx.database, "UPDATE pgqueuer SET execute_after = now()")
    async with Devices(spa.line.address) as devices:  # of the process that comes after
        after = spa.ctx.but(gateways=replace(spa.ctx.gateways, devices=devices))

        def make_context(**about: str) -> Any:
            return after.but(**about)

        async with working(Worker(spa.ctx.database.url, make_context, JOBS, {})):
            async with asyncio.timeout(PATIENCE):
                while await state(spa) != {"brightness": 40}:  # noqa: ASYNC110 - a job tells nobody
                    await asyncio.sleep(0.05)
    assert await value(spa.ctx.database, "SELECT count(*) FROM pgqueuer") == 0


async def test_a_newer_command_cancels_the_revert(spa: Suite) -> None:
    first = await passing(spa, 80)
    await spa.control(BRIGHTNESS, 60)
    await revert_device(spa.ctx, first)
    assert await state(spa) == {"brightness": 60}


async def test_of_two_changes_that_pass_the_last_goes_back_to_before_both(spa: Suite) -> None:
    first, second = await passing(spa, 80), await passing(spa, 60)
    await revert_device(spa.ctx, first)
    assert await state(spa) == {"brightness": 60}
    await revert_device(spa.ctx, second)
    assert await state(spa) == {"brightness": 40}
    await revert_device(spa.ctx, second)  # a job may run twice
    assert await value(spa.ctx.database, "SELECT count(*) FROM device_commands WHERE action = 'revert'") == 1


async def test_a_newer_command_that_was_not_followed_cancels_nothing(spa: Suite) -> None:
    first = await passing(spa, 80)
    light = next(iter(spa.devices.values()))
    spa.line.deaf.add(light)
    assert not (await spa.control(BRIGHTNESS, 60)).success
    spa.line.deaf.clear()
    await revert_device(spa.ctx, first)
    assert await state(spa) == {"brightness": 40}


async def test_while_a_newer_command_is_under_way_the_revert_waits(spa: Suite) -> None:
    first = await passing(spa, 80)
    async with spa.ctx.writing() as db:
        light = await db.get_one(Device, next(iter(spa.devices.values())))
        under_way = await order(db, spa.ctx, light, BRIGHTNESS, {"brightness": 60})
    with pytest.raises(Unavailable, match="newer command"):
        await revert_device(spa.ctx, first)
    await sql(spa.ctx.database, "UPDATE device_commands SET status = 'timed_out' WHERE id = $1", under_way.id)
    await revert_device(spa.ctx, first)
    assert await state(spa) == {"brightness": 40}


async def test_a_silent_device_is_asked_again_by_the_job(spa: Suite) -> None:
    first = await passing(spa, 80)
    light = next(iter(spa.devices.values()))
    spa.line.deaf.add(light)
    with pytest.raises(Unavailable, match="did not answer"):
        await revert_device(spa.ctx, first)
    spa.line.deaf.clear()
    await revert_device(spa.ctx, first)
    assert await state(spa) == {"brightness": 40}


async def test_what_the_guest_set_by_hand_at_the_wall_is_not_taken_back(spa: Suite) -> None:
    first = await passing(spa, 80)
    await sql(spa.ctx.database, "UPDATE devices SET state = '{\"brightness\": 15}' WHERE id = $1", next(iter(spa.devices.values())))
    await revert_device(spa.ctx, first)
    assert await state(spa) == {"brightness": 15}


async def test_commands_that_race_leave_what_the_last_of_them_wanted(spa: Suite) -> None:
    arguments = [{"id": key(next(iter(spa.devices.values()))), "action": BRIGHTNESS, "value": each} for each in range(1, 21)]
    results = await asyncio.gather(*(perform(rooms.control_device, spa.by(spa.member), each) for each in arguments))
    last = max((each.command for each in results if each.success), key=lambda each: each.id)
    assert await state(spa) == last.value
