"""Events for tests: somebody who holds them, straight into the database, and the events by the product's own operation."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from models.bookings import Booking
from models.database import Database
from models.events import Event, Facilitator
from models.identity import Role, User
from models.keys import Key
from resolvers.context import Context
from resolvers.event_changes import create_event
from resolvers.inputs.events import EventInput
from resolvers.seats import book_event
from tests.paying import by
from tests.people import call
from tests.worlds import make_person, soon


async def make_facilitator(database: Database, name: str = "jane") -> tuple[User, Facilitator]:
    """Somebody who may make events."""
    user = await make_person(database, name, Role.CUSTOMER, Role.FACILITATOR)
    async with database.sessions.begin() as db:
        facilitator = Facilitator(user_id=user.id, bio="Certified meditation instructor")
        db.add(facilitator)
    return user, facilitator


def as_facilitator(ctx: Context, user: User) -> Context:
    """A request of somebody who holds events."""
    return by(ctx, user, Role.CUSTOMER, Role.FACILITATOR)


async def make_event(ctx: Context, user: User, starts_at: datetime | None = None, *, minutes: int = 60, **about: Any) -> Event:
    """An event to come, of that facilitator."""
    starts_at = starts_at or soon()
    usual = {"title": "Morning Meditation Session", "max_participants": 20, "price": Decimal("25.00"), "time_zone": "America/New_York"}
    wanted = EventInput(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes), **{**usual, **about})
    made: Event = await call(create_event, as_facilitator(ctx, user), input=wanted)
    return made


async def book(ctx: Context, person: User, event: Event, **more: Any) -> Booking:
    """A booking of that person's."""
    done = await call(book_event, by(ctx, person), event_id=Key(number=event.id), **more)
    made: Booking = done.booking
    return made
