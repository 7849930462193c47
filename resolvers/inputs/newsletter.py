"""What readers want of the newsletter."""

import strawberry

from resolvers.inputs.values import EmailAddress


@strawberry.input(description="An address for the newsletter, and what it wants.")
class NewsletterInput:
    """The newsletter form."""

    email: EmailAddress = strawberry.field(description="Where the confirmation is sent.")
    first_name: str = strawberry.field(default="", description="How its reader is called.")
    marketing_emails: bool = strawberry.field(default=True, description="News of the house.")
    service_updates: bool = strawberry.field(default=False, description="New and changed services.")
    special_offers: bool = strawberry.field(default=False, description="Special offers.")
    website: str = strawberry.field(default="", description="A field that people do not see: what fills it in is a machine.")
