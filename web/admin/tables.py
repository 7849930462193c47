"""Which tables the console shows, to whom, and under which heading: every one whose rows a client can name, and a few more."""

from collections import defaultdict
from functools import cache

import models  # noqa: F401 - so that every table is known
from models.accounts import AccountBlock
from models.admin import EndpointUse
from models.analytics import ServiceRating
from models.base import Model, Visible
from models.bookings import Appointment, Booking
from models.concierge import ConciergeNote, ConciergeRequest
from models.forms import FormSubmission
from models.history import Change
from models.identity import STAFF, Role, User, UserRole
from models.investments import InvestmentInterest
from models.ledger import Entry
from models.notifications import OutboxMessage
from models.shop import Purchase, PurchaseItem
from resolvers.jobs import HEADS
from resolvers.ledger import BOOKKEEPERS
from web.admin.acts import ACTS
from web.admin.views import TableView

MORE = (Appointment, Change, EndpointUse, Entry, OutboxMessage, PurchaseItem, ServiceRating, UserRole)
"""Tables without ids for clients that are shown as well."""
DESK = frozenset({*HEADS, Role.SUPPORT})
MONEY = frozenset(BOOKKEEPERS)
READERS = {
    "accounts": DESK,
    "analytics": DESK,
    "bookings": frozenset(STAFF),
    "catalogue": frozenset(STAFF),
    "concierge": frozenset(STAFF),
    "forms": DESK,
    "identity": DESK,
    "investments": MONEY,
    "ledger": MONEY,
    "memberships": frozenset(STAFF),
    "notifications": DESK,
    "payments": MONEY,
    "quickbooks": MONEY,
    "recommendations": DESK,
    "rooms": DESK,
    "scheduling": frozenset(STAFF),
    "shop": frozenset(STAFF),
}
"""Who may read the tables of a domain; the others are for the heads of the house."""
PERSONAL: dict[type[Model], frozenset[str]] = {
    User: frozenset({"email", "phone", "first_name", "last_name"}),
    Booking: frozenset({"special_requests", "cancel_reason"}),
    Appointment: frozenset({"staff_notes"}),
    AccountBlock: frozenset({"reason", "lift_reason"}),
    ConciergeNote: frozenset({"text"}),
    ConciergeRequest: frozenset({"item_description", "item_url", "special_instructions"}),
    FormSubmission: frozenset({"name", "email", "phone", "message", "heard_about_us", "note"}),
    InvestmentInterest: frozenset({"message", "staff_note"}),
    Purchase: frozenset({"cancel_reason"}),
}
"""Personal data that the work needs; all other personal data is left out."""


@cache
def shown_tables() -> dict[str, tuple[type[Model], ...]]:
    """The tables by their domain, in the order of the alphabet."""
    found: dict[str, list[type[Model]]] = defaultdict(list)
    for mapper in Model.registry.mappers:
        table: type[Model] = mapper.class_
        if issubclass(table, Visible) or table in MORE:
            found[domain_of(table)].append(table)
    return {name: tuple(sorted(found[name], key=lambda each: str(each.__tablename__))) for name in sorted(found)}


def domain_of(table: type[Model]) -> str:
    """The domain that a table belongs to: the file it stands in."""
    return table.__module__.rpartition(".")[2]


def view_of(table: type[Model]) -> TableView:
    """The page of a table."""
    about = {
        "table": table,
        "roles": READERS.get(domain_of(table), frozenset(HEADS)),
        "personal": PERSONAL.get(table, frozenset()),
        "acts": ACTS.get(table, ()),
    }
    made: type[TableView] = type(f"{table.__name__}View", (TableView,), about)
    return made(frozenset(each for tables in shown_tables().values() for each in tables))
