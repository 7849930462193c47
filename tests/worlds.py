"""Small worlds for tests: plain factory functions with defaults, straight into the database."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from models.catalogue import Addon, Category, Programme, Service, ServiceLine, SpaService
from models.database import Database
from models.identity import Role, User, UserRole
from models.memberships import Membership, Plan
from models.rooms import Room
from models.scheduling import Location, Resource, ResourceKind, Schedule, ScheduleHours


@dataclass
class Spa:
    """One location with two rooms and one service that suits them."""

    location: Location
    rooms: list[Room]
    category: Category
    service: Service
    addons: list[Addon]
    programme: Programme


def soon(days: int = 7, hour: int = 14) -> datetime:
    """An hour on a day to come."""
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=days), time(hour), UTC)


async def make_spa(
    database: Database, *, rooms: int = 2, time_zone: str = "UTC", price: str = "200.00", member_price: str = "150.00"
) -> Spa:
    """A spa that is open from 9 to 21 every day."""
    async with database.sessions.begin() as db:
        schedule = Schedule(name="Every day", time_zone=time_zone)
        category = Category(line=ServiceLine.SPA, name="Mensuite", slug="mensuite")
        db.add_all([schedule, category])
        await db.flush()
        db.add_all([ScheduleHours(schedule_id=schedule.id, weekday=each, opens=time(9), closes=time(21)) for each in range(7)])
        location = Location(name="Downtown", slug="downtown", time_zone=time_zone, schedule_id=schedule.id)
        service = Service(
            line=ServiceLine.SPA, category_id=category.id, name="AI Massage Therapy", slug="ai-massage-therapy", price=Decimal(price)
        )
        db.add_all([location, service])
        await db.flush()
        db.add(SpaService(service_id=service.id, member_price=Decimal(member_price)))
        addons = [
            Addon(service_id=service.id, name="LED Light Therapy", price=Decimal("50.00")),
            Addon(service_id=service.id, name="Hot Stones", price=Decimal("25.50")),
        ]
        programme = Programme(service_id=service.id, name="Deep Relaxation", slug="deep-relaxation")
        made = [await _room(db, location, category, number) for number in range(1, rooms + 1)]
        db.add_all([*addons, programme])
    return Spa(location, made, category, service, addons, programme)


async def _room(db: AsyncSession, location: Location, category: Category, number: int) -> Room:
    resource = Resource(kind=ResourceKind.ROOM, schedule_id=location.schedule_id)
    db.add(resource)
    await db.flush()
    room = Room(location_id=location.id, resource_id=resource.id, category_id=category.id, name=f"Room {number}", number=number)
    db.add(room)
    return room


async def make_person(database: Database, name: str = "ann", *roles: Role, email: str | None = None) -> User:
    """A person with an account but no way to sign in; tests speak for them directly."""
    async with database.sessions.begin() as db:
        resource = Resource(kind=ResourceKind.PERSON)
        db.add(resource)
        await db.flush()
        person = User(email=email or f"{name}@example.com", first_name=name.title(), resource_id=resource.id)
        db.add(person)
        await db.flush()
        db.add_all([UserRole(user_id=person.id, role=each) for each in roles or (Role.CUSTOMER,)])
    return person


async def make_member(database: Database, person: User, *, credits: int = 0, priority: bool = False, discount: int = 20) -> Membership:
    """Put a person on a plan that opens everything, for a year from today."""
    async with database.sessions.begin() as db:
        plan = Plan(
            name="Unlimited",
            slug=f"unlimited-{person.id}",
            tier="premium",
            price=Decimal("399.00"),
            discount_percentage=discount,
            mensuite_access=True,
            coresync_private_access=True,
            iot_control_access=True,
            priority_booking=priority,
            monthly_service_credits=credits,
        )
        db.add(plan)
        await db.flush()
        today = date.today()
        membership = Membership(user_id=person.id, plan_id=plan.id, starts_on=today, ends_on=today + timedelta(days=365))
        db.add(membership)
    return membership
