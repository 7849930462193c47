"""What clients see of calendar feeds."""

from datetime import datetime

import strawberry

from models import events as tables
from models.events import FeedKind
from resolvers import calendars
from schema.fields import Connection, Record, operation, related, shows
from schema.rooms import Room


@shows(tables.CalendarFeed)
class CalendarFeed(Record):
    """A secret address under which calendar programs fetch a calendar, until it is revoked."""

    kind: FeedKind
    room: Room | None = related("room")
    revoked_at: datetime | None


@strawberry.type(description="A feed that was just made.")
class FeedMade:
    """What making a feed answers."""

    path: str = strawberry.field(description="Its address on this server, which is shown only now: whoever knows it reads the calendar.")
    feed: CalendarFeed = strawberry.field(description="The feed.")


@strawberry.type
class CalendarQueries:
    """Reading calendars."""

    my_calendar_feeds: Connection[CalendarFeed] = operation(calendars.list_my_calendar_feeds)
    calendar: str = operation(calendars.get_calendar)


@strawberry.type
class CalendarMutations:
    """Making calendars that other programs fetch."""

    create_calendar_feed: FeedMade = operation(calendars.create_calendar_feed)
    revoke_calendar_feed: CalendarFeed = operation(calendars.revoke_calendar_feed)
