"""The staff's dashboard: counted from the tables, by the calendar of the location."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import httpx2
import pytest
from sqlalchemy import func, select

from engine.execute import Engine
from engine.explaining import Noting
from errors import Forbidden
from models.bookings import BookingStatus, PaymentStatus
from models.catalogue import Service
from models.database import Database
from models.identity import Role, User
from models.memberships import Membership
from models.payments import Payment, PaymentPurpose, Provider
from models.rooms import Device, DeviceType, Heartbeat
from models.scheduling import Location
from resolvers import admin
from resolvers.context import Context
from settings import Settings
from tests.examples import examples
from tests.paying import by
from tests.people import call, join, nobody
from tests.sql import sql
from tests.visiting import make_service, make_visit
from tests.worlds import Spa, make_member, make_person, make_spa

HERE = ZoneInfo("Pacific/Kiritimati")  # 14 hours ahead of UTC: its day is never the server's for long


@dataclass
class World:
    ctx: Context
    spa: Spa
    ann: User
    service: Service

    @property
    def staff(self) -> Context:
        return by(self.ctx, self.ann, Role.SUPPORT)

    async def look(self) -> admin.Dashboard:
        found: admin.Dashboard = await call(admin.get_dashboard, self.staff)
        return found


@pytest.fixture
async def world(database: Database, settings: Settings) -> World:
    spa = await make_spa(database, time_zone=HERE.key)
    return World(nobody(database, settings), spa, await make_person(database), await make_service(database, spa, "Calm Facial", "facial"))


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """An hour of today, of yesterday (-1) or of tomorrow (1), at the location."""
    midnight = datetime.now(HERE).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(days=day, hours=hour, minutes=minute)).astimezone(UTC)


async def test_a_day_begins_and_ends_at_midnight_of_the_location(world: World, database: Database) -> None:
    for moment in (local(-1, 23), local(0, 0), local(0, 22), local(1, 0)):
        await make_visit(database, world.spa, world.ann, world.service, moment)
    await make_visit(database, world.spa, world.ann, world.service, local(0, 9), status=BookingStatus.CANCELLED)
    found = await world.look()
    assert found.today.bookings == 2
    assert found.day == datetime.now(HERE).date()


async def test_revenue_is_what_came_in_today_and_stayed(world: World, database: Database) -> None:
    async def paid(amount: str, at: datetime, refunded: str = "0", **more: object) -> None:
        about = {"user_id": world.ann.id, "provider": Provider.STRIPE, "status": PaymentStatus.CHARGED, "charged_at": at, **more}
        async with database.sessions.begin() as db:
            db.add(Payment(amount=Decimal(amount), refunded_amount=Decimal(refunded), **about))

    visit = await make_visit(database, world.spa, world.ann, world.service, local(5, 10))
    await paid("200.00", local(0, 1), refunded="50.00", booking_id=visit.id)
    await paid("399.00", local(0, 23), purpose=PaymentPurpose.MEMBERSHIP)
    await paid("80.00", local(-1, 23, 59))
    await paid("70.00", local(1, 0))
    await paid("9000.00", local(0, 12), currency="INR")
    found = await world.look()
    assert (found.today.revenue, found.today.currency) == (Decimal("549.00"), "USD")


async def test_a_new_member_had_no_membership_until_yesterday(world: World, database: Database) -> None:
    today = datetime.now(HERE).date()
    bob, eve, old = [await make_person(database, name) for name in ("bob", "eve", "old")]
    for person in (world.ann, bob, eve, old):
        await make_member(database, person)
    async with database.sessions.begin() as db:
        for each in await db.scalars(select(Membership)):
            each.starts_on = today
        plan = await db.scalar(select(func.min(Membership.plan_id)))
        past = {"plan_id": plan, "status": "expired"}
        db.add(Membership(user_id=bob.id, starts_on=today - timedelta(days=30), ends_on=today - timedelta(days=1), **past))  # renewed
        db.add(Membership(user_id=eve.id, starts_on=today - timedelta(days=90), ends_on=today - timedelta(days=40), **past))  # came back
        late = await db.scalar(select(Membership).where(Membership.user_id == old.id))
        assert late is not None
        late.starts_on = today - timedelta(days=1)
    assert (await world.look()).today.new_members == 2


async def test_a_session_is_active_while_it_lasts(world: World, database: Database) -> None:
    now = datetime.now(UTC)
    await make_visit(database, world.spa, world.ann, world.service, now - timedelta(minutes=30), status=BookingStatus.CONFIRMED)
    await make_visit(database, world.spa, world.ann, world.service, now - timedelta(minutes=30), status=BookingStatus.CANCELLED, room=1)
    await make_visit(database, world.spa, world.ann, world.service, now - timedelta(minutes=90), status=BookingStatus.CONFIRMED)
    await make_visit(database, world.spa, world.ann, world.service, now + timedelta(minutes=1), status=BookingStatus.CONFIRMED)
    assert (await world.look()).today.active_sessions == 1


async def test_devices_are_counted_by_their_last_heartbeat(world: World, database: Database) -> None:
    now = datetime.now(UTC)
    async with database.sessions.begin() as db:
        for number in range(4):
            device = Device(name=f"Lamp {number}", device_type=DeviceType.LIGHTING, zone="main", in_maintenance=number == 3)
            db.add(device)
            await db.flush()
            if number != 2:
                good = now + timedelta(minutes=1 if number != 1 else -1)
                db.add(Heartbeat(device_id=device.id, seen_at=now, good_until=good))
    assert (await world.look()).devices == admin.DeviceCounts(online=1, offline=2, maintenance=1)


async def test_activity_is_newest_first_and_names_nobody(world: World, database: Database) -> None:
    visit = await make_visit(database, world.spa, world.ann, world.service, local(0, 10), paid="120.00")
    await sql(database, "UPDATE bookings SET created_at = now() + interval '1 minute', cancelled_at = now() + interval '2 minutes'")
    await sql(database, "UPDATE payments SET charged_at = now() + interval '3 minutes'")
    found = (await world.look()).recent_activity
    assert [each.message for each in found[:3]] == [
        "USD 120.00 came in.", f"Booking {visit.reference} was cancelled.", f"Booking {visit.reference} was made.",
    ]  # fmt: skip
    assert [each.at for each in found] == sorted((each.at for each in found), reverse=True)
    assert "Ann" not in str(found)
    for _ in range(admin.NEWEST):
        await make_visit(database, world.spa, world.ann, world.service, local(0, 10))
    assert len((await world.look()).recent_activity) == admin.NEWEST


async def test_it_takes_two_statements_however_much_there_is(world: World, database: Database) -> None:
    noting = Noting(database)
    await call(admin.get_dashboard, world.staff.but(database=noting))
    assert len(noting.statements) == 2


async def test_an_empty_house_has_a_dashboard(database: Database, settings: Settings) -> None:
    ann = await make_person(database)
    async with database.sessions.begin() as db:
        assert await db.scalar(select(func.count(Location.id))) == 0
    found = await call(admin.get_dashboard, by(nobody(database, settings), ann, Role.ADMIN))
    assert (found.today.bookings, found.today.revenue, found.devices.online) == (0, 0, 0)


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.PROVIDER, Role.MANAGEMENT, Role.PARTNER, Role.FACILITATOR])
async def test_whoever_is_no_staff_is_refused(world: World, role: Role) -> None:
    with pytest.raises(Forbidden):
        await call(admin.get_dashboard, by(world.ctx, world.ann, role))


@pytest.mark.parametrize("role", [Role.SUPER_ADMIN, Role.ADMIN, Role.SUPPORT, Role.FINANCE])
async def test_all_staff_may_look(client: httpx2.AsyncClient, database: Database, settings: Settings, role: Role) -> None:
    await make_spa(database)
    token = (await join(nobody(database, settings), role)).access_token
    answer = await client.get("/coresync/api/admin/dashboard/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"today", "devices", "recent_activity"}
    assert body["today"] == {"bookings": 0, "revenue": "0.00", "new_members": 0, "active_sessions": 0}
    assert body["devices"] == {"online": 0, "offline": 0, "maintenance": 0}
    assert body["recent_activity"][0]["type"] == "account.registered"
    assert (await client.get("/coresync/api/admin/dashboard/")).status_code == 401


async def test_the_documented_operation_works(world: World, settings: Settings) -> None:
    [text] = examples("admin.md")
    answer = await Engine(settings).run(text, world.staff)
    assert answer.errors == []
    assert answer.data is not None
    assert answer.data["dashboard"]["today"]["currency"] == "USD"
