"""What clients see of the CRM: notices of bookings, how far the desk has come, and each facilitator's figures."""

from datetime import date, datetime

import strawberry

from models import crm as tables
from models.crm import CrmNoticeStatus, CrmSource, CrmStatus
from models.events import EventType
from resolvers import crm
from resolvers import crm_figures as figures
from resolvers import crm_following as following
from resolvers import crm_forwarding as forwarding
from resolvers.crm_following import CrmEventKind
from schema.fields import Connection, Record, column, expression, operation, related, shows


@shows(tables.CrmNotice, with_keys=False)
class CrmPerson:
    """Who booked, as the service knows them that the notice comes from."""

    number: int = column("person_number")
    email: str | None = column("person_email")
    name: str = column("person_name")
    phone: str | None = column("person_phone")


@shows(tables.CrmNotice, with_keys=False)
class CrmBookedEvent:
    """What was booked, as the service knows it that the notice comes from."""

    number: int = column("event_number")
    title: str = column("event_title")
    type: EventType = column("event_type")
    starts_at: datetime | None
    location: str | None


@shows(tables.CrmMove, with_keys=False)
class CrmStep:
    """The desk has said how far it has come."""

    old_status: CrmStatus
    new_status: CrmStatus
    note: str | None
    moved_at: datetime
    by: str = expression(crm.mover, "Who said so, by their name; the CRM where its own token did.")
    booking_number: int = column("notice.booking_number")


@shows(tables.CrmNotice)
class CrmNotice(Record):
    """What the CRM was told of one booking, as the newest notice of it says."""

    source: CrmSource
    booking_number: int
    status: CrmNoticeStatus
    crm_status: CrmStatus
    user: CrmPerson = related("person")
    event: CrmBookedEvent = related("event")
    facilitator_number: int
    booked_at: datetime
    notes: str | None
    received_at: datetime
    changed_at: datetime
    steps: list[CrmStep] = related("moves")


@shows(tables.CrmDispatch, with_keys=False)
class CrmWaiting:
    """A notice that another CRM has not taken yet."""

    notice: CrmNotice = related("notice")
    waiting_since: datetime | None
    tries: int
    error: str | None
    next_try_at: datetime | None
    sent_at: datetime | None


@strawberry.type(description="The filters that were asked for.")
class CrmFilters:
    """Absent ones are null."""

    facilitator_number: int | None = strawberry.field(description="Of events of this facilitator.")
    event_number: int | None = strawberry.field(description="Of this event.")
    user_number: int | None = strawberry.field(description="Of this person.")
    event_type: EventType | None = strawberry.field(description="Of this kind of gathering.")
    status: str | None = strawberry.field(description="What the newest notice said.")
    crm_status: CrmStatus | None = strawberry.field(description="With which the desk has come so far.")


@strawberry.type(description="How many notices there are.")
class CrmCounts:
    """Of those that count."""

    total: int = strawberry.field(description="All that the viewer may see.")
    filtered: int = strawberry.field(description="Those of them that fit the filter.")


@strawberry.type(description="How many notices were asked for.")
class CrmSummary:
    """Counted when asked for."""

    counts: CrmCounts = strawberry.field(description="How many there are, and how many fit.")
    filters: CrmFilters = strawberry.field(description="The filter.")


@strawberry.type(description="The whole desk in figures.")
class CrmFigures:
    """Counted when asked for."""

    notifications_received: int = strawberry.field(description="How many bookings the CRM was told of.")
    unique_facilitators: int = strawberry.field(description="Of how many facilitators.")
    unique_events: int = strawberry.field(description="Of how many events.")


@strawberry.type(description="The bookings of one facilitator in figures.")
class CrmStatistics:
    """Counted when asked for."""

    total_bookings: int = strawberry.field(description="How many bookings there are, cancelled ones included.")
    session_bookings: int = strawberry.field(description="How many of them are of sessions.")
    retreat_bookings: int = strawberry.field(description="How many of them are of retreats.")
    recent_bookings: int = strawberry.field(description="How many of them came within the last 7 days.")
    cancelled_bookings: int = strawberry.field(description="How many of them do not hold any more.")
    unique_users: int = strawberry.field(description="How many people booked.")
    unique_events: int = strawberry.field(description="How many events were booked.")


