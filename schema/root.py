"""One schema for every domain: the roots joined, the scalars spelled."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.accounts import AccountMutations, AccountQueries
from schema.admin import AdminQueries
from schema.analytics import AnalyticsMutations, AnalyticsQueries
from schema.bookings import Appointment, BookingMutations, BookingQueries, BookingSubscriptions
from schema.calendars import CalendarMutations, CalendarQueries
from schema.campaigns import CampaignMutations, CampaignQueries
from schema.catalogue import CatalogueQueries, HomeService, MarketplaceService, SpaService
from schema.concierge import ConciergeMutations, ConciergeQueries
from schema.crm import CrmMutations, CrmQueries, CrmSubscriptions
from schema.enums import describe
from schema.events import EventBooking, EventMutations, EventQueries, EventSubscriptions
from schema.faces import FaceMutations, FaceQueries
from schema.fields import OperationField
from schema.files import FileMutations
from schema.forms import FormMutations, FormQueries
from schema.health import HealthQueries
from schema.history import HistoryQueries
from schema.identity import IdentityMutations, IdentityQueries, OlderIdentityMutations
from schema.investments import InvestmentMutations, InvestmentQueries
from schema.jobs import JobMutations, JobQueries
from schema.ledger import LedgerQueries
from schema.memberships import MembershipMutations, MembershipQueries
from schema.newsletter import NewsletterMutations, NewsletterQueries
from schema.notifications import NotificationMutations, NotificationQueries, NotificationSubscriptions
from schema.passkeys import PasskeyMutations, PasskeyQueries
from schema.payments import PaymentMutations, PaymentQueries
from schema.preferences import PreferencesMutations, PreferencesQueries
from schema.quickbooks import QuickBooksMutations, QuickBooksQueries
from schema.recommendations import RecommendationMutations, RecommendationQueries, Reminder, ServiceRecommendation
from schema.rooms import RoomMutations, RoomQueries, RoomSubscriptions
from schema.scalars import SCALARS
from schema.scheduling import SchedulingMutations, SchedulingQueries
from schema.shop import ShopMutations, ShopQueries
from schema.waitlists import WaitlistMutations, WaitlistQueries, WaitlistSubscriptions


@strawberry.type(description="Everything that can be read.")
class Query(
    IdentityQueries,
    MembershipQueries,
    CatalogueQueries,
    SchedulingQueries,
    BookingQueries,
    PaymentQueries,
    LedgerQueries,
    RoomQueries,
    PreferencesQueries,
    RecommendationQueries,
    AnalyticsQueries,
    NotificationQueries,
    FormQueries,
    NewsletterQueries,
    CampaignQueries,
    AdminQueries,
    HistoryQueries,
    JobQueries,
    FaceQueries,
    PasskeyQueries,
    AccountQueries,
    ShopQueries,
    ConciergeQueries,
    InvestmentQueries,
    QuickBooksQueries,
    CrmQueries,
    WaitlistQueries,
    EventQueries,
    HealthQueries,
    CalendarQueries,
):
    """The root of reads."""


@strawberry.type(description="Everything that can be done.")
class Mutation(
    IdentityMutations,
    MembershipMutations,
    SchedulingMutations,
    BookingMutations,
    PaymentMutations,
    RoomMutations,
    PreferencesMutations,
    RecommendationMutations,
    AnalyticsMutations,
    NotificationMutations,
    FormMutations,
    NewsletterMutations,
    CampaignMutations,
    JobMutations,
    FaceMutations,
    PasskeyMutations,
    AccountMutations,
    ShopMutations,
    ConciergeMutations,
    FileMutations,
    InvestmentMutations,
    QuickBooksMutations,
    CrmMutations,
    WaitlistMutations,
    EventMutations,
    CalendarMutations,
):
    """The root of writes."""


@strawberry.type(description="Everything that can be followed as it happens.")
class Subscription(
    BookingSubscriptions, RoomSubscriptions, NotificationSubscriptions, EventSubscriptions, CrmSubscriptions, WaitlistSubscriptions
):
    """The root of what is followed."""


@strawberry.type(name="Mutation", description="Everything that can be done, at the doors of the older systems too.")
class OlderMutation(Mutation, OlderIdentityMutations):
    """The root of writes for documents of rest_compat/."""


def build_schema(*, for_older_systems: bool = False) -> strawberry.Schema:
    """The whole schema, with a key argument on every write, and a cursor argument on whatever is followed."""
    mutation = OlderMutation if for_older_systems else Mutation
    for each in _operations(mutation):
        each.takes_key = True
    for each in _operations(Subscription):
        each.takes_cursor = True
    schema = strawberry.Schema(
        query=Query,
        mutation=mutation,
        subscription=Subscription,
        types=[SpaService, MarketplaceService, HomeService, Appointment, EventBooking, ServiceRecommendation, Reminder],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True, enable_experimental_incremental_execution=True),
    )
    return describe(schema)


def _operations(root: type) -> list[OperationField]:
    return [each for each in root.__strawberry_definition__.fields if isinstance(each, OperationField)]  # type: ignore[attr-defined]
