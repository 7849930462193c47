"""What clients see of visits in figures."""

from datetime import date
from decimal import Decimal

import strawberry

from resolvers import analytics
from schema.bookings import Booking
from schema.catalogue import Service
from schema.fields import operation


@strawberry.type(description="One month of a person's visits.")
class MonthlyVisits:
    """In the calendar of the location of each visit."""

    month: date = strawberry.field(description="Its first day.")
    name: str = strawberry.field(description="Its name and year, such as january_2024.")
    visits: int = strawberry.field(description="How many visits.")
    spent: Decimal = strawberry.field(description="What was paid for them and not given back.")


@strawberry.type(description="A person's completed visits to the spa in figures.")
class VisitSummary:
    """Counted when asked for."""

    total_visits: int = strawberry.field(description="How many visits there were.")
    total_spent: Decimal = strawberry.field(description="What was paid for them and not given back.")
    currency: str = strawberry.field(
        description="ISO 4217 code of the amounts, that of the last visit; what was paid in another is left out."
    )
    favorite_service: Service | None = strawberry.field(description="What was had most often; of equals, the latest.")
    last_visit: date | None = strawberry.field(description="Day of the last visit.")
    months: list[MonthlyVisits] = strawberry.field(description="Months with visits, oldest first.")


@strawberry.type(description="One month of the spa in one currency.")
class MonthlyFigures:
    """In the calendar of each location."""

    month: date = strawberry.field(description="Its first day.")
    currency: str = strawberry.field(description="ISO 4217 code of the revenue.")
    visits: int = strawberry.field(description="How many visits were completed.")
    guests: int = strawberry.field(description="By how many people.")
    revenue: Decimal = strawberry.field(description="What was paid for them and not given back.")
    ratings: int = strawberry.field(description="How many of them were rated.")
    rating: float | None = strawberry.field(description="Their stars on average.")


@strawberry.type
class AnalyticsQueries:
    """Visits in figures."""

    my_visit_summary: VisitSummary = operation(analytics.get_my_visit_summary)
    monthly_figures: list[MonthlyFigures] = operation(analytics.list_monthly_figures)


@strawberry.type
class AnalyticsMutations:
    """Saying how it was."""

    rate_booking: Booking = operation(analytics.rate_booking)
