"""A suite with a device of each kind, for tests: at a broker on this machine, as the devices of a demo are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from gateways.all import open_gateways
from gateways.devices import Devices
from gateways.simulators.devices import SimulatedDevices
from models.database import Database
from models.event_log import EventRecord
from models.identity import Role, User
from models.keys import Key
from models.memberships import Membership, Plan
from models.rooms import Device, DeviceAction, DeviceType, Room
from models.scheduling import Location, Resource, ResourceKind, Schedule
from resolvers import rooms
from resolvers.context import Context, Viewer
from resolvers.operations import perform
from settings import Settings

EVENING: dict[str, Any] = {
    "lighting": {"brightness": 60, "color": "#87CEEB"},
    "scent": {"type": "alpine", "intensity": 3},
    "temperature": 70,
    "music": {"playlist": "nature_sounds", "volume": 25},
}
LIMITS = {DeviceType.TEMPERATURE: (60, 85, 70), DeviceType.SCENT: (0, 10, 3)}


@dataclass
class Suite:
    """One room with a device of each type, a member, and a stranger."""

    ctx: Context
    line: SimulatedDevices
    devices: dict[DeviceType, int]
    room_id: int
    member: int
    stranger: int

    def by(self, user_id: int, *roles: Role) -> Context:
        """The context of a call by somebody."""
        return self.ctx.with_viewer(Viewer(user_id, frozenset(roles)))

    async def control(self, action: DeviceAction, value: Any, device: DeviceType = DeviceType.LIGHTING, **more: Any) -> rooms.ControlResult:
        """The member sets a device."""
        arguments = {"id": key(self.devices[device]), "action": action, "value": value, **more}
        result: rooms.ControlResult = await perform(rooms.control_device, self.by(self.member), arguments)
        return result


def key(number: int) -> Key[Any]:
    """The argument that names a row."""
    return Key(number=number)


def person(resource: Resource, name: str) -> User:
    """Somebody who cannot sign in."""
    return User(email=f"{name}@example.com", first_name=name, resource=resource)


@asynccontextmanager
async def opened_suite(database: Database, settings: Settings) -> AsyncIterator[Suite]:
    """The suite with its devices at a broker of their own, and one process that sets them."""
    async with (
        SimulatedDevices(database, delay=0.01) as line,
        open_gateways(settings, database) as gateways,
        Devices(line.address) as gateway,
    ):
        quick = settings.model_copy(update={"device_timeout": 0.4})
        ctx = Context(quick, database, replace(gateways, devices=gateway))
        async with ctx.writing() as db:
            resources = [Resource(kind=kind) for kind in (ResourceKind.ROOM, ResourceKind.PERSON, ResourceKind.PERSON)]
            schedule = Schedule(name="Spa", time_zone="America/New_York")
            db.add_all([*resources, schedule])
            await db.flush()
            location = Location(name="Spa", slug="spa", time_zone="America/New_York", schedule_id=schedule.id)
            member, stranger = person(resources[1], "member"), person(resources[2], "stranger")
            plan = Plan(name="Unlimited", slug="unlimited", price=Decimal(399), iot_control_access=True)
            db.add_all([location, member, stranger, plan])
            await db.flush()
            room = Room(location_id=location.id, resource_id=resources[0].id, name="Suite", number=1)
            today = date.today()
            paid = Membership(user_id=member.id, plan_id=plan.id, starts_on=today - timedelta(9), ends_on=today + timedelta(9))
            db.add_all([room, paid])
            await db.flush()
            made = []
            for kind in DeviceType:
                low, high, default = LIMITS.get(kind, (0, 100, 50))
                device = Device(
                    room_id=room.id, name=f"Suite {kind}", device_type=kind, zone="suite", state={}, min_value=low, max_value=high,
                    default_value=default,
                )  # fmt: skip
                made.append(device)
            db.add_all(made)
            await db.flush()
        yield Suite(ctx, line, {each.device_type: each.id for each in made}, room.id, member.id, stranger.id)


async def events(suite: Suite) -> list[tuple[str, int]]:
    """What was announced, in order."""
    rows = await suite.ctx.database.fetch(select(EventRecord.kind, EventRecord.subject_id).order_by(EventRecord.id))
    return [(row["kind"], row["subject_id"]) for row in rows]


async def state(suite: Suite, device: DeviceType = DeviceType.LIGHTING) -> dict[str, Any]:
    """What is stored of a device."""
    [row] = await suite.ctx.fetch(select(Device.state).where(Device.id == suite.devices[device]))
    found: dict[str, Any] = row["state"]
    return found
