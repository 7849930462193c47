"""What clients send to the concierge."""

from datetime import date
from decimal import Decimal

import strawberry

from models.concierge import ConciergeStatus


@strawberry.input(description="Something that the concierge is to find.")
class ConciergeInput:
    """What is wanted."""

    item_description: str = strawberry.field(description="What it is, at most 2000 characters.")
    item_url: str | None = strawberry.field(default=None, description="Where it was seen: an http or https address.")
    budget: Decimal | None = strawberry.field(default=None, description="What it may cost; left out: whatever is asked for it.")
    needed_by: date | None = strawberry.field(default=None, description="The day by which it is needed.")
    special_instructions: str | None = strawberry.field(default=None, description="What else is to be known, at most 2000 characters.")


@strawberry.input(description="What staff found out about a request; what is left out stays.")
class ConciergePatch:
    """Changes by staff."""

    price: Decimal | None = strawberry.field(default=None, description="What it will cost.")
    estimated_on: date | None = strawberry.field(default=None, description="The day on which the house expects to have it.")


@strawberry.input(description="Which requests; everything that is given must hold.")
class ConciergeFilter:
    """Conditions on requests."""

    status: ConciergeStatus | None = strawberry.field(default=None, description="In this state.")
    is_open: bool | None = strawberry.field(default=None, description="Only those that are not at their end, or only those that are.")
    assigned_to_id: strawberry.ID | None = strawberry.field(default=None, description="That this person looks after.")
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="Of this person.")
