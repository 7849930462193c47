"""What staff see of the house itself."""

import datetime

import strawberry

from models import admin as tables
from resolvers import admin
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


@strawberry.type
class AdminQueries:
    """Reading for staff."""

    endpoint_uses: Connection[EndpointUse] = operation(admin.list_endpoint_uses)
