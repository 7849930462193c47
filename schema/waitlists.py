"""What clients see of waiting lists."""

from datetime import datetime

import strawberry

from models import waitlists as tables
from models.waitlists import WaitlistKind, WaitlistStatus
from resolvers import waitlists
from resolvers.waitlists import WaitlistEventKind
from schema.catalogue import Service
from schema.events import Event
from schema.fields import Connection, Record, column, computed, expression, operation, related, shows
from schema.rooms import Room


@shows(tables.WaitlistEntry)
class WaitlistEntry(Record):
    """Somebody waits for seats at an event, or for a service at a time when no room is free."""

    kind: WaitlistKind
    status: WaitlistStatus
    quantity: int
    position: int | None = expression(tables.position, "The place in the line, from 1; none for who does not wait there now.")
    person: str = computed(
        ["user.first_name", "user.last_name"],
        lambda row: f"{row['user.first_name']} {row['user.last_name']}".strip(),
        "The name of who waits.",
    )
    event: Event | None = related("event")
    service: Service | None = related("service")
    room: Room | None = related("room")
    starts_at: datetime
    ends_at: datetime
    offered_at: datetime | None
    offer_ends_at: datetime | None
    hold_number: int | None = column("hold_id", "Number of the hold that keeps the time: book with it.")


strawberry.enum(WaitlistEventKind, description=WaitlistEventKind.__doc__)


@strawberry.type(description="Something that happened to a place in a waiting list.")
class WaitlistEvent:
    """An event of the log, with the place as it is now."""

    cursor: str = strawberry.field(description="Where to go on after this event: give it as `after`.")
    kind: WaitlistEventKind = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened.")
    entry: WaitlistEntry | None = strawberry.field(description="The place as it is now; none once the reader may not see it.")


@strawberry.type
class WaitlistQueries:
    """Reading waiting lists."""

    my_waitlist: Connection[WaitlistEntry] = operation(waitlists.list_my_waitlist)
    waitlist: Connection[WaitlistEntry] = operation(waitlists.list_waitlist)


@strawberry.type
class WaitlistMutations:
    """Waiting, and waiting no more."""

    join_event_waitlist: WaitlistEntry = operation(waitlists.join_event_waitlist)
    join_slot_waitlist: WaitlistEntry = operation(waitlists.join_slot_waitlist)
    leave_waitlist: WaitlistEntry = operation(waitlists.leave_waitlist)


@strawberry.type
class WaitlistSubscriptions:
    """Following waiting lists."""

    waitlist_events: WaitlistEvent = operation(waitlists.follow_waitlist)
