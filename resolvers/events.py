"""Events to come and gone: finding them, and who may change one."""

from dataclasses import dataclass

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict, NotFound
from models.events import Event, EventSeries, EventStatus, EventType, Facilitator
from models.identity import STAFF, Role
from models.keys import Key
from resolvers.context import Context, Viewer
from resolvers.inputs.events import EventFilter, EventOrder
from resolvers.operations import SIGNED_IN, allow

MOST_WORDS = 8
"""Of a search; those that follow narrow it no further."""
ORDERS = {EventOrder.SOONEST: (Event.starts_at, Event.id), EventOrder.LATEST: (Event.starts_at.desc(), Event.id.desc())}
NUMBERS = {EventType.SESSION: 1, EventType.RETREAT: 2}
"""By which older clients know the types."""


@dataclass(frozen=True)
class EventTypeNumber:
    """A type of events with the number by which older clients know it."""

    key: EventType
    value: int


@allow(SIGNED_IN)
def list_events(ctx: Context, *, filter: EventFilter | None = None, order: EventOrder = EventOrder.SOONEST) -> Select[Event]:
    """Events of every kind and state."""
    found = select(Event).order_by(*ORDERS[order])
    return found if filter is None else _narrowed(found, filter)


def _narrowed(found: Select[Event], filter: EventFilter) -> Select[Event]:
    if filter.kind is not None:
        found = found.where(Event.kind == filter.kind)
    if filter.status is not None:
        found = found.where(Event.status == filter.status)
    if filter.facilitator_id is not None:
        facilitator: Key[Facilitator] = Key.parse(filter.facilitator_id, "facilitator_id")
        found = found.where(Event.facilitator_id == facilitator.of(Facilitator))
    if filter.series_id is not None:
        series: Key[EventSeries] = Key.parse(filter.series_id, "series_id")
        found = found.where(Event.series_id == series.of(EventSeries))
    if filter.starts_after is not None:
        found = found.where(Event.starts_at >= filter.starts_after)
    if filter.starts_before is not None:
        found = found.where(Event.starts_at < filter.starts_before)
    if filter.has_seats is not None:
        is_free = Event.current_participants < Event.max_participants
        found = found.where(is_free if filter.has_seats else ~is_free)
    for word in (filter.search or "").split()[:MOST_WORDS]:
        found = found.where(or_(Event.title.icontains(word, autoescape=True), Event.description.icontains(word, autoescape=True)))
    return found


@allow(SIGNED_IN)
def get_event(ctx: Context, *, id: Key[Event]) -> Select[Event]:
    """One event."""
    return select(Event).where(id.names(Event))


@allow(SIGNED_IN)
async def list_event_types(ctx: Context) -> list[EventTypeNumber]:
    """The types that events have."""
    return [EventTypeNumber(key, value) for key, value in NUMBERS.items()]


@allow(Role.FACILITATOR, *STAFF)
def list_event_series(ctx: Context) -> Select[EventSeries]:
    """Series of recurring sessions, newest first: a facilitator's own, or for the staff everybody's."""
    found = select(EventSeries).order_by(EventSeries.id.desc())
    if ctx.viewer.is_staff:
        return found
    return found.where(EventSeries.facilitator_id.in_(select(Facilitator.id).where(Facilitator.user_id == ctx.viewer.id)))


async def access_event(db: AsyncSession, viewer: Viewer, id: Key[Event]) -> Event:
    """The event, locked, for its facilitator or the staff; NotFound for anybody else."""
    found = select(Event).where(id.names(Event))
    if not viewer.is_staff:
        found = found.where(Event.facilitator_id.in_(select(Facilitator.id).where(Facilitator.user_id == viewer.id)))
    event = await db.scalar(found.with_for_update(key_share=True), execution_options={"populate_existing": True})
    if event is None:
        raise NotFound
    return event


def check_open(event: Event, ctx: Context) -> None:
    """Refuse to change what is over, cancelled or under way."""
    if event.status is not EventStatus.ACTIVE or event.starts_at <= ctx.now():
        raise Conflict("An event that has begun or is cancelled cannot be changed.")
