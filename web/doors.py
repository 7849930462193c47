"""What the landing page names: the tools, the older systems, and the demo accounts."""

from collections import Counter
from dataclasses import dataclass

from starlette.applications import Starlette


@dataclass(frozen=True)
class Door:
    """One address with its purpose."""

    path: str
    name: str
    purpose: str


@dataclass(frozen=True)
class System:
    """One older system: where it stands, and how many of its endpoints are served."""

    prefix: str
    name: str
    purpose: str
    endpoints: int


@dataclass(frozen=True)
class Account:
    """Somebody of the demo world."""

    name: str
    sign_in: str
    secret: str
    role: str


TOOLS = (
    Door("/graphiql", "GraphiQL", "Write and run GraphQL in the browser, with examples of the whole way from sign-in to lights."),
    Door("/graphql", "GraphQL", "The API itself: POST and GET, WebSockets and server-sent events."),
    Door("/docs/", "API documentation", "The endpoints of the older systems, to read and to try."),
    Door("/admin/", "Admin panel", "For staff: the dashboard, every table, and what can be done with its rows."),
    Door("/readyz", "Readiness", "Whether the database answers and its schema is current."),
    Door("/livez", "Liveness", "Whether the process is alive."),
    Door("/metrics", "Metrics", "Counters and gauges for Prometheus."),
)

DEMO_TOOLS = (Door("/demo/outbox", "Outbox", "Every mail, message and push that this demo would have sent, newest first."),)

SYSTEMS = (
    Door("/coresync", "CoreSync", "Spa appointments, memberships, IoT rooms"),
    Door("/banister", "Banister", "Provider marketplace"),
    Door("/events", "Events", "Events and their bookings"),
    Door("/crm", "CRM", "Notices about events and bookings"),
    Door("/appointment360", "Appointment360", "Contacts database"),
    Door("/minuteserv", "Minuteserv", "At-home services with dispatched partners"),
)

ACCOUNTS = (
    Account("John Doe", "user@example.com", "password123", "Spa member on the Unlimited plan"),
    Account("Casey Customer", "customer@example.com", "customer-password", "Marketplace customer"),
    Account("Pat Provider", "provider@example.com", "provider-password", "Marketplace provider"),
    Account("Morgan Manager", "manager@example.com", "password123", "Marketplace management"),
    Account("Jane Smith", "jane@example.com", "password123", "Facilitator of events"),
    Account("Riley Attendee", "attendee@example.com", "password123", "Attendee of events"),
    Account("Sam Seller", "sales@example.com", "password123", "Contacts user"),
    Account("Asha Home", "asha@example.com, +911234567890", "one-time code", "Home-service customer"),
    Account("Priya Sharma", "+919876543210", "one-time code", "Home-service partner"),
    Account("Admin User", "admin@minuteserv.com", "password123", "Super admin, spa staff"),
)


def systems_of(app: Starlette) -> list[System]:
    """The older systems with the number of their endpoints that are served."""
    served = Counter(each.system for each in app.state.doors.routes())
    return [System(door.path, door.name, door.purpose, served[door.path[1:]]) for door in SYSTEMS]
