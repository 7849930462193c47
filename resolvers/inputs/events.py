"""How a client narrows events, and what makes and changes one."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import strawberry

from models.events import EventStatus, EventType


class EventOrder(StrEnum):
    """In which order events come.

    SOONEST: Those that begin first come first.
    LATEST: Those that begin last come first.
    """

    SOONEST = "soonest"
    LATEST = "latest"


class EventScope(StrEnum):
    """How far a change of a recurring event reaches.

    THIS: This one alone.
    THIS_AND_FOLLOWING: This one, and those of its series that come after it.
    """

    THIS = "this"
    THIS_AND_FOLLOWING = "this_and_following"


@strawberry.input(description="Which events; everything that is given must hold.")
class EventFilter:
    """Conditions on events."""

    kind: EventType | None = strawberry.field(default=None, description="Only sessions, or only retreats.")
    status: EventStatus | None = strawberry.field(default=None, description="In this state.")
    facilitator_id: strawberry.ID | None = strawberry.field(default=None, description="Of this facilitator.")
    series_id: strawberry.ID | None = strawberry.field(default=None, description="Of this series.")
    search: str | None = strawberry.field(default=None, description="With each of these words somewhere in its title or description.")
    starts_after: datetime | None = strawberry.field(default=None, description="Beginning at this moment or later.")
    starts_before: datetime | None = strawberry.field(default=None, description="Beginning before this moment.")
    has_seats: bool | None = strawberry.field(default=None, description="Only with free seats, or only full ones.")


@strawberry.input(description="A new event.")
class EventInput:
    """What a new event needs."""

    title: str = strawberry.field(description="What it is called.")
    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it ends.")
    max_participants: int = strawberry.field(description="How many seats there are, 1000 at most.")
    kind: EventType = strawberry.field(default=EventType.SESSION, description="A session, or a retreat.")
    description: str = strawberry.field(default="", description="What happens there.")
    price: Decimal = strawberry.field(default=Decimal(0), description="What a seat costs.")
    currency: str = strawberry.field(default="USD", description="ISO 4217 code of the price.")
    venue: str | None = strawberry.field(default=None, description="Where it takes place, in words.")
    room_id: strawberry.ID | None = strawberry.field(default=None, description="A room of the house, which is then reserved for it.")
    virtual_link: str | None = strawberry.field(default=None, description="Where it takes place online: an https:// address.")
    requirements: str | None = strawberry.field(default=None, description="What to bring, or to be able to.")
    time_zone: str | None = strawberry.field(
        default=None, description="IANA name of the time zone in which its hours are meant; the house's when left out."
    )
    recurrence: str | None = strawberry.field(
        default=None, description="An RRULE of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10; the event takes place once when left out."
    )
    facilitator_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who holds it, for the staff; facilitators hold their own."
    )


@strawberry.input(description="Changes of an event; what is absent or null stays as it is, an empty text takes away.")
class EventPatch:
    """What can be changed about an event."""

    title: str | None = strawberry.field(default=None, description="What it is called.")
    starts_at: datetime | None = strawberry.field(default=None, description="When it begins; without an end it stays as long as it was.")
    ends_at: datetime | None = strawberry.field(default=None, description="When it ends.")
    max_participants: int | None = strawberry.field(default=None, description="How many seats there are; not fewer than are taken.")
    kind: EventType | None = strawberry.field(default=None, description="A session, or a retreat.")
    description: str | None = strawberry.field(default=None, description="What happens there.")
    price: Decimal | None = strawberry.field(default=None, description="What a seat costs from now on.")
    venue: str | None = strawberry.field(default=None, description="Where it takes place, in words.")
    room_id: strawberry.ID | None = strawberry.field(default=None, description="A room of the house; empty: none.")
    virtual_link: str | None = strawberry.field(default=None, description="Where it takes place online.")
    requirements: str | None = strawberry.field(default=None, description="What to bring, or to be able to.")
    recurrence: str | None = strawberry.field(
        default=None, description="Another RRULE for this one and those that follow; only for a series."
    )
