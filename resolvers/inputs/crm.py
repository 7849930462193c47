"""What another booking service tells the CRM, and how its desk narrows notices."""

from datetime import datetime

import strawberry

from models.crm import CrmSource, CrmStatus
from models.events import EventType


@strawberry.input(description="Who booked, as the other service knows them.")
class CrmPersonInput:
    """A person of another service."""

    id: int = strawberry.field(description="Their number there.")
    email: str = strawberry.field(description="Their e-mail address.")
    name: str = strawberry.field(default="", description="Their name.")
    phone: str | None = strawberry.field(default=None, description="Their phone number, however it is written.")


@strawberry.input(description="What was booked, as the other service knows it.")
class CrmEventInput:
    """An event of another service."""

    id: int = strawberry.field(description="Its number there.")
    title: str = strawberry.field(description="What it is called.")
    type: EventType = strawberry.field(description="What kind of gathering it is.")
    start_datetime: datetime | None = strawberry.field(default=None, description="When it begins.")
    location: str | None = strawberry.field(default=None, description="Where it takes place.")


@strawberry.input(description="A notice of a booking in another service. Repeated with the same number, the last word counts.")
class CrmNoticeInput:
    """What is told of one booking."""

    booking_number: int = strawberry.field(description="The booking's number there.")
    user: CrmPersonInput = strawberry.field(description="Who booked.")
    event: CrmEventInput = strawberry.field(description="What was booked.")
    facilitator_number: int = strawberry.field(description="The number of the event's facilitator there.")
    booking_date: datetime | None = strawberry.field(default=None, description="When it was booked; now when left out.")
    notes: str | None = strawberry.field(default=None, description="What the customer wrote.")
    status: str | None = strawberry.field(default=None, description="cancelled, where the booking does not hold any more.")


@strawberry.input(description="Which notices; everything that is given must hold.")
class CrmFilter:
    """Conditions on notices."""

    facilitator_number: int | None = strawberry.field(default=None, description="Of events of this facilitator.")
    event_number: int | None = strawberry.field(default=None, description="Of this event.")
    user_number: int | None = strawberry.field(default=None, description="Of this person.")
    event_type: EventType | None = strawberry.field(default=None, description="Of this kind of gathering.")
    status: str | None = strawberry.field(default=None, description="What the newest notice said: received or cancelled.")
    crm_status: CrmStatus | None = strawberry.field(default=None, description="With which the desk has come so far.")
    source: CrmSource | None = strawberry.field(default=None, description="From there.")
    is_set_aside: bool | None = strawberry.field(
        default=None, description="Instead of those that count, those from outside whose number is one of the house's own bookings."
    )
