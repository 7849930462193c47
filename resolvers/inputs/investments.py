"""What clients send about investments."""

from decimal import Decimal

import strawberry

from models.investments import ContactMethod, InterestStatus


@strawberry.input(description="An opportunity that is to be offered.")
class OpportunityInput:
    """What a new opportunity is."""

    title: str = strawberry.field(description="What it is called, at most 200 characters.")
    description: str = strawberry.field(description="What it is about, at most 10000 characters.")
    minimum_investment: Decimal = strawberry.field(description="The least that one investor puts in.")
    expected_roi: str = strawberry.field(description="What is expected to come back, in words, such as 15-20%.")
    timeline: str = strawberry.field(description="How long it takes, in words, such as 18-24 months.")


@strawberry.input(description="What is to change of an opportunity; what is left out stays.")
class OpportunityPatch:
    """Changes of an opportunity."""

    title: str | None = strawberry.field(default=None, description="What it is called, at most 200 characters.")
    description: str | None = strawberry.field(default=None, description="What it is about, at most 10000 characters.")
    minimum_investment: Decimal | None = strawberry.field(default=None, description="The least that one investor puts in from now on.")
    expected_roi: str | None = strawberry.field(default=None, description="What is expected to come back, in words.")
    timeline: str | None = strawberry.field(default=None, description="How long it takes, in words.")


@strawberry.input(description="How an investor is interested.")
class InterestInput:
    """An interest."""

    opportunity_id: strawberry.ID = strawberry.field(description="The opportunity.")
    investment_amount: Decimal = strawberry.field(description="How much they think of; at least the opportunity's minimum.")
    contact_method: ContactMethod = strawberry.field(default=ContactMethod.EMAIL, description="How they want to be reached.")
    message: str | None = strawberry.field(default=None, description="What they want to say, at most 2000 characters.")


@strawberry.input(description="Which interests; everything that is given must hold.")
class InterestFilter:
    """Conditions on interests."""

    opportunity_id: strawberry.ID | None = strawberry.field(default=None, description="In this opportunity.")
    status: InterestStatus | None = strawberry.field(default=None, description="In this state.")
