"""What devices say by themselves: written down in few statements, announced once, by one of many processes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, select, update

from background import alongside
from errors import BadUserInput, Conflict, Forbidden
from gateways.device_messages import Answer, Beat, Farewell, Message, State
from gateways.devices import Devices
from models.database import Database
from models.history import Change
from models.identity import Role
from models.rooms import CommandStatus, Device, DeviceAction, DeviceCommand, DeviceType, Heartbeat
from resolvers import device_reports
from resolvers.claims import claimed, give_up, take
from resolvers.context import Context
from resolvers.device_commands import order, time_out_commands
from resolvers.device_register import create_device, update_device
from resolvers.device_reports import Heard, hear_devices, keep_reports, lead_devices
from resolvers.inputs.rooms import DeviceInput, DevicePatch
from resolvers.operations import perform
from settings import Settings
from tests.sql import value
from tests.suite import Suite, events, key, opened_suite, state

PATIENCE = 15.0


@pytest.fixture
async def spa(database: Database, settings: Settings) -> AsyncIterator[Suite]:
    async with opened_suite(database, settings) as suite:
        yield suite


@pytest.fixture
async def other_database(database_url: str, settings: Settings) -> AsyncIterator[Database]:
    """What another process has open."""
    async with Database(database_url, settings) as other:
        yield other


async def keep(spa: Suite, *messages: Message) -> None:
    await keep_reports(spa.ctx, Heard.of(messages))


async def sent(spa: Suite, settings: dict[str, Any], device: DeviceType = DeviceType.LIGHTING, *, ago: float = 0) -> DeviceCommand:
    """A command whose sender died before it heard the answer."""
    async with spa.ctx.writing() as db:
        command = await order(db, spa.ctx, await db.get_one(Device, spa.devices[device]), DeviceAction.SET_BRIGHTNESS, settings)
        command.created_at = datetime.now(UTC) - timedelta(seconds=ago)
    return command


async def become(spa: Suite, command: DeviceCommand) -> str:
    return str(await value(spa.ctx.database, "SELECT status FROM device_commands WHERE id = $1", command.id))


async def test_a_batch_costs_as_many_statements_for_two_hundred_devices_as_for_one(spa: Suite) -> None:
    async with spa.ctx.writing() as db:
        made = [Device(name=f"Lamp {each}", device_type=DeviceType.LIGHTING, zone="hall", state={}) for each in range(200)]
        db.add_all(made)
    statements: list[str] = []

    def count(_: Any, __: Any, statement: str, ___: Any, ____: Any, is_many: bool) -> None:
        assert not is_many, statement
        statements.append(statement)

    costs = []
    event.listen(spa.ctx.database.engine.sync_engine, "before_cursor_execute", count)
    try:
        for devices, brightness in ((made[:1], 1), (made, 2)):
            statements.clear()
            await keep(spa, *(message for each in devices for message in (State(each.id, {"brightness": brightness}), Beat(each.id))))
            costs.append(len(statements))
    finally:
        event.remove(spa.ctx.database.engine.sync_engine, "before_cursor_execute", count)
    assert costs == [6, 6]  # who writes; locks; states; who was missed, beats, who came back; the events come with the end
    assert await value(spa.ctx.database, "SELECT count(*) FROM event_log WHERE kind = 'device.changed'") == 201


async def test_the_last_word_of_a_device_counts(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    await keep(spa, State(light, {"brightness": 1, "mode": "warm"}), Farewell(light), State(light, {"brightness": 2}), Beat(999_999))
    assert await state(spa) == {"brightness": 2, "mode": "warm"}
    assert await events(spa) == [("device.changed", light), ("device.online", light)]
    await keep(spa, Beat(light), Farewell(light))
    await keep(spa, Farewell(light))
    assert (await events(spa))[2:] == [("device.offline", light)]


async def test_a_remembered_state_is_kept_but_proves_no_life(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    await keep(spa, State(light, {"brightness": 1}, is_remembered=True))
    assert await state(spa) == {"brightness": 1}
    assert await events(spa) == [("device.changed", light)]


async def test_what_devices_report_is_no_history_and_what_staff_change_is(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    before = await value(spa.ctx.database, "SELECT count(*) FROM history")
    await keep(spa, State(light, {"brightness": 1}), Beat(light))
    assert await value(spa.ctx.database, "SELECT count(*) FROM history") == before
    staff = spa.by(spa.stranger, Role.ADMIN)
    await perform(update_device, staff, {"id": key(light), "input": DevicePatch(name="Chandelier")})
    [change] = await spa.ctx.fetch(select(Change).where(Change.table_name == "devices", Change.action == "update"))
    assert (change["actor_id"], change["after"]) == (spa.stranger, {"name": "Chandelier"})
    followed = await value(
        spa.ctx.database,
        "SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = 'devices'::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attnum <> ALL((SELECT tgattr FROM pg_trigger WHERE tgrelid = 'devices'::regclass AND tgname = 'record_history')::int2[])",
    )
    assert followed == "id,state"


async def test_a_device_that_makes_up_ever_new_settings_keeps_what_it_had(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    for part in range(3):
        await keep(spa, State(light, {f"made_up_{part}_{each}": each for each in range(20)}))
    assert len(await state(spa)) == 20
    await keep(spa, State(light, {"made_up_0_1": 5}))
    assert (await state(spa))["made_up_0_1"] == 5


async def test_what_was_heard_before_a_command_does_not_undo_it(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    heard = Heard.of([State(light, {"brightness": 10, "mode": "warm"})])
    await spa.control(DeviceAction.SET_BRIGHTNESS, 80)
    await keep_reports(spa.ctx, heard)
    assert await state(spa) == {"brightness": 80, "mode": "warm"}
    await keep(spa, State(light, {"brightness": 10}, at=time.monotonic() + 1))
    assert await state(spa) == {"brightness": 10, "mode": "warm"}


async def test_of_what_was_heard_around_a_command_each_setting_counts_by_its_own_moment(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    heard = Heard.of([State(light, {"brightness": 10, "mode": "warm"}), State(light, {"mode": "cool"})])
    await spa.control(DeviceAction.SET_BRIGHTNESS, 80)
    heard.add([State(light, {"mode": "party"})])
    await keep_reports(spa.ctx, heard)
    assert await state(spa) == {"brightness": 80, "mode": "party"}


async def test_late_answers_of_one_device_come_together(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    first, second = await sent(spa, {"brightness": 10, "mode": "warm"}), await sent(spa, {"brightness": 20})
    answers = [Answer(light, second.uuid, {"brightness": 20}), Answer(light, first.uuid, {"brightness": 10, "mode": "warm"})]
    await keep(spa, *answers)
    assert await state(spa) == {"brightness": 20, "mode": "warm"}
    assert [kind for kind, _ in await events(spa)] == ["device.changed", "command.answered"] * 2


async def test_an_answer_counts_once_whoever_writes_it_down_first(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    command = await sent(spa, {"brightness": 80})
    answer = Answer(light, command.uuid, {"brightness": 75})
    await asyncio.gather(*(keep(spa, answer) for _ in range(4)))
    assert await become(spa, command) == CommandStatus.DONE
    assert await state(spa) == {"brightness": 75}
    assert await events(spa) == [("device.changed", light), ("command.answered", command.id)]


async def test_a_device_cannot_answer_for_another(spa: Suite) -> None:
    command = await sent(spa, {"brightness": 80})
    await keep(spa, Answer(spa.devices[DeviceType.MUSIC], command.uuid, {"volume": 5}), Answer(999_999, uuid4(), {}))
    assert await become(spa, command) == CommandStatus.SENT
    assert await events(spa) == []


async def test_a_late_answer_does_not_undo_a_later_command(spa: Suite) -> None:
    light = spa.devices[DeviceType.LIGHTING]
    early = await sent(spa, {"brightness": 10, "mode": "warm"})
    await spa.control(DeviceAction.SET_BRIGHTNESS, 80)
    await keep(spa, Answer(light, early.uuid, {"brightness": 10, "mode": "warm"}))
    assert await become(spa, early) == CommandStatus.DONE
    assert await state(spa) == {"brightness": 80, "mode": "warm"}


async def test_a_command_whose_sender_died_times_out(spa: Suite) -> None:
    forgotten, young = await sent(spa, {"brightness": 80}, ago=60), await sent(spa, {"brightness": 70})
    for _ in range(2):
        await time_out_commands(spa.ctx)
    assert [await become(spa, each) for each in (forgotten, young)] == [CommandStatus.TIMED_OUT, CommandStatus.SENT]
    assert await events(spa) == [("command.answered", forgotten.id)]


async def test_two_processes_that_hear_the_same_announce_it_once(spa: Suite, other_database: Database) -> None:
    other = replace(spa.ctx, database=other_database)
    numbers = list(spa.devices.values())
    for brightness in range(5):
        said: list[Message] = [State(each, {"brightness": brightness}) for each in numbers]
        await asyncio.gather(*(keep_reports(ctx, Heard.of(said)) for ctx in (spa.ctx, other)))
    changed = [each for each in await events(spa) if each[0] == "device.changed"]
    assert sorted(changed) == sorted(("device.changed", each) for each in numbers * 5)
    assert len([each for each in await events(spa) if each[0] == "device.online"]) == len(numbers)


async def until(spa: Suite, statement: str, expected: Any, say: Callable[[], None] = lambda: None) -> None:
    """Wait for the value of a statement; what is said meanwhile may come before anybody hears it, so it is said again and again."""
    async with asyncio.timeout(PATIENCE):
        while await value(spa.ctx.database, statement) != expected:
            say()
            await asyncio.sleep(0.05)


async def test_one_process_hears_and_another_takes_over_when_it_stops(
    spa: Suite, other_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_reports, "RENEW_SECONDS", 0.05)
    quick = spa.ctx.settings.model_copy(update={"device_report_seconds": 0.05})
    light = spa.devices[DeviceType.LIGHTING]
    online = f"SELECT count(*) FROM event_log WHERE kind = 'device.online' AND subject_id = {light}"  # noqa: S608 - a number
    async with Devices(spa.line.address) as second:
        first = spa.ctx.but(settings=quick)
        other = first.but(database=other_database, gateways=replace(spa.ctx.gateways, devices=second))
        async with alongside(hear_devices(first), lead_devices(first)):
            await until(spa, "SELECT count(*) FROM claims WHERE name = 'devices'", 1)
            async with alongside(hear_devices(other), lead_devices(other)):
                await until(spa, online, 1, lambda: spa.line.say(light, "alive", b"online"))
                holder = await value(spa.ctx.database, "SELECT holder FROM claims WHERE name = 'devices'")
        # both have stopped, so nobody holds it; the second alone goes on
        assert await value(spa.ctx.database, "SELECT count(*) FROM claims") == 0
        async with alongside(hear_devices(other), lead_devices(other)):
            await until(spa, "SELECT count(*) FROM claims WHERE name = 'devices'", 1)
            assert await value(spa.ctx.database, "SELECT holder FROM claims WHERE name = 'devices'") != holder
            brightness = "SELECT state ->> 'brightness' FROM devices WHERE device_type = 'lighting'"
            await until(spa, brightness, "33", lambda: spa.line.say(light, "state", b'{"brightness": 33}'))
            assert await value(spa.ctx.database, online) == 1


async def test_a_report_that_cannot_be_written_down_stops_nobody(spa: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(ctx: Context, heard: Heard) -> None:
        monkeypatch.undo()
        raise ValueError("unforeseen")

    quick = spa.ctx.but(settings=spa.ctx.settings.model_copy(update={"device_report_seconds": 0.02}))
    monkeypatch.setattr(device_reports, "keep_reports", broken)
    async with alongside(hear_devices(quick), lead_devices(quick)):
        brightness = "SELECT state ->> 'brightness' FROM devices WHERE device_type = 'lighting'"
        light = spa.devices[DeviceType.LIGHTING]
        await until(spa, brightness, "9", lambda: spa.line.say(light, "state", b'{"brightness": 9}'))


async def test_a_task_is_one_holders_until_it_is_given_up_or_over(database: Database) -> None:
    one, other = uuid4(), uuid4()
    assert await take(database, "task", one, 60)
    assert await take(database, "task", one, 60)
    assert not await take(database, "task", other, 60)
    await give_up(database, "task", other)
    assert not await take(database, "task", other, 60)
    await give_up(database, "task", one)
    assert await take(database, "task", other, 0.05)
    await asyncio.sleep(0.1)
    assert await take(database, "task", one, 60)
    with pytest.raises(Conflict, match="later"):
        async with claimed(database, "task", seconds=1, patience=0.1, refusal="Come later."):
            pass


async def test_staff_register_devices_and_take_them_out_of_service(spa: Suite) -> None:
    staff = spa.by(spa.stranger, Role.ADMIN)
    wanted = DeviceInput(name="Sauna", device_type=DeviceType.TEMPERATURE, zone="hall", room_id=str(spa.room_id), max_value=200)  # type: ignore[arg-type]
    made = await perform(create_device, staff, {"input": wanted})
    assert (made.min_value, made.max_value, made.default_value, made.state, made.room_id) == (60, 200, 72, {}, spa.room_id)
    await keep(spa, Beat(made.id))
    for in_maintenance in (True, True, False):
        await perform(update_device, staff, {"id": key(made.id), "input": DevicePatch(in_maintenance=in_maintenance)})
    assert [kind for kind, _ in await events(spa)] == ["device.online", "device.offline", "device.online"]
    with pytest.raises(Forbidden):
        create_device.admit(spa.by(spa.member).viewer)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"zone": "a/b"}, "zone"),
        ({"room_id": "999999"}, "room_id"),
        ({"room_id": "x"}, "room_id"),
        ({"min_value": 5, "max_value": 4}, "max_value"),
        ({"max_value": 2**62}, "max_value"),
        ({"default_value": 101}, "default_value"),
    ],
)
async def test_a_device_that_makes_no_sense_is_refused(spa: Suite, change: dict[str, Any], field: str) -> None:
    wrong = replace(DeviceInput(name="Lamp", device_type=DeviceType.LIGHTING, zone="hall"), **change)
    with pytest.raises(BadUserInput) as refused:
        await perform(create_device, spa.by(spa.stranger, Role.ADMIN), {"input": wrong})
    assert list(refused.value.fields) == [field]


async def test_silence_is_noticed_while_the_process_attends(spa: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_reports, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(device_reports, "SWEEP_SECONDS", 0)
    await keep(spa, Beat(spa.devices[DeviceType.LIGHTING]))
    async with spa.ctx.writing() as db:
        await db.execute(update(Heartbeat).values(good_until=datetime.now(UTC) - timedelta(seconds=1)))
    impatient = spa.ctx.but(settings=spa.ctx.settings.model_copy(update={"device_offline_after": 0.2}))
    async with alongside(hear_devices(impatient), lead_devices(impatient)):
        await until(spa, "SELECT count(*) FROM event_log WHERE kind = 'device.offline'", 1)
