"""What clients see of recommendations, and of the figures behind them."""

import datetime

import strawberry

from models import recommendations as tables
from models.recommendations import RecommendationAnswer, RecommendationKind, RecommendationPriority
from resolvers import recommendations
from schema.catalogue import Service
from schema.fields import Connection, Record, column, computed, operation, related, shows


@shows(tables.Recommendation, interface=True)
class Recommendation(Record):
    """One piece of advice, with its reason."""

    kind: RecommendationKind
    service_type: str
    reason: str
    priority: RecommendationPriority
    suggested_date: datetime.date = column("suggested_on")
    answer: RecommendationAnswer | None
    answered_at: datetime.datetime | None
    feedback: str | None


@shows(tables.Recommendation, kind=RecommendationKind.SERVICE)
class ServiceRecommendation(Recommendation):
    """A service that would be good now."""

    service: Service = related("service")


@shows(tables.Recommendation, kind=RecommendationKind.REMINDER)
class Reminder(Recommendation):
    """A kind of treatment for which it is time."""

    message: str = column("reason", "The reason again, as a sentence to the person.")
    action: str = computed(["service_type"], lambda row: f"book_{row['service_type']}", "What to do, such as book_massage.")


@strawberry.type(description="The last service that a person had.")
class LastVisit:
    """In the calendar of its location."""

    service: Service = strawberry.field(description="The service.")
    date: datetime.date = strawberry.field(description="The day.")
    days_ago: int = strawberry.field(description="How many days ago that was.")


@strawberry.type(description="How often a kind of treatment is good for a person, and what that was derived from.")
class Frequency:
    """Their own rhythm, drawn towards everybody's the less there is of it."""

    service_type: str = strawberry.field(description="The kind of treatment, such as massage.")
    recommended_interval_days: int = strawberry.field(description="After how many days to come again.")
    own_interval_days: float | None = strawberry.field(
        description="The middle one of the person's own intervals; none before the second visit."
    )
    population_interval_days: float | None = strawberry.field(
        description="The middle one of all guests' intervals; none while too few returned."
    )
    visits: int = strawberry.field(description="On how many days the person had it.")
    last_visit: datetime.date = strawberry.field(description="On which day last.")
    due_on: datetime.date = strawberry.field(description="When the next visit would keep the rhythm.")


@strawberry.type(description="What is recommended to a person now.")
class Recommendations:
    """Worked out when asked for."""

    last_visit: LastVisit | None = strawberry.field(description="The last service that the person had.")
    recommendations: list[Recommendation] = strawberry.field(description="Services in the order in which they fit, then reminders.")
    optimal_frequency: Frequency | None = strawberry.field(description="How often what they had last is good for them.")
    frequencies: list[Frequency] = strawberry.field(description="The same for every kind of treatment they had, the most frequent first.")


@shows(tables.ServiceRhythm)
class ServiceRhythm(Record):
    """After how many days guests return for one kind of treatment."""

    service_type: str
    interval_days: float
    returns: int
    guests: int


@shows(tables.ServicePair)
class ServicePair(Record):
    """Two services that the same guests book within a week more often than chance would have it."""

    service: Service = related("service")
    other: Service = related("other")
    guests: int
    share: float
    lift: float


@strawberry.type
class RecommendationQueries:
    """Reading advice, and what it is drawn from."""

    my_recommendations: Recommendations = operation(recommendations.get_my_recommendations)
    service_rhythms: list[ServiceRhythm] = operation(recommendations.list_service_rhythms)
    service_pairs: Connection[ServicePair] = operation(recommendations.list_service_pairs)


@strawberry.type
class RecommendationMutations:
    """Answering advice."""

    answer_recommendation: Recommendation = operation(recommendations.answer_recommendation)
