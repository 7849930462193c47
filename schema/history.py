"""What the heads of the house see of who changed what."""

from datetime import datetime

import strawberry

from models import history as tables
from resolvers import history
from resolvers.inputs.scalars import Json
from schema.fields import Connection, Record, operation, shows


@shows(tables.Change)
class Change(Record):
    """One row was inserted, updated or deleted; values of sensitive columns are replaced by ***."""

    at: datetime
    actor_id: int | None
    request_id: str | None
    table_name: str
    row_id: int
    action: str
    before: Json | None
    after: Json | None


@strawberry.type
class HistoryQueries:
    """Reading the history."""

    history: Connection[Change] = operation(history.list_history)
