"""What clients see of the concierge."""

from datetime import date, datetime
from decimal import Decimal

import strawberry

from models import concierge as tables
from models.concierge import ConciergeStatus
from resolvers import concierge
from schema.fields import Connection, Record, computed, operation, related, shows
from schema.identity import Person


@shows(tables.ConciergeNote)
class ConciergeNote(Record):
    """What staff wrote about a request."""

    text: str
    is_shown: bool
    author: Person = related("author")


@shows(tables.ConciergeRequest)
class ConciergeRequest(Record):
    """Something that the house is to find and bring in for a person."""

    reference: str
    status: ConciergeStatus
    item_description: str
    item_url: str | None
    budget: Decimal | None
    price: Decimal | None
    currency: str
    needed_by: date | None
    estimated_on: date
    special_instructions: str | None
    closed_at: datetime | None
    message: str = computed(["status"], lambda row: concierge.SAID[row["status"]], "Where it stands, in words.")
    messages: list[ConciergeNote] = related("messages")
    assigned_to: Person | None = related("assigned_to")


@shows(tables.ConciergeRequest)
class ConciergeCase(Record):
    """A request as staff see it, with whoever asked and with the staff's own notes."""

    reference: str
    status: ConciergeStatus
    item_description: str
    item_url: str | None
    budget: Decimal | None
    price: Decimal | None
    currency: str
    needed_by: date | None
    estimated_on: date
    special_instructions: str | None
    closed_at: datetime | None
    customer: Person = related("customer")
    assigned_to: Person | None = related("assigned_to")
    notes: list[ConciergeNote] = related("notes")


@strawberry.type
class ConciergeQueries:
    """Reading requests."""

    my_concierge_requests: Connection[ConciergeRequest] = operation(concierge.list_my_concierge_requests)
    concierge_request: ConciergeRequest = operation(concierge.get_concierge_request)
    concierge_requests: Connection[ConciergeCase] = operation(concierge.list_concierge_requests)


@strawberry.type
class ConciergeMutations:
    """Asking, and finding."""

    request_concierge: ConciergeRequest = operation(concierge.request_concierge)
    change_concierge_budget: ConciergeRequest = operation(concierge.change_concierge_budget)
    cancel_concierge_request: ConciergeRequest = operation(concierge.cancel_concierge_request)
    move_concierge_request: ConciergeCase = operation(concierge.move_concierge_request)
    assign_concierge_request: ConciergeCase = operation(concierge.assign_concierge_request)
    update_concierge_request: ConciergeCase = operation(concierge.update_concierge_request)
    add_concierge_note: ConciergeCase = operation(concierge.add_concierge_note)
