"""What clients see of time: locations, availability, held slots."""

from datetime import date as Day
from datetime import datetime, time

import strawberry

from models import scheduling as tables
from resolvers import holds, scheduling
from schema.fields import Record, column, operation, shows
from schema.rooms import Room


@shows(tables.Location)
class Location(Record):
    """A place of business."""

    name: str
    slug: str
    time_zone: str
    currency: str
    address: str
    city: str


@strawberry.type(description="A time at which a room is free.")
class Slot:
    """One free slot."""

    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it ends.")
    start_time: time = strawberry.field(description="When it begins, in the location's own time.")
    end_time: time = strawberry.field(description="When it ends, in the location's own time.")
    is_priority: bool = strawberry.field(description="Whether only members with priority booking see it.")
    room: Room = strawberry.field(description="The free room.")


@strawberry.type(description="The free slots of a day.")
class Availability:
    """Free slots, by time and room."""

    date: Day = strawberry.field(description="The day, in the calendar of each location.")
    slots: list[Slot] = strawberry.field(description="Free slots, soonest first.")


@shows(tables.Hold)
class Hold(Record):
    """A slot that is kept for the viewer until they book it or it expires."""

    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    room_number: int = column("room_id", "Number of the held room.")


@strawberry.type
class SchedulingQueries:
    """Reading time."""

    availability: Availability = operation(scheduling.find_availability)
    my_holds: list[Hold] = operation(holds.list_my_holds)


@strawberry.type
class SchedulingMutations:
    """Keeping slots."""

    hold_slot: Hold = operation(holds.hold_slot)
    release_hold: Hold = operation(holds.release_hold)