@strawberry.type(description="The bookings of one facilitator in figures, with whose they are.")
class CrmFacilitator:
    """Counted when asked for."""

    facilitator_number: int = strawberry.field(description="The facilitator's number.")
    statistics: CrmStatistics = strawberry.field(description="Their bookings in figures.")


@strawberry.type(description="How many bookings are of sessions, and how many of retreats.")
class SessionsAndRetreats:
    """Cancelled ones included."""

    sessions: int = strawberry.field(description="Of sessions.")
    retreats: int = strawberry.field(description="Of retreats.")


@strawberry.type(description="The bookings of one week.")
class CrmWeek(SessionsAndRetreats):
    """In UTC, from Monday on."""

    starts_on: date = strawberry.field(description="Its Monday.")


@strawberry.type(description="Where the bookings of a facilitator go.")
class CrmTrends:
    """Counted when asked for."""

    sessions_vs_retreats: SessionsAndRetreats = strawberry.field(description="All of them by kind.")
    weeks: list[CrmWeek] = strawberry.field(description="The last twelve weeks that had any, oldest first.")


@strawberry.type(description="An event that many booked.")
class PopularEvent:
    """With how many bookings."""

    event_number: int = strawberry.field(description="The event's number.")
    event_title: str = strawberry.field(description="What it is called.")
    event_type: EventType = strawberry.field(description="What kind of gathering it is.")
    booking_count: int = strawberry.field(description="How many bookings it has.")


@strawberry.type(description="What a facilitator wants to see at once.")
class CrmDashboard:
    """Counted when asked for."""

    facilitator_number: int = strawberry.field(description="The facilitator's number.")
    summary: CrmStatistics = strawberry.field(description="Their bookings in figures.")
    popular_events: list[PopularEvent] = strawberry.field(description="The five events with most bookings.")
    recent_bookings: list[CrmNotice] = strawberry.field(description="The ten newest bookings of the last 7 days.")
    trends: CrmTrends = strawberry.field(description="Where they go.")
    generated_at: datetime = strawberry.field(description="When this was counted.")


strawberry.enum(CrmEventKind, description=CrmEventKind.__doc__)


@strawberry.type(description="Something that happened at the CRM's desk.")
class CrmEvent:
    """An event of the log, with the notice as it is now."""

    cursor: str = strawberry.field(description="Where to go on after this event: give it as `after`.")
    kind: CrmEventKind = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened.")
    notice: CrmNotice | None = strawberry.field(description="The notice as it is now; none once the reader may not see it.")


@strawberry.type(description="What was put in line again.")
class CrmRetried:
    """What retrying answers."""

    waiting: int = strawberry.field(description="How many notices wait.")


@strawberry.type
class CrmQueries:
    """Reading the CRM."""

    crm_notices: Connection[CrmNotice] = operation(crm.list_crm_notices)
    crm_notice: CrmNotice = operation(crm.get_crm_notice)
    crm_summary: CrmSummary = operation(crm.get_crm_summary)
    crm_figures: CrmFigures = operation(figures.get_crm_figures)
    crm_statistics: CrmFacilitator = operation(figures.get_crm_statistics)
    crm_dashboard: CrmDashboard = operation(figures.get_crm_dashboard)
    crm_backlog: Connection[CrmWaiting] = operation(forwarding.list_crm_backlog)


@strawberry.type
class CrmMutations:
    """Working at the CRM's desk."""

    receive_crm_notice: CrmNotice = operation(crm.receive_crm_notice)
    set_crm_status: CrmStep = operation(crm.set_crm_status)
    retry_crm_backlog: CrmRetried = operation(forwarding.retry_crm_backlog)


@strawberry.type
class CrmSubscriptions:
    """Following the CRM."""

    crm_events: CrmEvent = operation(following.follow_crm)
