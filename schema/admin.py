"""What staff see of the house itself."""

import datetime
from decimal import Decimal

import strawberry

from models import admin as tables
from resolvers import admin
from resolvers.admin import ActivityKind
from schema.fields import Connection, Record, operation, shows


@shows(tables.EndpointUse)
class EndpointUse(Record):
    """How often an endpoint of an older system was called on a day by one kind of client."""

    day: datetime.date
    system: str
    route: str
    client: str
    calls: int
    refused: int


strawberry.enum(ActivityKind)


@strawberry.type(description="The day so far, in the calendar of each location.")
class Today:
    """Counted when asked for."""

    bookings: int = strawberry.field(description="Appointments that take place today and were not cancelled.")
    revenue: Decimal = strawberry.field(description="What came in today at the spa and was not given back.")
    currency: str = strawberry.field(description="ISO 4217 code of the revenue, the house's own; what came in in another is left out.")
    new_members: int = strawberry.field(description="People whose membership begins today and who had none until yesterday.")
    active_sessions: int = strawberry.field(description="Appointments that are under way at this moment.")


@strawberry.type(description="Devices by whether they can be reached.")
class DeviceCounts:
    """Together they are all devices."""

    online: int = strawberry.field(description="Devices whose last heartbeat is recent.")
    offline: int = strawberry.field(description="Devices that were not heard of lately.")
    maintenance: int = strawberry.field(description="Devices out of service.")


@strawberry.type(description="Something that happened lately.")
class Activity:
    """Without names of people."""

    kind: ActivityKind = strawberry.field(description="What happened.")
    at: datetime.datetime = strawberry.field(description="When it happened.")
    message: str = strawberry.field(description="The same in a sentence.")


@strawberry.type(description="How the spa stands at this moment.")
class Dashboard:
    """Nothing of it is stored: it is counted when asked for."""

    day: datetime.date = strawberry.field(description="Today, in the calendar of the first location.")
    today: Today = strawberry.field(description="The day so far.")
    devices: DeviceCounts = strawberry.field(description="Devices by whether they can be reached.")
    recent_activity: list[Activity] = strawberry.field(description="What happened lately, newest first.")


@strawberry.type
class AdminQueries:
    """Reading for staff."""

    dashboard: Dashboard = operation(admin.get_dashboard)
    endpoint_uses: Connection[EndpointUse] = operation(admin.list_endpoint_uses)
